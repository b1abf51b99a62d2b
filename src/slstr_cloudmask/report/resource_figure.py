"""What a run took of its machine over time: power, memory and load, with its phases behind.

svg = resource_figure(read_samples(run / "samples.csv"))
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from matplotlib.axes import Axes

from slstr_cloudmask.report.figures import BLUE, GREY, ORANGE, svg_of_panels

POINTS = 600  # at most; a day has 86,400 seconds
PHASE_COLOURS = {"staging": "#F3E9D2", "training": "#E4EEF6", "inference": "#E5F2E5"}

Rows = Sequence[dict[str, Any]]
# By panel: what it shows in which unit, what one row's value is, and the lines of it.
Value = Callable[[dict[str, Any], str], float | None]


def _power(row: dict[str, Any], name: str) -> float | None:
    joules, seconds = row[name], row["seconds"]
    return None if joules is None or not seconds else float(joules / seconds)


def _gibibytes(row: dict[str, Any], name: str) -> float | None:
    return None if row[name] is None else float(row[name] / 2**30)


def _as_it_is(row: dict[str, Any], name: str) -> float | None:
    return None if row[name] is None else float(row[name])


PANELS: dict[str, tuple[Value, dict[str, str]]] = {
    "power (W)": (_power, {"processor_j": "processor", "gpu_j": "GPU"}),
    "memory (GiB)": (
        _gibibytes,
        {"process_bytes": "the run", "gpu_bytes": "GPU", "system_bytes": "machine"},
    ),
    "load (%)": (_as_it_is, {"cpu_percent": "processors", "gpu_percent": "GPU"}),
}
COLOURS = {"processor": BLUE, "the run": BLUE, "processors": BLUE, "GPU": ORANGE, "machine": GREY}


def resource_figure(rows: Rows) -> str | None:
    """Draw the samples of a machine; None where there are not two.

    Sittings follow one another without the time between them.

    Parameters
    ----------
    rows
        As `benchmark.sampling.read_samples` returns them.
    """
    if len(rows) < 2:
        return None
    ends, passed = [], 0.0
    for row in rows:
        passed += row["seconds"]
        ends.append(passed)
    panels = [
        _panel(rows, ends, title, value, lines)
        for title, (value, lines) in PANELS.items()
        if any(value(row, name) is not None for row in rows for name in lines)
    ]
    return svg_of_panels((7.6, 0.5 + 1.5 * len(panels)), panels) if panels else None


def _panel(
    rows: Rows, ends: Sequence[float], title: str, value: Value, lines: dict[str, str]
) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        for phase, start, end in _phases(rows, ends):
            axes.axvspan(start, end, color=PHASE_COLOURS.get(phase, "none"), linewidth=0)
        for name, words in lines.items():
            values = [value(row, name) for row in rows]
            if any(one is not None for one in values):
                places, means = _thinned(ends, values)
                axes.plot(places, means, color=COLOURS[words], linewidth=1.1, label=words)
        axes.set_xlim(0, ends[-1])
        axes.set_ylim(bottom=0)
        axes.set_ylabel(title)
        axes.set_xlabel("seconds of the run")
        axes.label_outer()
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

    return draw


def _thinned(
    ends: Sequence[float], values: Sequence[float | None]
) -> tuple[list[float], list[float]]:
    """Return at most `POINTS` points: the largest value of as many stretches."""
    pairs = [(end, one) for end, one in zip(ends, values, strict=True) if one is not None]
    step = -(-len(pairs) // POINTS)
    highest = [max(pairs[n : n + step], key=lambda p: p[1]) for n in range(0, len(pairs), step)]
    return [end for end, _ in highest], [one for _, one in highest]


def _phases(rows: Rows, ends: Sequence[float]) -> Iterator[tuple[str, float, float]]:
    """Yield each phase with the seconds at which it began and ended."""
    for phase, group in groupby(range(len(rows)), key=lambda number: rows[number]["phase"]):
        numbers = list(group)
        yield phase, ends[numbers[0]] - rows[numbers[0]]["seconds"], ends[numbers[-1]]
