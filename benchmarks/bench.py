#!/usr/bin/env python3
"""Measure everything in one run: ours, the Keras twin, the machine's ceilings.

    python benchmarks/bench.py [--quick] [--device auto] [--part NAME] [--out FILE] [--markdown]

Writes the record as JSON, whole after each part, and the roofline as PNG beside it, and prints the
tables. Started again, it goes on with the parts that are missing. Without TensorFlow it measures
ours and the machine alone, and says so.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import page
from benchmarks.layers import total_flop
from benchmarks.machine import quietness
from benchmarks.parts import NETWORK_SIZE, PARTS, Bench, Plan
from benchmarks.peer import find_python
from benchmarks.record import Record, read_record
from slstr_cloudmask.benchmark.environment import hardware, software
from slstr_cloudmask.errors import CloudMaskError, InputError
from slstr_cloudmask.network.device import resolve_device, resolve_precision
from slstr_cloudmask.training.distribution import Ranks


def head(plan: Plan) -> dict[str, Any]:
    """Return what is known before anything is measured."""
    return {
        "time": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "plan": plan.describe(),
        "precision": plan.precision,
        "hardware": hardware(plan.device, Ranks()),
        "software": software(),
        "warm_up": "the first run of each subject, listed as warm_up_s: tracing, compiling, caches",
        "scene_flop": total_flop(*NETWORK_SIZE),
        "scene_flop_published": total_flop(*NETWORK_SIZE, published=True),
    }


def measure(plan: Plan, record: Record, names: list[str]) -> None:
    """Measure the parts of these names that the record does not hold."""
    plan.work.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=plan.work)))
        bench = stack.enter_context(Bench(plan, scratch, record.content))
        for name in names:
            say(name if name not in record.content else f"{name}: there already")
            record.measure(name, partial(PARTS[name], bench), partial(watched, bench))


@contextmanager
def watched(bench: Bench) -> Iterator[dict[str, Any]]:
    """Watch how quiet the machine is, and on a GPU how much of its memory is held at most."""
    device = bench.plan.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with quietness(bench.twin_pid) as found:
        yield found
    if device.type == "cuda":
        found["gpu_peak_bytes"] = torch.cuda.max_memory_allocated(device)


def say(what: str) -> None:
    """Tell on stderr what is being measured."""
    typer.echo(f"measuring: {what}", err=True)


def chosen_parts(wanted: list[str]) -> list[str]:
    """Return the parts of these names in the order in which they run; all by default.

    Raises
    ------
    InputError
        There is no such part.
    """
    if unknown := set(wanted) - set(PARTS):
        raise InputError(f"Unknown part {min(unknown)!r}: expected any of {', '.join(PARTS)}.")
    return [name for name in PARTS if not wanted or name in wanted]


def main(
    out: Annotated[Path, typer.Option(help="The record.")] = Path("runs/bench/bench.json"),
    quick: Annotated[bool, typer.Option("--quick", help="Fewer runs of fewer things.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="Of ours: auto, fp32 or bf16.")] = "auto",
    part: Annotated[
        list[str] | None, typer.Option(help=f"Measure this alone: {', '.join(PARTS)}. [repeatable]")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Begin a new record, whatever is there.")
    ] = False,
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
            typer.echo(page.markdown(read_record(out)))
            return
        names = chosen_parts(part or [])
        chosen = resolve_device(device)
        python = find_python(peer_python)
        if python is None:
            typer.echo(
                "The Keras twin is missing: no Python with TensorFlow was found. Ours is measured "
                'alone; for the twin, in an environment of its own: pip install "tensorflow-cpu", '
                "and say which with --peer-python.",
                err=True,
            )
        plan = Plan(chosen, resolve_precision(precision, chosen), quick, work, python)
        record = Record.open(out, head(plan), again=again)
        measure(plan, record, names)
        typer.echo(page.markdown(record.content))
        typer.echo(f"record: {out}; roofline: {work / 'roofline.png'}", err=True)
    except (CloudMaskError, OSError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None
    if failed := set(record.content["failed"]) & set(names):
        typer.echo(f"Not measured: {', '.join(sorted(failed))}. Run it again for these.", err=True)
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
