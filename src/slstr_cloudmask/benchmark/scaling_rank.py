"""One process of a launch that measures scaling; the first of them writes the answer.

    torchrun --standalone --nproc-per-node 2 -m slstr_cloudmask.benchmark.scaling_rank TASK ANSWER

It trains by the package's own loop, and masks as the benchmark does: what is timed is what runs.
"""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import distributed

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.benchmark.inference import infer_scenes
from slstr_cloudmask.benchmark.scaling_task import AllReduce, Answer, Measured, Task
from slstr_cloudmask.detectors.network import Network
from slstr_cloudmask.errors import CloudMaskError, InputError
from slstr_cloudmask.events import Event
from slstr_cloudmask.network.device import resolve_precision
from slstr_cloudmask.training.distribution import Ranks, joined, launched_device
from slstr_cloudmask.training.loop import TrainResult, train
from slstr_cloudmask.training.split import split_scenes
from slstr_cloudmask.training.store import PackedScene, Store, open_store

ALL_REDUCE_RUNS = 20  # after three that count for nothing
FLOAT_BYTES = 4
# Steps after which losses are compared: later, rounding has grown. In fp32, with all the network's
# channels, one rank and two differed by 2e-6 after 6 steps, by 3e-3 after 12, by 5e-2 after 36.
CHECKED_STEPS = 4


class Stopwatch:
    """Hears the loop and takes the time of its epochs, all ranks together."""

    def __init__(self, ranks: Ranks) -> None:
        self.seconds: list[float] = []
        self._ranks = ranks
        self._started = 0.0

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        if event.name == "epoch_start":
            self._ranks.wait()
            self._started = time.perf_counter()
        elif event.name == "epoch_stop":  # the loop has just summed the loss over ranks: all done
            self.seconds.append(time.perf_counter() - self._started)


def measure(task: Task, device: torch.device, ranks: Ranks) -> Answer:
    """Measure a task; every rank calls this.

    Raises
    ------
    InputError
        Something that the user can mend: no memory, no labels, a scene that cannot be read.
    """
    measured = {"training": _measure_training, "inference": _measure_inference}
    return measured[task.kind](task, device, ranks)


def _measure_training(task: Task, device: torch.device, ranks: Ranks) -> Answer:
    if task.store is None:
        raise InputError("A task of training names no store.")
    patches = task.steps * task.train.batch_size
    whole, watch = open_store(task.store), Stopwatch(ranks)
    few = part_of(whole, task, min(task.steps, CHECKED_STEPS) * task.train.batch_size)
    once = task.train.model_copy(update={"epochs": 1})
    first = train(once, few, device=device, ranks=ranks)
    store = part_of(whole, task, patches)
    result = train(task.train, store, device=device, ranks=ranks, listen=watch)
    parameters = sum(tensor.numel() for tensor in result.network.parameters())
    return Answer(
        items=patches,
        steps=task.steps,
        seconds=tuple(watch.seconds[1:]),
        warm_up_seconds=watch.seconds[0],
        first_losses=_losses(first)[0],
        losses=_losses(result),
        precision=result.precision,
        all_reduce=_time_all_reduce(parameters, device, ranks),
    )


def _losses(result: TrainResult) -> tuple[tuple[float, float], ...]:
    """Return losses of training and validation by epoch."""
    history = result.state.history
    return tuple((epoch["train_loss"], epoch["validation_loss"]) for epoch in history)


def part_of(store: Store, task: Task, patches: int) -> Store:
    """Return a store of two scenes: the first ``patches`` to train on, a few more to validate.

    Raises
    ------
    InputError
        It holds no more than that.
    """
    there = store.manifest.patches
    if there <= patches:
        raise InputError(
            f"{task} takes {patches} patches and one more to validate on, and the store "
            f"{task.store} holds {there}."
        )
    few = min(task.train.batch_size, there - patches)
    timed = PackedScene(name="timed", first=0, count=patches)
    checked = PackedScene(name="checked", first=patches, count=few)
    train_scenes, _ = split_scenes(
        2, task.train.train_split, rule=task.train.split, seed=task.train.seed
    )
    scenes = (timed, checked) if train_scenes[0] == 0 else (checked, timed)
    return replace(store, manifest=store.manifest.model_copy(update={"scenes": scenes}))


def _time_all_reduce(parameters: int, device: torch.device, ranks: Ranks) -> tuple[AllReduce, ...]:
    """Time the sum of one number and of all gradients, by themselves."""
    if ranks.world_size == 1:
        return ()
    timed = []
    for count in (1, parameters):
        values = torch.zeros(count, device=device)
        runs = [
            _timed(partial(distributed.all_reduce, values), device, ranks)
            for _ in range(3 + ALL_REDUCE_RUNS)
        ]
        timed.append(AllReduce(bytes=FLOAT_BYTES * count, seconds=statistics.median(runs[3:])))
    return tuple(timed)


def _measure_inference(task: Task, device: torch.device, ranks: Ranks) -> Answer:
    if task.model is None:
        raise InputError("A task of inference names no model.")
    mine = task.scenes[ranks.rank :: ranks.world_size]
    precision = resolve_precision(task.train.precision, device)
    detector = Network(task.model, device=str(device), precision=precision, scenes=len(mine))

    def mask() -> None:
        for name, reason in infer_scenes(mine, detector).failed.items():
            raise InputError(f"{name} could not be masked: {reason} Mend or remove the scene.")
        ranks.wait()

    runs = [_timed(mask, device, ranks) for _ in range(1 + task.repeats)]
    return Answer(
        items=len(task.scenes),
        seconds=tuple(runs[1:]),
        warm_up_seconds=runs[0],
        precision=precision,
    )


def _timed(work: Callable[[], object], device: torch.device, ranks: Ranks) -> float:
    """Return the seconds of work that all ranks begin together."""
    ranks.wait()
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def main() -> None:
    """Read the task, measure, and write the answer."""
    task_path, place = map(Path, sys.argv[1:])
    try:
        task = Task.model_validate_json(task_path.read_text())
        device = launched_device(task.device)
        with joined(device) as ranks:
            answer = measure(task, device, ranks)
            if ranks.is_first:
                measured = Measured(task=task, answer=answer)
                write_bytes(place, measured.model_dump_json(indent=1).encode(), overwrite=True)
    except CloudMaskError as error:
        sys.exit("cloudmask: " + " ".join(str(error).split()))


if __name__ == "__main__":
    main()
