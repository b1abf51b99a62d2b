"""A run in several sittings, told as one.

    told: list[Event] = []
    for event in log.events:
        told = take(told, event)

A run that is stopped or killed goes on in another sitting, which stages and begins again and
repeats the epoch that was not finished. As one run, what was said once stands, with its time: the
run starts when its first sitting did. An epoch that begins again voids what was said of it before.
How a sitting ended that was stopped does not count once there is another.
"""

from collections.abc import Hashable, Iterable, Sequence

from slstr_cloudmask.benchmark.event_log import SITTING_START
from slstr_cloudmask.events import Event


def take(told: list[Event], event: Event) -> list[Event]:
    """Return the events of one run with one more; ``told`` itself if that changes nothing."""
    if event.name == SITTING_START:
        return [one for one in told if one.data.get("status") != "aborted"]
    if event.name == "epoch_start":
        told = told[: _first_voided(told, event.data["epoch"])]
    elif any(_subject(one) == _subject(event) for one in told):
        return told
    return [*told, event]


def seconds_of(stage: str, events: Iterable[Event]) -> float:
    """Return the seconds that a stage took in all sittings together.

    In a sitting that was killed it ends with the last event.
    """
    return sum(_seconds_within(stage, sitting) for sitting in _by_sitting(events))


def _first_voided(told: Sequence[Event], epoch: int) -> int:
    for number, event in enumerate(told):
        if event.data.get("epoch", 0) >= epoch or event.data.get("set") == "test":
            return number
    return len(told)


def _subject(event: Event) -> Hashable:
    return event.name, *map(event.data.get, ("epoch", "set", "scene"))


def _by_sitting(events: Iterable[Event]) -> list[list[Event]]:
    sittings: list[list[Event]] = []
    for event in events:
        if event.name == SITTING_START or not sittings:
            sittings.append([])
        sittings[-1].append(event)
    return sittings


def _seconds_within(stage: str, sitting: Sequence[Event]) -> float:
    starts = [event.time_ns for event in sitting if event.name == f"{stage}_start"]
    stops = [event.time_ns for event in sitting if event.name == f"{stage}_stop"]
    return ((stops or [sitting[-1].time_ns])[-1] - starts[0]) / 1e9 if starts else 0.0
