"""The parts of a bench by name: what each measures, on what all of them share.

    with Bench(plan, scratch, record) as bench:
        record["network"] = PARTS["network"](bench)

A part is a function of the bench that returns what goes into the record. Scenes, the model and
the twin's process are made when a part first asks for them. A new part is one function and one
line of ``PARTS``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch

from benchmarks import inference, material, roofline, training
from benchmarks.accuracy import measure_accuracy
from benchmarks.ceilings import Ceiling, Ceilings, measure_ceilings
from benchmarks.layers import network_layers
from benchmarks.packing import describe_packing, time_packing
from benchmarks.peer import Twin
from benchmarks.stages import measure_stages
from benchmarks.timing import Sample
from slstr_cloudmask.detectors import Detector
from slstr_cloudmask.detectors.thresholds import Thresholds
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.network.device import Precision
from slstr_cloudmask.network.engine import ENGINES

NETWORK_SIZE = (1200, 1504)  # a scene, padded to multiples of the network's stride


@dataclass(frozen=True)
class Plan:
    """How much is measured, and where.

    Attributes
    ----------
    device, precision
        Of ours.
    quick
        Fewer runs of fewer things: to see that it works.
    work
        Folder for scenes, model and store; kept for the next run.
    python
        A Python with TensorFlow, or None.
    """

    device: torch.device
    precision: Precision
    quick: bool
    work: Path
    python: Path | None

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """Those that are timed: bf16 only where it is ours, for emulated it takes minutes."""
        return ("bf16", "fp32") if self.precision == "bf16" else ("fp32",)

    @property
    def repeats(self) -> int:
        """Runs that count, after those that do not."""
        return 2 if self.quick else 5

    @property
    def few(self) -> int:
        """Likewise, of what takes long."""
        return 1 if self.quick else 3

    @property
    def training_patches(self) -> int:
        """Patches of an epoch."""
        if self.device.type == "cuda":
            return 320 if self.quick else 1600
        return 32 if self.quick else 64

    def describe(self) -> dict[str, Any]:
        """Return what two runs of one plan share."""
        return {
            "device": str(self.device),
            "precision": self.precision,
            "quick": self.quick,
            "twin": self.python is not None,
        }


class Bench:
    """What the parts share.

    Attributes
    ----------
    plan
        How much is measured.
    scratch
        A folder that is empty at first and gone at the end.
    record
        What was measured so far.
    """

    def __init__(self, plan: Plan, scratch: Path, record: dict[str, Any]) -> None:
        self.plan = plan
        self.scratch = scratch
        self.record = record
        self._twin: Twin | None = None

    @cached_property
    def paths(self) -> list[Path]:
        """Files of scenes."""
        return material.scene_files(self.plan.work, 2 if self.plan.quick else 4, jobs=2)

    @cached_property
    def ours(self) -> inference.Ours:
        """The model and a scene."""
        x_HWC = material.normalised(self.paths[0])
        model = material.fresh_model(self.plan.work)
        return inference.Ours(model, x_HWC, self.plan.device, self.plan.precision)

    @property
    def twin(self) -> Twin | None:
        """The twin's process with our weights and our scene; another one where one has died."""
        if self.plan.python is not None and (self._twin is None or not self._twin.is_alive):
            self._end_twin()
            self._twin = Twin.start(self.plan.python)
            inference.hand_over(self._twin, self.ours, self.scratch)
        return self._twin

    @property
    def twin_pid(self) -> int | None:
        """Number of its process, if there is one."""
        return self._twin.pid if self._twin is not None and self._twin.is_alive else None

    def _end_twin(self) -> None:
        if self._twin is not None:
            self._twin.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_twin()


def _ceilings(bench: Bench) -> list[dict[str, Any]]:
    plan = bench.plan
    found = measure_ceilings(plan.device, plan.work, plan.precisions, quick=plan.quick)
    return found.describe()


def _twin(bench: Bench) -> dict[str, Any] | None:
    """Ask the twin what it is, and whether it says what ours says."""
    if bench.twin is None:
        return None
    agreement = inference.check_twin(bench.ours, bench.twin, bench.scratch)
    return {**bench.twin.ask("hello"), "agreement": agreement}


def _network(bench: Bench) -> dict[str, Any]:
    plan = bench.plan
    return _described(
        inference.time_network(bench.ours, bench.twin, repeats=plan.repeats, quick=plan.quick)
    )


def _device(bench: Bench) -> dict[str, Any]:
    """Time the device's own part; without an accelerator that is the network's part again."""
    if bench.plan.device.type != "cuda":
        return {}
    return _described(inference.time_device(bench.ours, 10 * bench.plan.repeats))


def _accuracy(bench: Bench) -> dict[str, Any]:
    plan = bench.plan
    engines = ("eager", "onnx", "openvino") if plan.quick else ENGINES[1:]
    return measure_accuracy(plan.work, plan.device, engines)


def _folder(bench: Bench) -> dict[str, Any]:
    files = [path.stat().st_size for path in bench.paths]
    bench.record["scene_bytes"] = sum(files) / len(files)
    return _described(
        inference.time_folder(
            bench.ours, bench.twin, bench.paths, bench.scratch, repeats=bench.plan.few
        )
    )


def _pipeline(bench: Bench) -> dict[str, Any]:
    """Hold the folder command against its slowest stage alone."""
    network = bench.ours.detector("auto")
    detectors: dict[str, Detector] = {
        f"network, {network.engine.name}": network,
        "thresholds": Thresholds(),
    }
    return {
        name: measure_stages(detector, bench.paths, bench.scratch, repeats=bench.plan.few)
        for name, detector in detectors.items()
    }


def _packing(bench: Bench) -> dict[str, Any]:
    plan = bench.plan
    samples = time_packing(
        bench.paths, bench.scratch, repeats=plan.few, names=2 if plan.quick else 8
    )
    return describe_packing(bench.paths, samples)


def _training(bench: Bench) -> dict[str, Any]:
    plan = bench.plan
    if bench.twin is not None:
        bench.twin.ask("forget")
    return _described(
        training.time_training(
            material.random_store(plan.work, plan.training_patches),
            plan.device,
            plan.precision,
            bench.twin,
            repeats=plan.few,
            variants=["fp32"] if plan.quick else sorted(plan.precisions, reverse=True),
            ways=("eager",) if plan.quick else ("compiled", "eager"),
        )
    )


def _memory(bench: Bench) -> dict[str, Any]:
    """Run the command line on one scene, and an epoch of batches of 32, as processes."""
    plan, path = bench.plan, bench.paths[0]
    common = ("--device", str(plan.device), "--precision", plan.precision)
    material.fresh_model(plan.work)
    model, mask = plan.work / "model", bench.scratch / "mask.nc"
    peaks = {
        "predict": inference.peak_memory(["predict", path, "--model", model, "-o", mask, *common])
    }
    if not plan.quick:
        options = ("--batch-size", "32", "--epochs", "1", *common)
        arguments = ["train", path.parents[2], "-o", bench.scratch / "run", *options]
        peaks["train"] = inference.peak_memory(arguments)
    if bench.twin_pid is not None and bench.twin is not None:
        peaks["twin"] = bench.twin.ask("memory")
    return peaks


def _layers(bench: Bench) -> list[dict[str, Any]]:
    """Time the layers and draw the roofline with them and with whole scenes."""
    plan, record = bench.plan, bench.record
    if "ceilings" not in record:
        raise InputError("The layers are held against the part 'ceilings', which is missing.")
    ceilings = Ceilings(tuple(Ceiling(**ceiling) for ceiling in record["ceilings"]))
    points = roofline.measure_layers(ceilings, plan.device, plan.precision, quick=plan.quick)
    item = 2 if plan.precision == "bf16" else 4
    moved = sum(layer.bytes(layer.pixels(*NETWORK_SIZE), item) for layer in network_layers())
    flop = record["scene_flop"]
    whole = {
        f"scene, {name.split()[0]}": (flop / moved, flop / sample["median_s"])
        for name, sample in record.get("network", {}).items()
        if name.endswith(f"{plan.precision} scene")
    }
    roofline.draw(points, whole, ceilings, plan.precision, plan.work / "roofline.png")
    return [point.describe() for point in points]


def _described(samples: dict[str, Sample]) -> dict[str, Any]:
    return {name: sample.describe() for name, sample in samples.items()}


# In this order: the roofline needs ceilings and whole scenes.
PARTS: dict[str, Callable[[Bench], Any]] = {
    "ceilings": _ceilings,
    "twin": _twin,
    "network": _network,
    "device": _device,
    "accuracy": _accuracy,
    "folder": _folder,
    "pipeline": _pipeline,
    "packing": _packing,
    "training": _training,
    "memory": _memory,
    "layers": _layers,
}
