"""Typed configuration with clear words where it does not fit."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ValidationError

from slstr_cloudmask.errors import ConfigError

Config = TypeVar("Config", bound=BaseModel)


def expanded(path: Path) -> Path:
    """Return a path as typed, with ``~`` for one's home.

    Raises
    ------
    ValueError
        It names the home of somebody who is not there.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError(f"{path}: {error}") from error


UserPath = Annotated[Path, AfterValidator(expanded)]


def read_yaml(path: Path, *, expected: str) -> dict[str, Any]:
    """Return the keys and values of a YAML file that is there.

    Parameters
    ----------
    path
        The file.
    expected
        Which keys it should hold, in words.

    Raises
    ------
    ConfigError
        It cannot be read, is not YAML, or holds no keys.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, ValueError) as error:  # the second: not text, or a date that is none
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds no keys: expected {expected}.")
    return content


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
    if kind == "missing":
        wanted = _description(model, location)
        return f"{name} is missing" + (f": {wanted}" if wanted else "")
    if kind != "extra_forbidden":
        message = message.removeprefix("Value error, ")
        return f"{name}: {message}" if name else message
    close = difflib.get_close_matches(str(location[-1]), _field_names(model), n=1)
    return f"{name}: unknown key" + (f", did you mean {close[0]}?" if close else "")


def _description(model: type[BaseModel], location: Sequence[int | str]) -> str | None:
    field = model.model_fields.get(str(location[0])) if len(location) == 1 else None
    return field.description if field else None


def _field_names(model: type[BaseModel]) -> list[str]:
    names = list(model.model_fields)
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names += field.annotation.model_fields
    return names
