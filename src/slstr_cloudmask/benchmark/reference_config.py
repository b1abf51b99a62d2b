"""The reference's ``cloudMaskConfig.yaml``, read as the same run of ours.

    content = read_reference(yaml.safe_load(text), "cloudMaskConfig.yaml")

Three forms are in use: flat, as published (mlcommons/science, benchmarks/cloudmask); in sections,
as the universities' variants (laszewsk/mlcommons, target/*); and the same with dotted names,
``experiment.epoch``, as their ``FlatDict`` writes it. All mean the recipe ``reference`` with the
values that the file names. What has no meaning here is said aloud, key by key; an unknown key is an
error.
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from slstr_cloudmask.errors import ConfigError
from slstr_cloudmask.validation import UserPath, validated

logger = logging.getLogger(__name__)

# Under which names a value may stand; the first that is there counts.
NAMES: dict[str, tuple[str, ...]] = {
    "train_dir": ("train_dir", "data.training"),
    "inference_dir": ("inference_dir", "data.inference"),
    "output_dir": ("output_dir", "output.directory", "data.output"),
    "model_file": ("model_file", "output.model_file", "data.model"),
    "log_file": ("log_file", "output.log_file", "log.file"),
    "mlperf_logfile": ("mlperf_logfile", "output.mlperf_logfile", "log.mlperf"),
    "epochs": ("epochs", "experiment.epoch"),
    "early_stoppage": ("experiment.early_stoppage",),
    "early_stoppage_patience": ("experiment.early_stoppage_patience",),
    "training_loss": ("training_loss", "training.loss"),
    "training_metrics": ("training_metrics", "training.metrics"),
    "mask": ("mask",),
    "benchmark": ("benchmark", "submission.benchmark", "submission.name"),
    "organisation": ("organisation", "submission.org"),
    "division": ("division", "submission.division"),
    "status": ("status", "submission.status"),
    "platform": ("platform", "submission.platform", "system.platform"),
    **{name: (name, f"image.{name}") for name in ("PATCH_SIZE", "CROP_SIZE", "N_CHANNELS")},
    **{
        name: (name, f"experiment.{name}")
        for name in ("seed", "learning_rate", "batch_size", "train_split")
    },
}

# Read by the reference too, and used by nothing there.
UNUSED = {"MIN_SST", "clip_offset"}

_LAUNCHER = "found from the launcher (torchrun)"
_QUEUE = "it is for the queue and the machine, not for the run"
_FOLDER = "--output names the folder of a run"
_VERSION = "the log states the rules that are followed and the code that ran"
# Keys, by their last name, and whole sections that have no meaning here, and why.
LOST = {
    "IMAGE_H": "taken from each file",
    "IMAGE_W": "taken from each file",
    "no_cache": "patches are packed once and mapped into memory, whatever it says",
    "nodes": _LAUNCHER,
    "gpu": _LAUNCHER,
    "accelerators_per_node": _LAUNCHER,
    "version": _VERSION,
    "github_commit_version": _VERSION,
    "submitter": "the log has no line for it",
    "email": "the log has no line for it",
    "name": _FOLDER,
    "identifier": _FOLDER,
    "repeat": "say --repeats, or another seed",
    **dict.fromkeys(("card_name", "directive", "gpu_count", "cpu_num", "mem"), _QUEUE),
}
LOST_SECTIONS = dict.fromkeys(("sbatch", "ee", "run", "system"), _QUEUE)
SECTIONS = ("data", "experiment", "image", "log", "output", "submission", "training")
_MARKS = {"model_file", "PATCH_SIZE", "image.PATCH_SIZE", "experiment.epoch"}
_PLACEHOLDER = re.compile(r"\{([\w.-]+)\}")
_DEPTH = 10  # of placeholders within placeholders


class ReferenceConfig(BaseModel):
    """What the reference's file says that has a meaning here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train_dir: UserPath
    inference_dir: UserPath
    output_dir: UserPath
    model_file: UserPath | None = None
    log_file: UserPath | None = None
    mlperf_logfile: UserPath | None = None
    PATCH_SIZE: int
    CROP_SIZE: int
    N_CHANNELS: Literal[9] = 9
    seed: int
    learning_rate: float
    epochs: int
    batch_size: int
    train_split: float
    early_stoppage: bool = False
    early_stoppage_patience: int = 25
    training_loss: Literal["binary_crossentropy"] = "binary_crossentropy"
    training_metrics: Literal["accuracy"] = "accuracy"
    mask: Literal["float"] = "float"
    benchmark: str = "cloudmask"
    organisation: str = "unknown"
    division: str = "open"
    status: str = "research"
    platform: str = "unknown"

    def to_benchmark(self) -> dict[str, Any]:
        """Return what the file says as fields of `BenchmarkConfig`."""
        return {
            "train_dir": self.train_dir,
            "inference_dir": self.inference_dir,
            "output_dir": self.output_dir,
            # The reference keeps one Keras file; the same place and name, as our folder.
            "model_dir": self.model_file and self.model_file.with_suffix(""),
            "log_file": self.log_file,
            "mlperf_logfile": self.mlperf_logfile,
            "masks_dir": self.output_dir,
            "train": {
                "epochs": self.epochs,
                "batch_size": self.batch_size,
                "learning_rate": self.learning_rate,
                "train_split": self.train_split,
                "seed": self.seed,
                "patience": self.early_stoppage_patience if self.early_stoppage else None,
            },
            "data": {"patch_size": self.PATCH_SIZE, "crop_size": self.CROP_SIZE},
            "submission": {
                "benchmark": self.benchmark,
                "org": self.organisation,
                "division": self.division,
                "status": self.status,
                "platform": self.platform,
            },
        }


def is_reference(content: Mapping[str, Any]) -> bool:
    """Whether these are the keys of the reference's file, in any of its forms."""
    return any(key in _MARKS for key, _ in _flat(content))


def read_reference(
    content: Mapping[str, Any], where: str, *, output: Path | None = None
) -> dict[str, Any]:
    """Return what the reference's file says as fields of `BenchmarkConfig`.

    Parameters
    ----------
    content
        The file's keys, flat, in sections or dotted.
    where
        The file, for messages.
    output
        Output folder instead of the file's.

    Raises
    ------
    ConfigError
        An unknown key, one that is said twice or holds several values, a value that cannot be, or
        a placeholder that nothing fills.
    """
    file = _File(_once(content, where), where)
    values = file.values()
    if output is not None:
        values["output_dir"] = output
    return validated(ReferenceConfig, values | file.rest(), where).to_benchmark()


class _File:
    """A flat file, of which is noted what was used."""

    def __init__(self, flat: dict[str, Any], where: str) -> None:
        self.flat = flat
        self.where = where
        self.used = set(UNUSED)

    def values(self) -> dict[str, Any]:
        """Return the values that have a meaning here, by our names for them."""
        values = {}
        for name, names in NAMES.items():
            there = [key for key in names if key in self.flat]
            self.used.update(there)
            for key in there[1:]:
                if self.flat[key] != self.flat[there[0]]:
                    self._warn(key, f"{there[0]} says otherwise, and counts")
            if there:
                values[name] = self._filled(there[0])
        return values

    def rest(self) -> dict[str, Any]:
        """Say which of the other keys are lost, and why; return those that are not known."""
        unknown = {}
        sections = set()
        for key, value in self.flat.items():
            section, _, last = key.rpartition(".")
            if key in self.used or last in UNUSED:
                continue
            if key.partition(".")[0] in LOST_SECTIONS:
                sections.add(key.partition(".")[0])
            elif last in LOST and section in ("", *SECTIONS):
                self._warn(key, LOST[last])
            else:
                unknown[key] = value
        for section in sorted(sections):
            self._warn(f"{section}.*", LOST_SECTIONS[section])
        return unknown

    def _filled(self, key: str) -> Any:
        """Return a value with its placeholders, ``{data.scratch}`` or ``{os.USER}``, filled in."""
        value = self.flat[key]
        for _ in range(_DEPTH):
            if not isinstance(value, str) or not _PLACEHOLDER.search(value):
                break
            value = _PLACEHOLDER.sub(lambda found: self._replacement(key, found[1]), value)
        else:
            raise ConfigError(f"{self.where}: {key} is filled in from itself: {self.flat[key]}.")
        if isinstance(value, str) and key.startswith("experiment.") and "," in value:
            raise ConfigError(
                f"{self.where}: {key} holds several values, {value}, one for each of several runs: "
                "write the one that is meant, or give them to cloudmask sweep."
            )
        return value

    def _replacement(self, key: str, name: str) -> str:
        if name.startswith("os.") and name[3:] in os.environ:
            return os.environ[name[3:]]
        if name in self.flat:
            self.used.add(name)
            return str(self.flat[name])
        what = f"environment variable {name[3:]}" if name.startswith("os.") else f"key {name}"
        raise ConfigError(
            f"{self.where}: {key} is {self.flat[key]!r}, and there is no {what}: "
            "write the value itself."
        )

    def _warn(self, key: str, why: str) -> None:
        logger.warning("%s: %s has no effect: %s.", self.where, key, why)


def _once(content: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the keys flat, dotted, each of them once."""
    flat: dict[str, Any] = {}
    for key, value in _flat(content):
        if key in flat and flat[key] != value:
            raise ConfigError(f"{where}: {key} is said twice, as {flat[key]} and as {value}.")
        flat[key] = value
    return flat


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
