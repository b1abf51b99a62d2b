"""Settings typed as ``key=value``: which field of a configuration each one means.

    full_key(BenchmarkConfig, "epochs")                      # "train.epochs"
    with_settings(BenchmarkConfig, content, ["epochs=3"])    # content, with 3 epochs

A key is dotted, ``train.epochs``, or the name of a field that only one section has.
"""

import copy
import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from pydantic import BaseModel

from slstr_cloudmask.errors import ConfigError


def full_key(model: type[BaseModel], name: str) -> str:
    """Return the dotted name of a field.

    Parameters
    ----------
    model
        The configuration.
    name
        A dotted name, which is returned as it is, or that of a field in one of the sections.

    Raises
    ------
    ConfigError
        No section has such a field, or several have.
    """
    if "." in name or name in model.model_fields:
        return name
    keys = list(_keys(model))
    found = [key for key in keys if key.rpartition(".")[2] == name]
    if len(found) > 1:
        raise ConfigError(f"{name} could be {' or '.join(found)}: write the one that is meant.")
    if not found:
        last_names = {key.rpartition(".")[2]: key for key in keys}
        close = difflib.get_close_matches(name, last_names, n=1)
        hint = f", did you mean {last_names[close[0]]}?" if close else ""
        raise ConfigError(f"{name}: unknown key{hint}")
    return found[0]


def with_settings(
    model: type[BaseModel], content: Mapping[str, Any], settings: Sequence[str]
) -> dict[str, Any]:
    """Return ``content`` with settings applied, the last one last.

    Parameters
    ----------
    model
        The configuration that the content is of.
    content
        Keys and values, sections as mappings; it is left as it is.
    settings
        ``key=value`` each; the value is YAML: ``7``, ``null``, ``[4, 8]``.

    Raises
    ------
    ConfigError
        Not of that form, an unknown key, or a value that is not YAML.
    """
    changed = copy.deepcopy(dict(content))
    for setting in settings:
        _apply(model, changed, setting)
    return changed


def _apply(model: type[BaseModel], content: dict[str, Any], setting: str) -> None:
    key, separator, text = setting.partition("=")
    if not separator or not key:
        raise ConfigError(f"{setting!r} is no setting: expected key=value, epochs=3 say.")
    *sections, name = full_key(model, key.strip()).split(".")
    for section in sections:
        if content.get(section) is None:
            content[section] = {}
        content = content[section]
        if not isinstance(content, dict):
            raise ConfigError(f"{setting!r}: {section} is no section.")
    try:
        content[name] = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # the second: a date that is none
        raise ConfigError(f"{setting!r}: the value is not YAML.") from error


def _keys(model: type[BaseModel]) -> Iterator[str]:
    """Yield the dotted names of all fields, without the sections themselves."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from (f"{name}.{key}" for key in _keys(field.annotation))
        else:
            yield name
