#!/usr/bin/env python3
"""Measure everything in one run: ours, the Keras twin, the machine's ceilings.

    python benchmarks/bench.py [--quick] [--device auto] [--out FILE] [--markdown]

Writes the record as JSON and the roofline as PNG beside it, and prints one table of ratios.
Without TensorFlow it measures ours and the machine alone, and says so.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import inference, material, roofline, table, training
from benchmarks.ceilings import Ceilings, measure_ceilings
from benchmarks.layers import network_layers, total_flop
from benchmarks.machine import quietness
from benchmarks.peer import Twin, find_python
from benchmarks.timing import Sample
from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.benchmark.environment import hardware, software
from slstr_cloudmask.errors import BrokenFileError, CloudMaskError
from slstr_cloudmask.network.device import Precision, resolve_device, resolve_precision
from slstr_cloudmask.training.distribution import Ranks

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
    """

    device: torch.device
    precision: Precision
    quick: bool
    work: Path

    @property
    def repeats(self) -> int:
        """Runs that count, after those that do not."""
        return 2 if self.quick else 5

    @property
    def training_patches(self) -> int:
        """Patches of an epoch."""
        if self.device.type == "cuda":
            return 320 if self.quick else 1600
        return 32 if self.quick else 64


def measure(plan: Plan, python: Path | None) -> dict[str, Any]:
    """Measure everything and return the record."""
    record: dict[str, Any] = {
        "time": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "precision": plan.precision,
        "hardware": hardware(plan.device, Ranks()),
        "software": software(),
        "warm_up": "the first run of each subject, listed as warm_up_s: tracing, compiling, caches",
        "scene_flop": total_flop(*NETWORK_SIZE),
        "scene_flop_published": total_flop(*NETWORK_SIZE, published=True),
        "twin": None,
    }
    plan.work.mkdir(parents=True, exist_ok=True)
    say("making scenes")
    paths = material.scene_files(plan.work, 2 if plan.quick else 4, jobs=2)
    record["scene_bytes"] = sum(path.stat().st_size for path in paths) / len(paths)
    model = material.fresh_model(plan.work)
    ours = inference.Ours(model, material.normalised(paths[0]), plan.device, plan.precision)
    say("ceilings")
    ceilings = measure_ceilings(plan.device, plan.work, quick=plan.quick)
    record["ceilings"] = ceilings.describe()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=plan.work)))
        twin = stack.enter_context(Twin.start(python)) if python else None
        if twin is not None:
            say("the twin says what ours says")
            record["twin"] = twin.ask("hello")
            record["twin"]["agreement"] = inference.check_twin(ours, twin, scratch)
        record |= _timings(plan, ours, twin, paths, scratch)
        record["memory"] = _memory(plan, paths, scratch)
        if twin is not None:
            record["memory"]["twin"] = twin.ask("memory")
    record["layers"] = _layers(plan, ceilings, record)
    return record


def _timings(
    plan: Plan, ours: inference.Ours, twin: Twin | None, paths: list[Path], scratch: Path
) -> dict[str, dict[str, Any]]:
    repeats, few = plan.repeats, 1 if plan.quick else 3
    store = material.random_store(plan.work, plan.training_patches)
    variants = ["fp32"] if plan.quick else ["fp32", "bf16"]
    ways = ("eager",) if plan.quick else ("compiled", "eager")
    parts: dict[str, Callable[[], dict[str, Sample]]] = {
        "network": lambda: inference.time_network(ours, twin, repeats=repeats, quick=plan.quick),
        "device": lambda: inference.time_device(ours, repeats=10 * repeats),
        "folder": lambda: inference.time_folder(ours, twin, paths, scratch, repeats=few),
        "training": lambda: training.time_training(
            store, plan.device, plan.precision, twin, repeats=few, variants=variants, ways=ways
        ),
    }
    timed: dict[str, dict[str, Any]] = {"quietness": {}}
    for part, time_part in parts.items():
        say(part)
        if twin is not None and part == "training":
            twin.ask("forget")
        with quietness(twin.pid if twin else None) as timed["quietness"][part]:
            timed[part] = _described(time_part())
    return timed


def _described(samples: dict[str, Sample]) -> dict[str, Any]:
    return {name: sample.describe() for name, sample in samples.items()}


def _memory(plan: Plan, paths: list[Path], scratch: Path) -> dict[str, Any]:
    """Run the command line on one scene, and an epoch of batches of 32, as processes."""
    say("memory")
    common = ("--device", str(plan.device), "--precision", plan.precision)
    model, mask = plan.work / "model", scratch / "mask.nc"
    peaks = {
        "predict": inference.peak_memory(
            ["predict", paths[0], "--model", model, "-o", mask, *common]
        )
    }
    if not plan.quick:
        data, run = paths[0].parents[2], scratch / "run"
        options = ("--batch-size", "32", "--epochs", "1", *common)
        peaks["train"] = inference.peak_memory(["train", data, "-o", run, *options])
    return peaks


def _layers(plan: Plan, ceilings: Ceilings, record: dict[str, Any]) -> list[dict[str, Any]]:
    """Time the layers and draw the roofline with them and with whole scenes."""
    say("layers")
    points = roofline.measure_layers(ceilings, plan.device, plan.precision, quick=plan.quick)
    item = 2 if plan.precision == "bf16" else 4
    moved = sum(layer.bytes(layer.pixels(*NETWORK_SIZE), item) for layer in network_layers())
    flop = record["scene_flop"]
    whole = {
        f"scene, {name.split()[0]}": (flop / moved, flop / sample["median_s"])
        for name, sample in record["network"].items()
        if name.endswith(f"{plan.precision} scene")
    }
    roofline.draw(points, whole, ceilings, plan.precision, plan.work / "roofline.png")
    return [point.describe() for point in points]


def read_record(path: Path) -> dict[str, Any]:
    """Read what an earlier run wrote.

    Raises
    ------
    BrokenFileError
        It is no such file.
    """
    try:
        record: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise BrokenFileError(f"{path} is no record of bench.py: {error}") from error
    return record


def say(what: str) -> None:
    """Tell on stderr what is being measured."""
    typer.echo(f"measuring: {what}", err=True)


def main(
    out: Annotated[Path, typer.Option(help="The record.")] = Path("runs/bench/bench.json"),
    quick: Annotated[bool, typer.Option("--quick", help="Fewer runs of fewer things.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="Of ours: auto, fp32 or bf16.")] = "auto",
    work: Annotated[Path, typer.Option(help="Folder for scenes, kept.")] = Path("runs/bench"),
    peer_python: Annotated[
        Path | None,
        typer.Option(help="A Python with TensorFlow. [default: .venv-peer's, or this one]"),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table of the record OUT, measure nothing.")
    ] = False,
) -> None:
    """Measure ours against a Keras twin of the reference and against the machine."""
    try:
        if markdown:
            typer.echo(table.markdown(read_record(out)))
            return
        chosen = resolve_device(device)
        python = find_python(peer_python)
        if python is None:
            typer.echo(
                "The Keras twin is missing: no Python with TensorFlow was found. Ours is measured "
                'alone; for the twin, in an environment of its own: pip install "tensorflow-cpu", '
                "and say which with --peer-python.",
                err=True,
            )
        plan = Plan(chosen, resolve_precision(precision, chosen), quick, work)
        record = measure(plan, python)
        write_bytes(out, (json.dumps(record, indent=1) + "\n").encode(), overwrite=True)
        typer.echo(table.markdown(record))
        typer.echo(f"record: {out}; roofline: {work / 'roofline.png'}", err=True)
    except (CloudMaskError, OSError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    typer.run(main)
