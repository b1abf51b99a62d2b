"""Which launches a measurement of scaling takes: ranks, batches, threads.

    plan = plan_scaling(config, Request(source=store, ranks=(1, 2, 4)), output)
    [task.name for task in plan.tasks()]

Strong scaling shares one global batch among the ranks; weak scaling gives each of them a batch.
All epochs have equally many steps, so that on one rank the two are one launch.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field

from slstr_cloudmask.benchmark.config import BenchmarkConfig
from slstr_cloudmask.benchmark.environment import hardware
from slstr_cloudmask.benchmark.scaling_model import MODES, Mode
from slstr_cloudmask.benchmark.scaling_task import Task
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.find_scenes import find_scenes
from slstr_cloudmask.network.device import resolve_device
from slstr_cloudmask.network.model_file import ModelConfig, save_model
from slstr_cloudmask.training.config import TrainConfig
from slstr_cloudmask.training.distribution import Ranks
from slstr_cloudmask.training.run import STORE_NAME, check_sizes, prepare_store
from slstr_cloudmask.training.store import Store, is_store

MEASURED_NAME = "measured"
FRESH_MODEL_NAME = "fresh-model"  # its weights are random: they change no time


class Request(BaseModel):
    """What is to be measured.

    Attributes
    ----------
    source
        A packed store, or a folder of scenes to pack.
    scenes
        Folder of scenes to mask; those of ``source`` where it holds scenes.
    ranks
        Numbers of ranks.
    mode
        ``strong``, ``weak`` or ``both``.
    batches
        Steps of an epoch; fewer where the store holds no more.
    repeats
        Epochs, and rounds through the scenes, that count.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Path
    scenes: Path | None = None
    ranks: tuple[int, ...] = Field(min_length=1)
    mode: Literal["strong", "weak", "both"] = "both"
    batches: int = Field(default=16, ge=1)
    repeats: int = Field(default=3, ge=1)

    def modes(self) -> tuple[Mode, ...]:
        """Return what there is to measure of training."""
        return tuple(mode for mode in MODES if self.mode in (mode, "both"))


@dataclass(frozen=True)
class Plan:
    """Launches, and what each of them is for.

    Attributes
    ----------
    training
        By mode and number of ranks; on one rank both modes are the same task.
    small
        One rank with a small batch, which tells a step's overhead from its patches; None where
        one rank is not asked for, or a batch is one patch.
    inference
        By number of ranks.
    """

    training: dict[tuple[Mode, int], Task]
    small: Task | None
    inference: dict[int, Task]

    def tasks(self) -> list[Task]:
        """Return every task once."""
        small = [self.small] if self.small else []
        every = [*self.training.values(), *small, *self.inference.values()]
        return list({task.name: task for task in every}.values())


def plan_scaling(
    config: BenchmarkConfig, request: Request, output: Path, *, device: str = "auto"
) -> Plan:
    """Pack what is to be trained on, and say which launches there will be.

    Parameters
    ----------
    config
        How is trained, and what is learnt from each scene.
    request
        What is to be measured.
    output
        Folder for the packed store and the answers.
    device
        ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    InputError
        More ranks than GPUs, or a store that holds too few patches.
    MissingFileError
        There is no store and there are no scenes.
    ConfigError
        The store was packed with other settings.
    """
    where = resolve_device(device)
    _check_gpus(request.ranks, where)
    check_sizes(config.train, config.data)
    packed = is_store(request.source)
    sources = [request.source] if packed else find_scenes(request.source)
    to_mask = find_scenes(request.scenes) if request.scenes else [] if packed else sources
    store = prepare_store(
        sources,
        output / STORE_NAME,
        config.data,
        read=open_scene,
        ranks=Ranks(),
        jobs=_cores(),
    )
    facts = hardware(where, Ranks())
    base = Task(
        kind="training",
        ranks=1,
        # The same for every number of ranks: a rank stands for a device of so many cores.
        threads=max(1, _cores() // max(request.ranks)),
        device=where.type,
        machine=facts["accelerator"] or facts["processor"],
        repeats=request.repeats,
        train=_timed_config(config.train, store, request.repeats),
        store=request.source if packed else output / STORE_NAME,
        digest=store.manifest.sources_digest,
    )
    training, small = _training_tasks(base, request, store.manifest.patches)
    return Plan(training, small, _inference_tasks(base, config, request.ranks, to_mask, output))


def rank_counts(words: str) -> tuple[int, ...]:
    """Read numbers of ranks as they are typed: ``1,2,4``.

    Raises
    ------
    InputError
        Something else was typed.
    """
    try:
        counts = tuple(sorted({int(word) for word in words.split(",")}))
    except ValueError as error:
        raise InputError(f"{words!r} are no numbers of ranks: expected 1,2,4, say.") from error
    if counts[0] < 1:
        raise InputError(f"Expected numbers of ranks from 1 on, found {counts[0]} (--ranks).")
    return counts


def _check_gpus(ranks: Sequence[int], device: torch.device) -> None:
    if device.type == "cuda" and max(ranks) > (there := torch.cuda.device_count()):
        raise InputError(
            f"{max(ranks)} ranks were asked for, and this machine has {there} GPUs: ask for no "
            "more than that (--ranks), or for --device cpu, and let --predict say the rest."
        )


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _timed_config(train: TrainConfig, store: Store, repeats: int) -> TrainConfig:
    """Return how is trained while it is timed: no early stop, and whole batches."""
    # As for an epoch of the whole store, however few of its steps are timed.
    compiled = train.compiled(round(train.train_split * store.manifest.patches))
    return train.model_copy(
        update={
            "epochs": 1 + repeats,
            "patience": None,
            "keep": "last",
            "train_split": 0.5,  # of the two scenes that `scaling_rank.part_of` makes
            "order": "global",
            "drop_remainder": False,
            "compile": compiled,
        }
    )


def _training_tasks(
    base: Task, request: Request, patches: int
) -> tuple[dict[tuple[Mode, int], Task], Task | None]:
    """Return tasks by mode and ranks, and the one with a small batch."""
    batch, most = base.train.batch_size, max(request.ranks)
    largest = batch * (most if "weak" in request.modes() else 1)
    steps = min(request.batches, (patches - 1) // largest)
    if steps < 1:
        raise InputError(
            f"A step takes up to {largest} patches, one more is validated on, and {base.store} "
            f"holds {patches}: use a smaller --batch-size, fewer --ranks, --mode strong, or more "
            "scenes."
        )

    def task(ranks: int, batch_size: int) -> Task:
        train = base.train.model_copy(update={"batch_size": batch_size})
        return base.model_copy(update={"ranks": ranks, "steps": steps, "train": train})

    tasks = {
        (mode, ranks): task(ranks, batch * (ranks if mode == "weak" else 1))
        for mode in request.modes()
        for ranks in sorted(set(request.ranks))
    }
    wanted = 1 in request.ranks and batch > 1
    return tasks, task(1, batch // min(batch, max(2, most))) if wanted else None


def _inference_tasks(
    base: Task, config: BenchmarkConfig, ranks: Sequence[int], scenes: Sequence[Path], output: Path
) -> dict[int, Task]:
    """Return tasks by ranks, for as many as there are scenes, and write a model for them."""
    if not scenes:
        return {}
    model = output / MEASURED_NAME / FRESH_MODEL_NAME
    data = config.data.model_dump(include={"label", "radiometry", "patch_size", "crop_size"})
    described = ModelConfig(widths=config.train.widths, **data)
    save_model(described.build(), described, model, overwrite=True)
    task = base.model_copy(
        update={"kind": "inference", "scenes": tuple(scenes), "model": model, "store": None}
    )
    return {
        count: task.model_copy(update={"ranks": count})
        for count in sorted(set(ranks))
        if count <= len(scenes)
    }
