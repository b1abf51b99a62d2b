"""Typed configuration with clear words where it does not fit."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from slstr_cloudmask.errors import ConfigError

Config = TypeVar("Config", bound=BaseModel)


def validated(model: type[Config], content: Mapping[str, Any], where: str) -> Config:
    """Return ``content`` as ``model``.

    Parameters
    ----------
    model
        A pydantic model that forbids unknown keys.
    content
        Keys and values.
    where
        File or command that they come from.

    Raises
    ------
    ConfigError
        An unknown key, with the nearest known one, or a value that cannot be.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = [_explain(model, item["loc"], item["type"], item["msg"]) for item in error.errors()]
        raise ConfigError(f"{where}: " + "; ".join(lines)) from error


def _explain(model: type[BaseModel], location: Sequence[int | str], kind: str, message: str) -> str:
    name = ".".join(map(str, location))
    if kind != "extra_forbidden":
        return f"{name}: {message}"
    close = difflib.get_close_matches(str(location[-1]), _field_names(model), n=1)
    return f"{name}: unknown key" + (f", did you mean {close[0]}?" if close else "")


def _field_names(model: type[BaseModel]) -> list[str]:
    names = list(model.model_fields)
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names += field.annotation.model_fields
    return names
