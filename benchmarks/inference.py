"""Masking timed: the network's part of a scene by every engine, and a folder of scenes.

The network's part goes from normalised channels in memory to one value per pixel of the scene,
cutting and joining included, on both sides. A folder goes from HDF files to mask files; ours is
also scored on the way, as the benchmark does it.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from benchmarks import peer
from benchmarks.peer import Twin
from benchmarks.timing import Sample, Subject, device_stopwatch, stopwatch, take_turns
from slstr_cloudmask.benchmark.inference import Outcome, infer_scenes, mask_writer
from slstr_cloudmask.detectors.network import Network
from slstr_cloudmask.errors import CloudMaskError
from slstr_cloudmask.network.compiled import Compiled
from slstr_cloudmask.network.device import Precision
from slstr_cloudmask.network.engine import ENGINES, Eager, Engine, make_engine
from slstr_cloudmask.network.inference import InferenceMode, predict_logits
from slstr_cloudmask.network.model_file import Model

TWIN = "twin fp32"  # as published; what the bars are against
TWIN_VARIANTS = ("fp32", "fp32-xla", "bf16")
AGREE = 1e-4  # probabilities of ours and the twin's, both float32


@dataclass(frozen=True)
class Ours:
    """What runs on our side.

    Attributes
    ----------
    model
        The model.
    x_HWC
        Normalised channels of a scene.
    device, precision
        Where and how.
    """

    model: Model
    x_HWC: npt.NDArray[np.float32]
    device: torch.device
    precision: Precision

    def engines(self, precision: Precision) -> dict[str, Engine]:
        """Return every engine that this machine has."""
        made: dict[str, Engine] = {}
        for name in ENGINES:
            if name != "auto":
                try:
                    made[name] = make_engine(
                        self.model, engine=name, device=self.device, precision=precision
                    )
                except CloudMaskError:  # an extra that is not installed, or not for this device
                    continue
        return made

    def detector(self, engine: str) -> Network:
        """Return the detector that users have, running this engine."""
        device, precision = str(self.device), self.precision
        return Network(self.model, device=device, precision=precision, engine=engine)


def check_twin(ours: Ours, twin: Twin, folder: Path) -> dict[str, float]:
    """Compare the twin's probabilities with ours, same weights, same scene, patches, float32.

    The scene is noise, for which fresh weights say all things between clear and cloud. Ours runs on
    the CPU here, for GPUs convolve float32 with shorter mantissas.
    """
    noise_HWC = np.random.default_rng(0).standard_normal(ours.x_HWC.shape, np.float32)
    peer.hand_over(twin, ours.model.network, noise_HWC, folder)
    theirs = peer.twins_probability(twin, folder)
    cpu = torch.device("cpu")
    engine = make_engine(ours.model, engine="eager", device=cpu, precision="fp32")
    logits = predict_logits(engine, noise_HWC, mode="patches")
    mine = torch.sigmoid(torch.from_numpy(logits)).double().numpy()
    hand_over(twin, ours, folder)
    return {
        "largest_difference": float(np.abs(mine - theirs).max()),
        "allowed": AGREE,
        "lowest_probability": float(mine.min()),
        "highest_probability": float(mine.max()),
    }


def hand_over(twin: Twin, ours: Ours, folder: Path) -> None:
    """Give the twin our weights and our scene."""
    peer.hand_over(twin, ours.model.network, ours.x_HWC, folder)


def time_network(ours: Ours, twin: Twin | None, *, repeats: int, quick: bool) -> dict[str, Sample]:
    """Time the network's part of a scene, all subjects in turn.

    Names are ``engine precision mode`` and ``twin variant``; ``twin fp32 call`` is the twin's call
    of Keras alone, without cutting and joining.
    """
    subjects: dict[str, Subject] = {}
    for name, engine in ours.engines(ours.precision).items():
        for mode in ("scene", "patches"):
            subjects[f"{name} {ours.precision} {mode}"] = _pass(ours, engine, mode)
    if not quick and ours.precision != "fp32":
        for name, engine in ours.engines("fp32").items():
            subjects[f"{name} fp32 scene"] = _pass(ours, engine, "scene")
    calls: list[float] = []
    if twin is not None:
        for variant in TWIN_VARIANTS[:1] if quick else TWIN_VARIANTS:
            if variant != "bf16" or ours.precision == "bf16":  # emulated, it takes minutes
                subjects[f"twin {variant}"] = _twin_pass(twin, variant, calls)
    samples = take_turns(subjects, repeats=repeats)
    if calls:
        samples[f"{TWIN} call"] = Sample(calls[1:], calls[:1])
    return samples


def _pass(ours: Ours, engine: Engine, mode: InferenceMode) -> Subject:
    return stopwatch(lambda: predict_logits(engine, ours.x_HWC, mode=mode), ours.device)


def _twin_pass(twin: Twin, variant: str, calls: list[float]) -> Subject:
    def run() -> float:
        answer = twin.ask("predict", variant=variant)
        if variant == "fp32":
            calls.append(float(answer["call_seconds"]))
        return float(answer["seconds"])

    return run


def time_device(ours: Ours, repeats: int) -> dict[str, Sample]:
    """Time PyTorch's engines by the device's events: a padded scene that is there already.

    Neither bringing the scene there nor fetching the logits counts.
    """
    x_NCHW = torch.from_numpy(ours.x_HWC[None]).permute(0, 3, 1, 2)
    height, width = (-side % 8 for side in x_NCHW.shape[2:])
    padded = functional.pad(x_NCHW, (0, width, 0, height))

    def subject(engine: Eager | Compiled) -> Subject:
        there = brought(engine, padded)
        return device_stopwatch(lambda: engine.on_device(there), ours.device)

    subjects = {
        f"{name} {ours.precision}": subject(engine)
        for name, engine in ours.engines(ours.precision).items()
        if isinstance(engine, Eager | Compiled)
    }
    return take_turns(subjects, repeats=repeats, warm_up=3)


def brought(engine: Eager | Compiled, x_NCHW: torch.Tensor) -> torch.Tensor:
    """Bring channels to an engine's device."""
    return (engine.eager if isinstance(engine, Compiled) else engine).brought(x_NCHW)


def time_folder(
    ours: Ours, twin: Twin | None, paths: Sequence[Path], scratch: Path, *, repeats: int
) -> dict[str, Sample]:
    """Time a folder of scenes from HDF files to the reference's mask files; seconds a scene."""

    def mine(detector: Network) -> Callable[[], object]:
        write = mask_writer(scratch / "ours", "reference", overwrite=True)
        return lambda: _all_masked(infer_scenes(paths, detector, write=write))

    def per_scene(subject: Subject) -> Subject:
        return lambda: subject() / len(paths)

    subjects = {
        f"{name} {ours.precision}": per_scene(stopwatch(mine(ours.detector(name)), ours.device))
        for name in ours.engines(ours.precision)
    }
    if twin is not None:
        files = {"paths": [str(path) for path in paths], "out": str(scratch / "theirs")}
        subjects[TWIN] = per_scene(
            lambda: float(twin.ask("folder", variant="fp32", **files)["seconds"])
        )
    return take_turns(subjects, repeats=repeats)


def _all_masked(outcome: Outcome) -> None:
    """Refuse a time in which scenes failed."""
    for name, why in outcome.failed.items():
        raise CloudMaskError(f"{name} could not be masked: {why}")


# Runs a command, and prints the most memory that it held, as the system counts it.
_PEAK_OF = """
import os, subprocess, sys
quiet = subprocess.DEVNULL
process = subprocess.Popen(sys.argv[1:], stdout=quiet, stderr=quiet)
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def peak_memory(arguments: Sequence[str | Path]) -> dict[str, Any]:
    """Run the package's command line as a process; return the most memory that it ever held.

    Raises
    ------
    CloudMaskError
        The command failed.
    """
    command = [sys.executable, "-m", "slstr_cloudmask", *map(str, arguments)]
    # Linux counts to a process what the one that started it ever held, and this one holds a lot: so
    # a small one starts it.
    ran = subprocess.run([sys.executable, "-c", _PEAK_OF, *command], capture_output=True, text=True)
    if ran.returncode != 0:
        raise CloudMaskError(f"{' '.join(command)} failed; run it to see why.")
    # Linux counts ru_maxrss in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    shown = " ".join(Path(part).name if "/" in part else part for part in command[3:])
    return {"command": f"cloudmask {shown}", "peak_bytes": int(ran.stdout) * unit}
