"""What a benchmark run is told: our own typed configuration, or the reference's file.

Our own is YAML with the fields of `BenchmarkConfig`. The reference's ``cloudMaskConfig.yaml`` is
recognised by its keys and keeps its meaning: patches with cropped borders, empty pixels counted as
clear, a fixed number of epochs, the last weights kept. Unknown keys are errors in both.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from slstr_cloudmask.errors import ConfigError, MissingFileError
from slstr_cloudmask.training.loop import TrainConfig
from slstr_cloudmask.training.run import DataConfig
from slstr_cloudmask.validation import validated

UserPath = Annotated[Path, AfterValidator(Path.expanduser)]


class Submission(BaseModel):
    """Who submits what; rendered as the ``submission_*`` lines of the MLPerf log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    benchmark: str = "cloudmask"
    org: str = "unknown"
    division: str = "open"
    status: str = "research"
    platform: str = "unknown"


class BenchmarkConfig(BaseModel):
    """A benchmark run.

    Attributes
    ----------
    train_dir, inference_dir
        Folders of scenes, searched recursively.
    output_dir
        Where everything goes that is not named below.
    model_dir, log_file, mlperf_logfile, masks_dir
        By default ``model/``, ``cloudmask.log``, ``mlperf.log`` and ``masks/`` in ``output_dir``.
    train, data
        How is trained, and what is learnt from each scene.
    inference_mode
        ``scene``: a whole scene in one pass; ``patches``: as the reference.
    mask_format
        ``netcdf``: the package's own; ``reference``: an HDF5 file with a data set ``mask``.
    baselines
        Other detectors scored on the same scenes.
    on_failed_scene
        A scene that cannot be read is named; the run goes on without it, or stops.
    cache_cleared
        Whether the caches of the machine were flushed before the run, as the rules ask; logged.
    submission
        Who submits what.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    train_dir: UserPath
    inference_dir: UserPath
    output_dir: UserPath
    model_dir: UserPath | None = None
    log_file: UserPath | None = None
    mlperf_logfile: UserPath | None = None
    masks_dir: UserPath | None = None
    train: TrainConfig = Field(default_factory=TrainConfig)
    data: DataConfig = Field(default_factory=DataConfig)
    inference_mode: Literal["scene", "patches"] = "scene"
    mask_format: Literal["netcdf", "reference"] = "netcdf"
    baselines: tuple[Literal["thresholds"], ...] = ("thresholds",)
    on_failed_scene: Literal["go_on", "stop"] = "go_on"
    cache_cleared: bool = False
    submission: Submission = Field(default_factory=Submission)

    @model_validator(mode="after")
    def _check(self) -> "BenchmarkConfig":
        if self.model_dir == self.output_dir:
            raise ValueError("model_dir must not be output_dir itself")
        return self

    @property
    def faithful(self) -> bool:
        """Whether masks answer for empty pixels too, as the reference's do."""
        return not self.data.mask_empty


class ReferenceSubmission(BaseModel):
    """The ``submission`` section of the reference's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    benchmark: str = "cloudmask"
    org: str = "unknown"
    division: str = "open"
    version: str | float | None = None
    github_commit_version: str | float | None = None
    status: str = "research"
    platform: str = "unknown"


class ReferenceConfig(BaseModel):
    """The keys of the reference's ``cloudMaskConfig.yaml``.

    Read and without effect, as in the reference: ``MIN_SST``, ``clip_offset``, ``no_cache``.
    Found rather than believed: ``IMAGE_H``, ``IMAGE_W`` (from each file), ``nodes``, ``gpu`` and
    ``accelerators_per_node`` (from the launcher).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    train_dir: UserPath
    inference_dir: UserPath
    model_file: UserPath
    output_dir: UserPath
    log_file: UserPath
    mlperf_logfile: UserPath
    PATCH_SIZE: int
    CROP_SIZE: int
    seed: int
    learning_rate: float
    epochs: int
    batch_size: int
    train_split: float
    N_CHANNELS: Literal[9] = 9
    IMAGE_H: int | None = None
    IMAGE_W: int | None = None
    MIN_SST: float | None = None
    clip_offset: int | None = None
    no_cache: bool | None = None
    nodes: int | None = None
    gpu: int | None = None
    accelerators_per_node: int | None = None
    benchmark: str = "cloudmask"
    organisation: str = "unknown"
    division: str = "open"
    status: str = "research"
    platform: str = "unknown"
    submission: ReferenceSubmission | None = None

    def to_benchmark(self) -> dict[str, Any]:
        """Return the same run as fields of `BenchmarkConfig`."""
        return {
            "train_dir": self.train_dir,
            "inference_dir": self.inference_dir,
            "output_dir": self.output_dir,
            # The reference keeps one Keras file; the same place and name, as our folder.
            "model_dir": self.model_file.with_suffix(""),
            "log_file": self.log_file,
            "mlperf_logfile": self.mlperf_logfile,
            "masks_dir": self.output_dir,
            "train": {
                "epochs": self.epochs,
                "batch_size": self.batch_size,
                "learning_rate": self.learning_rate,
                "train_split": self.train_split,
                "seed": self.seed,
                "patience": None,
                "keep": "last",
            },
            "data": {
                "patch_size": self.PATCH_SIZE,
                "crop_size": self.CROP_SIZE,
                "mask_empty": False,
            },
            "inference_mode": "patches",
            "mask_format": "reference",
            "submission": {
                "benchmark": self.benchmark,
                "org": self.organisation,
                "division": self.division,
                "status": self.status,
                "platform": self.platform,
            },
        }


def load_config(path: Path, overrides: Sequence[str] = ()) -> BenchmarkConfig:
    """Read a configuration file of either kind.

    Parameters
    ----------
    path
        A YAML file.
    overrides
        ``key=value`` in our own names, ``train.epochs=3`` for one, applied last.

    Raises
    ------
    MissingFileError
        No such file.
    ConfigError
        Not YAML, an unknown key, or a value that cannot be.
    """
    if not path.is_file():
        raise MissingFileError(f"There is no configuration file {path}.")
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds no keys: expected train_dir, inference_dir, output_dir.")
    if "model_file" in content or "PATCH_SIZE" in content:
        content = validated(ReferenceConfig, content, str(path)).to_benchmark()
    for override in overrides:
        _apply(content, override)
    return validated(BenchmarkConfig, content, str(path))


def _apply(content: dict[str, Any], override: str) -> None:
    key, separator, value = override.partition("=")
    if not separator or not key:
        raise ConfigError(f"{override!r} is no setting: expected key=value, train.epochs=3 say.")
    *sections, name = key.split(".")
    for section in sections:
        content = content.setdefault(section, {})
        if not isinstance(content, dict):
            raise ConfigError(f"{override!r}: {section} is no section.")
    try:
        content[name] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"{override!r}: the value is not YAML.") from error
