"""What happened and when: plain timed events, which the engine emits and never interprets.

The benchmark renders them as MLPerf log lines; the command line shows them as progress.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes
    ----------
    name
        ``epoch_start``, ``epoch_stop``, ``evaluation`` and so on.
    time_ns
        Nanoseconds since 1970.
    data
        Numbers and words that belong to it.
    """

    name: str
    data: dict[str, Any] = field(default_factory=dict)
    time_ns: int = field(default_factory=time.time_ns)


Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listen to nothing."""


def to_all(*listeners: Listener) -> Listener:
    """Return a listener that tells several, in this order."""

    def tell(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return tell
