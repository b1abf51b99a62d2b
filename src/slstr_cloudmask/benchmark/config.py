"""What a benchmark run is told: recipes, our own files, and the reference's.

    config = load_recipe("open", ["data.root=data", "seed=7"])

A recipe is a YAML file with fields of `BenchmarkConfig`; four ship with the package, in
``recipes/``. The reference's ``cloudMaskConfig.yaml`` is recognised by its keys and keeps its
meaning (see ``reference_config``). Unknown keys are errors in both.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from slstr_cloudmask.benchmark.reference_config import is_reference, read_reference
from slstr_cloudmask.benchmark.settings import full_key as full_key_of
from slstr_cloudmask.benchmark.settings import with_settings
from slstr_cloudmask.errors import MissingFileError
from slstr_cloudmask.training.config import TrainConfig
from slstr_cloudmask.training.run import DataConfig
from slstr_cloudmask.validation import UserPath, expanded, read_yaml, validated

RECIPES = Path(__file__).parents[1] / "recipes"
# Folders of training and of test scenes: as published since 2026, and before.
PARTS = (("training", "inference"), ("one-day", "ssts"))


class Submission(BaseModel):
    """Who submits what; rendered as the ``submission_*`` lines of the MLPerf log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    benchmark: str = "cloudmask"
    org: str = "unknown"
    division: str = "open"
    status: str = "research"
    platform: str = "unknown"


class BenchmarkData(DataConfig):
    """What is learnt from each scene, and where the scenes are.

    Attributes
    ----------
    root
        A folder of the whole set: ``training`` and ``inference``, or ``one-day`` and ``ssts``. It
        gives ``train_dir`` and ``inference_dir`` where these are not named.
    store
        A packed store (``cloudmask pack``) to train on instead of packing scenes.
    """

    root: UserPath | None = None
    store: UserPath | None = None


class BenchmarkConfig(BaseModel):
    """A benchmark run.

    Attributes
    ----------
    recipe
        Name of the recipe that it was made from, or of the file.
    train_dir, inference_dir
        Folders of scenes, searched recursively; ``data.root`` gives both.
    output_dir
        Where everything goes that is not named below.
    model_dir, log_file, mlperf_logfile, masks_dir
        By default ``model/``, ``cloudmask.log``, ``mlperf.log`` and ``masks/`` in ``output_dir``.
    train, data
        How is trained, and what is learnt from each scene.
    inference_mode
        ``scene``: a whole scene in one pass; ``patches``: as the reference.
    score_empty
        Score what the network says of pixels that nobody saw, in the published metric, as the
        reference does; if false they are clear. As there, one scene then comes after the other.
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

    recipe: str | None = None
    train_dir: UserPath = Field(description="a folder of scenes to train on, or say data.root=DIR")
    inference_dir: UserPath = Field(description="a folder of test scenes, or say data.root=DIR")
    output_dir: UserPath
    model_dir: UserPath | None = None
    log_file: UserPath | None = None
    mlperf_logfile: UserPath | None = None
    masks_dir: UserPath | None = None
    train: TrainConfig = Field(default_factory=TrainConfig)
    data: BenchmarkData = Field(default_factory=BenchmarkData)
    inference_mode: Literal["scene", "patches"] = "scene"
    score_empty: bool = False
    mask_format: Literal["netcdf", "reference"] = "netcdf"
    baselines: tuple[Literal["thresholds"], ...] = ("thresholds",)
    on_failed_scene: Literal["go_on", "stop"] = "go_on"
    cache_cleared: bool = False
    submission: Submission = Field(default_factory=Submission)

    @model_validator(mode="before")
    @classmethod
    def _find_parts(cls, content: Any) -> Any:
        """Fill in the folders of scenes that are not named."""
        if not isinstance(content, Mapping):
            return content
        named = {key: value for key, value in content.items() if value is not None}
        return {**_parts(content.get("data")), **named}

    @model_validator(mode="after")
    def _check(self) -> "BenchmarkConfig":
        if self.model_dir == self.output_dir:
            raise ValueError("model_dir must not be output_dir itself")
        return self


def recipe_names() -> list[str]:
    """Return the names of the recipes that ship with the package."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def load_recipe(
    recipe: str | Path, settings: Sequence[str] = (), *, output: Path | None = None
) -> BenchmarkConfig:
    """Read a recipe by its name, or a configuration file by its path.

    Parameters
    ----------
    recipe
        ``reference``, ``open``, ``fast`` or ``smoke``; or the path of a YAML file.
    settings, output
        See `load_config`.

    Raises
    ------
    MissingFileError
        No such recipe and no such file.
    ConfigError
        See `load_config`.
    """
    if str(recipe) in recipe_names():
        return load_config(RECIPES / f"{recipe}.yaml", settings, output=output)
    if not Path(recipe).is_file():
        raise MissingFileError(
            f"There is no recipe {str(recipe)!r}: expected {', '.join(recipe_names())}, or the "
            "path of a YAML file."
        )
    return load_config(Path(recipe), settings, output=output)


def load_config(
    path: Path, settings: Sequence[str] = (), *, output: Path | None = None
) -> BenchmarkConfig:
    """Read a configuration file of either kind.

    Parameters
    ----------
    path
        A YAML file.
    settings
        ``key=value`` in our own names (see `full_key`), applied last.
    output
        Output folder, instead of the file's; ``runs/<name of the file>`` where neither says.

    Raises
    ------
    MissingFileError
        No such file.
    ConfigError
        Not YAML, an unknown key, or a value that cannot be.
    """
    content = _submitted(_read_yaml(path))
    if is_reference(content):
        said = read_reference(content, str(path), output=output)
        content = _merged(_read_yaml(RECIPES / "reference.yaml"), said)
    elif output is not None:
        content["output_dir"] = output
    content.setdefault("recipe", path.stem)
    content.setdefault("output_dir", Path("runs") / path.stem)
    return validated(BenchmarkConfig, apply_settings(content, settings), str(path))


def apply_settings(content: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """Return fields of `BenchmarkConfig` with ``key=value`` settings applied, the last one last.

    Raises
    ------
    ConfigError
        Not of that form, an unknown key, or a value that is not YAML.
    """
    return with_settings(BenchmarkConfig, content, settings)


def full_key(name: str) -> str:
    """Return the dotted name of a field: ``train.epochs`` for ``epochs``.

    Raises
    ------
    ConfigError
        No section has such a field, or several have.
    """
    return full_key_of(BenchmarkConfig, name)


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MissingFileError(
            f"There is no configuration file {path}: name one, or a recipe (--recipe "
            f"{', '.join(recipe_names())})."
        )
    return read_yaml(path, expected="those of a recipe, train and data say")


def _submitted(content: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a submission's file that says how was run; any other file as it is."""
    inner = content.get("configuration")
    return inner if isinstance(inner, dict) and "github" in content else content


def _merged(content: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return content with other values laid over it, section by section."""
    sections = {
        key: _merged(content[key], value)
        for key, value in over.items()
        if isinstance(value, Mapping) and isinstance(content.get(key), Mapping)
    }
    return {**content, **over, **sections}


def _parts(data: Any) -> dict[str, Path]:
    """Return the folders of scenes that the section ``data`` implies."""
    named = dict(data) if isinstance(data, Mapping | BaseModel) else {}
    found = {}
    # What is no path is left for the validation of the section itself.
    paths = {key: Path(value) for key, value in named.items() if isinstance(value, str | Path)}
    if "root" in paths:
        folder = expanded(paths["root"])
        # A set that is not there yet is looked for under its present names, the first.
        training, testing = max(
            PARTS, key=lambda names: sum((folder / name).is_dir() for name in names)
        )
        found = {"train_dir": folder / training, "inference_dir": folder / testing}
    if "store" in paths:
        found["train_dir"] = paths["store"]
    return found
