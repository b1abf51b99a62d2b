"""The Keras twin as a process that answers one question at a time.

with Twin.start(Path(".venv-peer/bin/python")) as twin:
    seconds = twin.ask("predict", variant="fp32")["seconds"]

TensorFlow and PyTorch in one process fight over threads, and TensorFlow's pins over libraries.
"""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.errors import CloudMaskError
from slstr_cloudmask.network.keras_writer import keras_arrays
from slstr_cloudmask.network.unet import UNet

SCRIPT = Path(__file__).with_name("keras_twin.py")
PROBE = "import importlib.util as u, sys; sys.exit(u.find_spec('tensorflow') is None)"


class PeerError(CloudMaskError, OSError):
    """The twin's process could not do what it was asked."""


def find_python(given: Path | None) -> Path | None:
    """Return a Python that has TensorFlow.

    The one given or named by CLOUDMASK_PEER_PYTHON, the ``peer`` environment's, or this one.

    Raises
    ------
    PeerError
        The one given has none.
    """
    if given is None and (named := os.environ.get("CLOUDMASK_PEER_PYTHON")):
        given = Path(named)
    beside = SCRIPT.parents[1] / ".venv-peer" / "bin" / "python"
    for python in [given] if given else [beside, Path(sys.executable)]:
        if python.exists() and subprocess.run([python, "-c", PROBE], check=False).returncode == 0:
            return python
    if given is not None:
        raise PeerError(f"{given} has no TensorFlow: {given} -m pip install tensorflow-cpu")
    return None


class Twin:
    """The running twin; a context manager that ends its process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Number of its process."""
        return self._process.pid

    @classmethod
    def start(cls, python: Path, script: Path | None = None) -> "Twin":
        """Start the twin's process, or another script that answers like it, with this Python."""
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [python, script or SCRIPT],
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return cls(process)

    def ask(self, do: str, **arguments: object) -> dict[str, Any]:
        """Ask for one of the methods of `keras_twin.Server`, or of what stands in for it.

        Raises
        ------
        PeerError
            The twin failed or died.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise PeerError("The Keras twin was started without pipes.")
        try:
            stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise PeerError(f"The Keras twin died when asked for {do!r}: too little memory?")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerError(f"The Keras twin could not do {do!r}: {answer['error']}")
        return answer

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def __enter__(self) -> "Twin":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """End its process; twice does no harm."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):  # it died with a question unread
                self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def hand_over(twin: Twin, network: UNet, x_HWC: npt.NDArray[np.float32], folder: Path) -> None:
    """Give the twin our weights and a scene."""
    weights, scene = folder / "weights.npz", folder / "scene.npy"
    np.savez(weights, *keras_arrays(network))
    np.save(scene, np.ascontiguousarray(x_HWC))
    twin.ask("load", weights=str(weights), scene=str(scene))


def twins_probability(twin: Twin, folder: Path) -> npt.NDArray[np.float64]:
    """Return the twin's probability of cloud (H, W) for the scene that it was given."""
    out = folder / "mask.npy"
    twin.ask("probability", out=str(out))
    return np.asarray(np.load(out), np.float64)
