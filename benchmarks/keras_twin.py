"""A twin in Keras of the reference benchmark's network, data path and loops, to be timed against.

    PEER_PYTHON benchmarks/keras_twin.py

It needs TensorFlow and h5py and nothing of this package, for TensorFlow wants an environment of
its own; `peer.Twin` starts it as a process and asks it one line of JSON at a time, so that its runs
and ours take turns. Written for this purpose after mlcommons/science, benchmarks/cloudmask: the
same layers (`model.py`), patches of 256 every 176 pixels with SAME padding (63 a scene of
1200x1500), one ``predict_on_batch`` a scene, float32; training with batch 32, Adam and binary
cross-entropy (`slstr_cloud.py`).

Shape legend: N patches, H rows, W columns, C channels.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

PATCH, CROP, CHANNELS = 256, 80, 9
KEPT = PATCH - CROP
WIDTHS = (32, 64, 128, 256)
BT_OFFSET_KELVIN, BT_SCALE_KELVIN, REFLECTANCE_OFFSET = 270.0, 22.0, 0.5

Array = npt.NDArray[np.float32]


def unet(tf: Any) -> Any:
    """Return the reference's network with fresh weights; 1,948,609 parameters."""
    layers = tf.keras.layers

    def pair(x: Any, width: int) -> Any:
        for _ in range(2):
            x = layers.Conv2D(width, 3, padding="same", kernel_initializer="he_normal")(x)
            x = layers.ReLU()(x)
        return x

    inputs = layers.Input((PATCH, PATCH, CHANNELS))
    x, skips = inputs, []
    for width in WIDTHS[:-1]:
        x = pair(x, width)
        skips.append(x)
        x = layers.MaxPool2D(2)(x)
    x = pair(x, WIDTHS[-1])
    for width, skip in zip(reversed(WIDTHS[:-1]), reversed(skips), strict=True):
        x = layers.Concatenate()([layers.UpSampling2D(2)(x), skip])
        x = pair(x, width)
    head = layers.Conv2D(1, 1, padding="same", activation="sigmoid", kernel_initializer="he_normal")
    return tf.keras.Model(inputs, head(x))


def patches_of(tf: Any, x_HWC: Any) -> Any:
    """Cut a scene as the reference does in inference: (1, rows, columns, P·P·C)."""
    size, stride = [1, PATCH, PATCH, 1], [1, KEPT, KEPT, 1]
    return tf.image.extract_patches(x_HWC[None], size, stride, [1, 1, 1, 1], padding="SAME")


def mask_of(tf: Any, model: Any, patches: Any, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Return the probability of cloud (1, H, W, 1), put together as the reference does."""
    _, rows, columns, _ = patches.shape
    batch = tf.reshape(patches, (rows * columns, PATCH, PATCH, CHANNELS))
    middles = tf.image.crop_to_bounding_box(
        model.predict_on_batch(batch), CROP // 2, CROP // 2, KEPT, KEPT
    )
    middles = tf.reshape(middles, (1, rows, columns, KEPT, KEPT, 1))
    tiled = np.zeros((1, rows * KEPT, columns * KEPT, 1))
    for i in range(rows):
        for j in range(columns):
            y, x = i * KEPT, j * KEPT
            tiled[0, y : y + KEPT, x : x + KEPT] = middles[0, i, j]
    top, left = (tiled.shape[1] - shape[0]) // 2, (tiled.shape[2] - shape[1]) // 2
    return np.asarray(tf.image.crop_to_bounding_box(tiled, top, left, *shape).numpy(), np.float64)


class Server:
    """What the twin can be asked; each method takes and gives what JSON can hold."""

    def __init__(self) -> None:
        import tensorflow as tf

        self.tf: Any = tf
        self.models: dict[str, Any] = {}
        self.scene: Array = np.zeros((1, 1, CHANNELS), np.float32)
        self.call_seconds = 0.0

    def hello(self) -> dict[str, Any]:
        """Say what runs here."""
        model = self._model("fp32")
        return {
            "tensorflow": self.tf.__version__,
            "keras": self.tf.keras.__version__,
            "numpy": np.__version__,
            "parameters": model.count_params(),
            "devices": [d.device_type for d in self.tf.config.list_physical_devices()],
            "cores": os.cpu_count(),
        }

    def load(self, weights: str, scene: str) -> dict[str, Any]:
        """Take weights and a normalised scene (H, W, C); both `.npz`/`.npy` files."""
        with np.load(weights) as file:
            self.weights = [file[f"arr_{i}"] for i in range(len(file.files))]
        for model in self.models.values():
            model.set_weights(self.weights)
        self.scene = np.load(scene)
        return {}

    def probability(self, out: str) -> dict[str, Any]:
        """Write the probability of cloud of the scene (H, W) as a `.npy` file."""
        np.save(out, self._mask("fp32")[0, :, :, 0])
        return {}

    def predict(self, variant: str) -> dict[str, Any]:
        """Time a scene, from normalised channels to its mask, and the network's call alone."""
        started = time.perf_counter()
        patches = patches_of(self.tf, self.tf.constant(self.scene))
        cut = time.perf_counter()
        mask_of(self.tf, self._timed(variant), patches, self._shape)
        stopped = time.perf_counter()
        return {
            "seconds": stopped - started,
            "call_seconds": self.call_seconds,
            "cut": cut - started,
        }

    def train(self, batch: int, steps: int, variant: str) -> dict[str, Any]:
        """Time steps of training on one batch that is in memory already."""
        model = self._model(variant)
        if not getattr(model, "compiled", False):
            adam, jit = self.tf.keras.optimizers.Adam(1e-3), variant.endswith("xla")
            model.compile(adam, "binary_crossentropy", metrics=["accuracy"], jit_compile=jit)
        rng = np.random.default_rng(0)
        x_NHWC = self.tf.constant(rng.normal(size=(batch, PATCH, PATCH, CHANNELS)), "float32")
        label = self.tf.constant(rng.integers(0, 2, (batch, PATCH, PATCH, 1)), "float32")
        started = time.perf_counter()
        for _ in range(steps):
            model.train_on_batch(x_NHWC, label)
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "patches": batch * steps}

    def folder(self, paths: list[str], out: str, variant: str) -> dict[str, Any]:
        """Time a folder of scenes, from files to mask files."""
        import h5py

        Path(out).mkdir(parents=True, exist_ok=True)
        model = self._model(variant)
        started = time.perf_counter()
        for patches, name in self._pipeline(paths):
            mask = mask_of(self.tf, model, patches, self._shape)
            with h5py.File(Path(out) / f"{Path(name.numpy().decode()).name}.h5", "w") as file:
                file.create_dataset("mask", data=mask)
        return {"seconds": time.perf_counter() - started, "scenes": len(paths)}

    def memory(self) -> dict[str, Any]:
        """Return the most memory that this process ever held."""
        return {"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}

    def forget(self) -> dict[str, Any]:
        """Drop the networks and what they hold."""
        self.models.clear()
        self.tf.keras.backend.clear_session()
        return {}

    @property
    def _shape(self) -> tuple[int, int]:
        return int(self.scene.shape[0]), int(self.scene.shape[1])

    def _mask(self, variant: str) -> npt.NDArray[np.float64]:
        patches = patches_of(self.tf, self.tf.constant(self.scene))
        return mask_of(self.tf, self._model(variant), patches, self._shape)

    def _timed(self, variant: str) -> Any:
        """Return a stand-in for the model that notes how long its call took."""
        server, model = self, self._model(variant)

        class Timed:
            def predict_on_batch(self, batch: Any) -> Any:
                started = time.perf_counter()
                answer = model.predict_on_batch(batch)
                server.call_seconds = time.perf_counter() - started
                return answer

        return Timed()

    def _model(self, variant: str) -> Any:
        """Return the network: ``fp32`` as published, or ``bf16``; with ``-xla`` compiled by XLA."""
        if variant not in self.models:
            policy = "mixed_bfloat16" if variant.startswith("bf16") else "float32"
            self.tf.keras.mixed_precision.set_global_policy(policy)
            model = unet(self.tf)
            # Keras 3 compiles by XLA where it can; the reference's Keras did not unless asked.
            model.jit_compile = variant.endswith("xla")
            if hasattr(self, "weights"):
                model.set_weights(self.weights)
            self.models[variant] = model
        return self.models[variant]

    def _pipeline(self, paths: list[str]) -> Iterator[Any]:
        """Return patches and names, read as the reference's loader does."""
        tf, (height, width) = self.tf, self._shape
        types = (tf.float32, tf.string)
        shapes = (tf.TensorShape([height, width, CHANNELS]), tf.TensorShape([]))

        def images(path: Any) -> Any:
            return tf.data.Dataset.from_generator(
                read_image, output_types=types, output_shapes=shapes, args=(path,)
            )

        data = tf.data.Dataset.from_tensor_slices(paths)
        data = data.interleave(images, cycle_length=2, num_parallel_calls=2)
        cut = data.map(lambda x, name: (patches_of(tf, x), name), num_parallel_calls=2)
        return iter(cut)


def read_image(path: bytes) -> Iterator[tuple[Array, bytes]]:
    """Read and normalise a scene as the reference does, with the label that it does not use."""
    import h5py

    with h5py.File(path.decode(), "r") as file:
        refs, bts, label = file["refs"][:], file["bts"][:], file["bayes"][:]
    label[label > 0] = 1
    label.astype(np.float64)
    bts = (bts - BT_OFFSET_KELVIN) / BT_SCALE_KELVIN
    yield np.concatenate([refs - REFLECTANCE_OFFSET, bts], axis=-1), path


def serve(make: Callable[[], Any]) -> None:
    """Answer requests on standard input, one line each, until it ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever libraries print must not be taken for an answer
    server = make()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(server, request.pop("do"))(**request)
        except Exception as error:  # the asking side reports it
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    serve(Server)
