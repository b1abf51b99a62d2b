"""What a sweep tries, typed as ``key=values``.

    space = parse_space(["learning_rate=1e-4..1e-2:log", "batch_size=16,32,64"])
    space.is_grid    # False: between 1e-4 and 1e-2 there is no end of values

| typed | meaning |
| --- | --- |
| ``a,b,c`` | each of these; the items of a YAML list, so ``[4,8],[8,16]`` and ``"a,b",c`` are two |
| ``1..5`` | the integers from 1 to 5; ``:step=2`` takes every other one |
| ``0.1..0.5`` | any number between; ``:step=0.1`` makes it five |
| ``1e-4..1e-2:log`` | any number between, as likely in each decade |

Anything else is one fixed value.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from slstr_cloudmask.errors import ConfigError

_NUMBER = r"[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"\s*({_NUMBER})\.\.({_NUMBER})((?::[^:]*)*)\s*")
MAX_VALUES = 100_000  # of one key: more than that is a typing error


@dataclass(frozen=True)
class Dimension:
    """The values that one key takes.

    Attributes
    ----------
    key
        As it was typed.
    values
        All of them, where they can be counted; empty otherwise.
    low, high, step, log
        Of a range; ``low`` is None for a list.
    """

    key: str
    values: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    step: float | None = None
    log: bool = False

    @property
    def is_integer(self) -> bool:
        """Whether it is a range of integers."""
        return isinstance(self.low, int)

    @property
    def samples(self) -> tuple[Any, ...]:
        """Values that stand for all of them when they are checked."""
        return self.values or (self.low, self.high)


@dataclass(frozen=True)
class Space:
    """The keys that a sweep changes, and how often each point is repeated.

    Attributes
    ----------
    dimensions
        In the order typed; each has more than one value.
    repeats
        Numbers of the repeats, 1 for the configuration's own seed; ``(1,)`` without repeats.
    """

    dimensions: tuple[Dimension, ...]
    repeats: tuple[int, ...] = (1,)

    @property
    def is_grid(self) -> bool:
        """Whether there is an end of points, so that all of them can be tried."""
        return all(dimension.values for dimension in self.dimensions)

    @property
    def points(self) -> int:
        """Number of points of a grid."""
        return math.prod(len(dimension.values) for dimension in self.dimensions)

    def point(self, index: int) -> dict[str, Any]:
        """Return a point of the grid; the last key changes fastest."""
        point: dict[str, Any] = {}
        for dimension in reversed(self.dimensions):
            index, place = divmod(index, len(dimension.values))
            point[dimension.key] = dimension.values[place]
        return {dimension.key: point[dimension.key] for dimension in self.dimensions}


def split_settings(settings: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return which settings are fixed, and which are spaces; ``repeat`` always is.

    Raises
    ------
    ConfigError
        A setting is not of the form ``key=value``, or its range cannot be.
    """
    fixed: list[str] = []
    varied: list[str] = []
    for setting in settings:
        dimension = _dimension(setting)
        one = len(dimension.values) == 1 and dimension.key != "repeat"
        (fixed if one else varied).append(setting)
    return fixed, varied


def parse_space(settings: Sequence[str]) -> Space:
    """Read the settings that are spaces.

    Raises
    ------
    ConfigError
        A range that cannot be, a key that is there twice, or repeats that are no numbers.
    """
    dimensions = [_dimension(setting) for setting in settings]
    keys = [dimension.key for dimension in dimensions]
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise ConfigError(f"{twice[0]} is there twice: write its values in one setting.")
    repeats = next((one for one in dimensions if one.key == "repeat"), None)
    varied = tuple(one for one in dimensions if one is not repeats)
    return Space(varied, (1,) if repeats is None else _repeats(repeats))


def setting(key: str, value: Any) -> str:
    """Write one value as a setting; JSON is YAML."""
    return f"{key}={json.dumps(value, default=str)}"


def _repeats(dimension: Dimension) -> tuple[int, ...]:
    values = dimension.values
    if len(values) < 2 or not all(isinstance(value, int) and value >= 1 for value in values):
        raise ConfigError("repeat: expected numbers from 1 on, repeat=1..5 say for five seeds.")
    return values


def _dimension(setting: str) -> Dimension:
    key, separator, text = setting.partition("=")
    if not separator or not key.strip():
        raise ConfigError(
            f"{setting!r} is no setting: expected key=value, key=a,b,c or key=low..high."
        )
    if match := _RANGE.fullmatch(text):
        low, high, options = match.groups()
        return _range(setting, key.strip(), low, high, options)
    return Dimension(key.strip(), _list(setting, text))


def _list(setting: str, text: str) -> tuple[Any, ...]:
    """Return the items of a list, or the one value."""
    try:
        values = yaml.safe_load(f"[{text}]")
    except yaml.YAMLError as error:
        raise ConfigError(f"{setting!r}: the values are not YAML.") from error
    values = [_number(value) if isinstance(value, str) else value for value in values or [None]]
    if any(values.count(value) > 1 for value in values):
        raise ConfigError(f"{setting!r} holds a value twice.")
    return tuple(values)


def _number(text: str) -> Any:
    """Return a number that YAML takes for a word, 1e-3 say; a word as it is."""
    return float(text) if re.fullmatch(_NUMBER, text) else text


def _range(setting: str, key: str, first: str, last: str, options: str) -> Dimension:
    log, step_text = _options(setting, options)
    texts = [first, last, *([step_text] if step_text else [])]
    kind = int if all(re.fullmatch(r"[-+]?\d+", text) for text in texts) else float
    low, high, *rest = (kind(text) for text in texts)
    step = rest[0] if rest else None
    if not low < high or not math.isfinite(high - low):
        raise ConfigError(f"{setting!r}: expected the smaller number first.")
    if log and (low <= 0 or step is not None):
        raise ConfigError(f"{setting!r}: a logarithmic range starts above 0 and has no step.")
    if step is not None and step <= 0:
        raise ConfigError(f"{setting!r}: expected a step above 0.")
    if kind is int and not log:
        step = step or 1
    values = _steps(setting, low, high, step) if step is not None else ()
    return Dimension(key, values, low, high, step, log)


def _options(setting: str, options: str) -> tuple[bool, str | None]:
    log, step = False, None
    for option in options.split(":")[1:]:
        name, _, value = option.partition("=")
        if option == "log":
            log = True
        elif name == "step" and re.fullmatch(_NUMBER, value):
            step = value
        else:
            raise ConfigError(f"{setting!r}: expected :log or :step=NUMBER after the range.")
    return log, step


def _steps(setting: str, low: float, high: float, step: float) -> tuple[Any, ...]:
    count = math.floor((high - low) / step * (1 + 1e-12)) + 1
    if count > MAX_VALUES:
        raise ConfigError(f"{setting!r}: {count} values are too many; take a larger step.")
    # Rounded to what was typed, so that 0.1..0.5:step=0.1 holds 0.3 and no 0.30000000000000004.
    return tuple(
        low + i * step if isinstance(low, int) else round(low + i * step, 12) for i in range(count)
    )
