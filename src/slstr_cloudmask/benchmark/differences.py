"""In which keys two configurations differ.

differences({"train": {"seed": 1}}, {"train": {"seed": 2}})   # ["train.seed"]
"""

from collections.abc import Mapping, Set
from typing import Any

# Where things lie, under which name, and who asks: none of it changes a number.
PLACES = frozenset(
    {
        *("train_dir", "inference_dir", "output_dir", "model_dir", "masks_dir"),
        *("log_file", "mlperf_logfile", "data.root", "data.store", "recipe", "submission"),
    }
)


def differences(
    first: Mapping[str, Any], second: Mapping[str, Any], ignoring: Set[str] = PLACES
) -> list[str]:
    """Return the dotted keys in which two configurations differ, but for some.

    Parameters
    ----------
    first, second
        Configurations as JSON holds them.
    ignoring
        Dotted keys and sections that are left out.
    """
    one, other = flat(first), flat(second)
    differing = (key for key in {**one, **other} if one.get(key) != other.get(key))
    return [key for key in differing if not ignoring & _with_sections(key)]


def flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested keys as dotted ones."""
    keys: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            keys |= flat(value, f"{prefix}{key}.")
        else:
            keys[f"{prefix}{key}"] = value
    return keys


def _with_sections(key: str) -> set[str]:
    """Return a key with the sections that it lies in."""
    parts = key.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
