"""The figure of ``scaling.json``: speed-up and efficiency over ranks, beside the published curve.

    write_bytes(output / "scaling.png", draw_scaling(document))

Measured points are filled, with the spread of their runs; what is predicted is a dashed line with
hollow points. Blue is strong scaling and orange weak scaling of training, green is inference.
"""

import io
from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, StrMethodFormatter

from slstr_cloudmask.report.figures import _STYLE, BLUE, GREY, ORANGE

DPI = 120
GREEN = "#009E73"  # the third of the colour-blind safe set
COLOURS = {"strong": BLUE, "weak": ORANGE, "inference": GREEN}
Rows = list[dict[str, Any]]


def draw_scaling(document: Mapping[str, Any]) -> bytes:
    """Draw the two panels; return a PNG file."""
    with mpl.rc_context(_STYLE):
        figure = Figure((10.4, 4.6), layout="constrained", dpi=DPI)
        speed, efficiency = figure.subplots(1, 2)
        most = _draw_all((speed, efficiency), document)
        _finish(speed, efficiency, most)
        handles, labels = speed.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _draw_all(panels: tuple[Axes, Axes], document: Mapping[str, Any]) -> int:
    """Draw every curve; return the most ranks of any."""
    published = document["published"]
    _draw_curve(panels, published["rows"], f"published: {published['name']}", GREY, "s-")
    drawn = list(published["rows"])
    measured = {mode: _of(document.get("training", []), mode) for mode in ("strong", "weak")}
    measured["inference"] = document.get("inference", [])
    for name, rows in measured.items():
        what = "inference" if name == "inference" else f"training, {name}"
        _draw_measured(panels, rows, f"measured: {what}", COLOURS[name])
        drawn += rows
    if "prediction" in document:
        prediction = document["prediction"]
        for mode in ("strong", "weak"):
            rows = _of(prediction["rows"], mode)
            label = f"predicted: training, {mode}, {prediction['machine']['name']}"
            style = {"markerfacecolor": "white", "markersize": 4}
            _draw_curve(panels, rows, label, COLOURS[mode], "o--", **style)
            drawn += rows
    return int(max(row["ranks"] for row in drawn))


def _of(rows: Iterable[dict[str, Any]], mode: str) -> Rows:
    return [row for row in rows if row["mode"] == mode]


def _draw_curve(
    panels: tuple[Axes, Axes], rows: Rows, label: str, colour: str, line: str, **style: Any
) -> None:
    ranks = [row["ranks"] for row in rows]
    for axes, name in zip(panels, ("speed_up", "efficiency"), strict=True):
        axes.plot(ranks, [row[name] for row in rows], line, color=colour, label=label, **style)


def _draw_measured(panels: tuple[Axes, Axes], rows: Rows, label: str, colour: str) -> None:
    """Draw medians, and bars from the slowest run to the fastest."""
    if not rows:
        return
    ranks = [row["ranks"] for row in rows]
    for axes, name in zip(panels, ("speed_up", "efficiency"), strict=True):
        values = [row[name] for row in rows]
        # A rate is in the inverse proportion of its time.
        low = [
            v * (1 - r["seconds"]["median"] / r["seconds"]["max"])
            for v, r in zip(values, rows, strict=True)
        ]
        high = [
            v * (r["seconds"]["median"] / r["seconds"]["min"] - 1)
            for v, r in zip(values, rows, strict=True)
        ]
        axes.errorbar(
            ranks, values, (low, high), fmt="o-", color=colour, label=label, capsize=3, zorder=3
        )


def _finish(speed: Axes, efficiency: Axes, most: int) -> None:
    """Draw what is ideal, and set the axes."""
    speed.plot([1, most], [1, most], ":", color="black", label="ideal")
    efficiency.axhline(1, linestyle=":", color="black")
    counts = [2**power for power in range(most.bit_length())]
    shown = counts[:: 1 + len(counts) // 8]
    for axes in (speed, efficiency):
        axes.set_xscale("log", base=2)
        axes.set_xticks(shown, [str(count) for count in shown])
        axes.set_xlabel("ranks: GPUs or processes")
    speed.set_yscale("log", base=2)
    speed.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    speed.set_ylabel("speed-up")
    efficiency.set_ylabel("efficiency")
    efficiency.set_ylim(0, None)
    efficiency.yaxis.set_major_formatter(PercentFormatter(1.0))
