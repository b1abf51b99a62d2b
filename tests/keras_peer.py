"""A Keras that the tests ask: it saves, opens, predicts, trains and initialises; see `peer`.

It runs in a Python of its own, which has TensorFlow and not this package.
"""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import keras_twin
from benchmarks.keras_twin import Server, serve, unet

PATCH = keras_twin.PATCH = 64  # small: the network is the same function of any size


class Peer(Server):
    """The twin, with what tests want to know; arrays go through files."""

    def save(self, folder: str, paths: list[str]) -> dict[str, Any]:
        """Save the reference's network with weights as if trained, and what it answers."""
        rng = np.random.default_rng(11)
        self.tf.keras.utils.set_random_seed(11)
        model = unet(self.tf)
        bias = [0.1 * rng.normal(size=w.shape) if w.ndim == 1 else w for w in model.get_weights()]
        model.set_weights(bias)
        self._compile(model, 1e-4)
        x_NHWC = rng.normal(size=(2, PATCH, PATCH, 9)).astype(np.float32)
        model.train_on_batch(x_NHWC[:1], rng.integers(0, 2, (1, PATCH, PATCH, 1)))
        for path in paths:
            save = model.save_weights if path.endswith(".weights.h5") else model.save
            save(str(Path(folder) / path))
        np.savez(Path(folder) / "asked.npz", x=x_NHWC, p=model.predict_on_batch(x_NHWC)[..., 0])
        return {}

    def open(self, path: str, inputs: str, out: str) -> dict[str, Any]:
        """Open a whole model and write down what it answers."""
        model = self.tf.keras.models.load_model(path)
        np.save(out, np.asarray(model.predict_on_batch(np.load(inputs)))[..., 0])
        return {"parameters": model.count_params(), "layers": len(model.layers)}

    def fill(self, path: str, inputs: str, out: str) -> dict[str, Any]:
        """Load weights alone into the reference's network and write down what it answers."""
        model = unet(self.tf)
        model.load_weights(path)
        np.save(out, np.asarray(model.predict_on_batch(np.load(inputs)))[..., 0])
        return {}

    def start(self, shape: list[int], out: str) -> dict[str, Any]:
        """Write down a kernel as ``he_normal`` makes it."""
        initialiser = self.tf.keras.initializers.HeNormal(seed=3)
        np.save(out, np.asarray(initialiser(tuple(shape))))
        return {}

    def steps(self, weights: str, data: str, out: str, rate: float) -> dict[str, Any]:
        """Take three steps the reference's way on one batch; write down weights and losses."""
        model = unet(self.tf)
        with np.load(weights) as file:
            model.set_weights([file[f"arr_{i}"] for i in range(len(file.files))])
        with np.load(data) as file:
            x_NHWC, label = file["x"], file["label"]
        self._compile(model, rate)
        losses = [float(model.train_on_batch(x_NHWC, label)) for _ in range(3)]
        np.savez(out, *model.get_weights())
        return {"losses": losses}

    def adam(self, start: str, gradients: str, out: str) -> dict[str, Any]:
        """Step by given gradients, one row each; write down where every step led."""
        variable = self.tf.Variable(np.load(start))
        optimiser = self.tf.keras.optimizers.Adam(1e-3)
        rows = []
        for gradient in np.load(gradients):
            optimiser.apply_gradients([(self.tf.constant(gradient), variable)])
            rows.append(variable.numpy())
        np.save(out, np.stack(rows))
        return {}

    def saturated(self, logit: float) -> dict[str, Any]:
        """Return the loss of a sure mistake, as the compiled model reckons it."""
        layers = self.tf.keras.layers
        inputs = layers.Input((1,))
        head = layers.Dense(1, activation="sigmoid")
        model = self.tf.keras.Model(inputs, head(inputs))
        head.set_weights([np.array([[logit]], np.float32), np.zeros(1, np.float32)])
        self._compile(model)
        one = np.ones((1, 1), np.float32)
        return {"loss": float(model.train_on_batch(one, 0 * one))}

    def _compile(self, model: Any, rate: float = 1e-3) -> None:
        """As the reference does; its Keras did not use XLA unless asked."""
        adam = self.tf.keras.optimizers.Adam(rate)
        model.compile(adam, "binary_crossentropy", jit_compile=False)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    serve(Peer)
