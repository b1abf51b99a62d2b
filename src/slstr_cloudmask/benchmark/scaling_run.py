"""``cloudmask scaling`` from beginning to end: measure, compare, predict, write down.

    document = run_scaling(output, machine="h200-infiniband")     # predicts, and measures nothing

``scaling.json`` is written last, and again by every run: what it holds follows from the answers of
the launches, which are kept.
"""

import json
from pathlib import Path
from typing import Any

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.benchmark.config import BenchmarkConfig, load_recipe
from slstr_cloudmask.benchmark.environment import hardware, software
from slstr_cloudmask.benchmark.scaling import measure_scaling
from slstr_cloudmask.benchmark.scaling_document import compose_scaling
from slstr_cloudmask.benchmark.scaling_machine import load_machine
from slstr_cloudmask.benchmark.scaling_plan import Request, plan_scaling
from slstr_cloudmask.benchmark.scaling_prediction import Here, describe, measured_model, validate
from slstr_cloudmask.benchmark.scaling_published import PEARL_NAME, published_rows
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.network.device import resolve_device
from slstr_cloudmask.training.distribution import Ranks

SCALING_NAME = "scaling.json"
FORMAT_VERSION = 1


def scaling_config(
    recipe: str | Path, source: Path, settings: list[str], *, batch_size: int | None = None
) -> BenchmarkConfig:
    """Read a recipe for a measurement: its folders of scenes are ``source``, and not used.

    Raises
    ------
    ConfigError, MissingFileError
        See `load_recipe`.
    """
    # JSON is YAML, whatever stands in the path.
    place = json.dumps(str(source))
    said = [f"train_dir={place}", f"inference_dir={place}", *settings]
    if batch_size is not None:
        said.append(f"train.batch_size={batch_size}")
    return load_recipe(recipe, said)


def _measured(output: Path) -> dict[str, Any]:
    """Return what an earlier run in this folder wrote: a prediction alone takes nothing away."""
    path = output / SCALING_NAME
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def run_scaling(
    output: Path,
    *,
    request: Request | None = None,
    config: BenchmarkConfig | None = None,
    machine: str | Path | None = None,
    batch_size: int = 32,
    device: str = "auto",
    overwrite: bool = False,
) -> dict[str, Any]:
    """Measure, predict, and write ``scaling.json``.

    Parameters
    ----------
    output
        Folder of the result and of what is kept.
    request, config
        What is to be measured, and how is trained; without them nothing is measured.
    machine
        Name or file of a machine to predict for.
    batch_size
        Of a prediction without measurement.
    device
        ``auto``, ``cpu`` or ``cuda``.
    overwrite
        Measure everything again.

    Returns
    -------
    dict
        The document.

    Raises
    ------
    InputError
        There is nothing to do, not one launch ended well, or see `plan_scaling` and `describe`.
    WriteError
        The operating system refused to write; what was measured is kept.
    """
    asked = None if machine is None else load_machine(machine)
    document: dict[str, Any] = {**_measured(output), "format_version": FORMAT_VERSION}
    here: Here | None = None
    if request is not None and config is not None:
        plan = plan_scaling(config, request, output, device=device)
        found = measure_scaling(plan, output, overwrite=overwrite)
        if not found.answers:
            raise InputError("Nothing could be measured. " + " ".join(found.failed.values()))
        batch_size = config.train.batch_size
        here = measured_model(plan, found)
        document |= {
            "hardware": hardware(resolve_device(device), Ranks()),
            "software": software(),
            **compose_scaling(plan, found),
            "validation": validate(plan, found, here),
        }
    elif asked is None:
        raise InputError(
            "There is nothing to do: name a store or scenes to measure, or a machine to predict "
            "for (--predict)."
        )
    if asked is not None:
        document["prediction"] = describe(asked, batch_size=batch_size, here=here)
    document["published"] = {"name": PEARL_NAME, "rows": published_rows()}
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    write_bytes(output / SCALING_NAME, text.encode(), overwrite=True)
    return document
