"""Pictures of a leaderboard: accuracy against epochs and against time, and how training scales.

    picture = draw_accuracy(board)

A panel holds one measure on one set of scenes. Published runs are small and pale, one's own large;
the dashed line is a mask that says cloud everywhere.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, NullLocator, PercentFormatter

from slstr_cloudmask.benchmark.board import Board, Table
from slstr_cloudmask.benchmark.board_sets import PUBLISHED, WHOLE, RunSet
from slstr_cloudmask.benchmark.published_runs import ALL_CLOUD
from slstr_cloudmask.benchmark.scaling_curves import Curve
from slstr_cloudmask.benchmark.scene_sets import PUBLISHED_TEST_SCENES, SceneSet
from slstr_cloudmask.report.figures import GREY, Draw, png_of_panels

QUALITY_TARGET = 0.9  # mlcommons/science, policy.adoc: convergence target
# Colour-blind safe (Okabe and Ito 2008), the two strongest last: they are for one's own runs.
_PALE = ("#56B4E9", "#E69F00", "#CC79A7", "#009E73", "#8A6D3B", "#999999", "#7B5EA7", "#B5CF6B")
_MARKERS = "osD^vP*"
_OWN = ("#D55E00", "#0072B2", "#000000", "#6A3D9A")


def draw_accuracy(board: Board) -> bytes:
    """Draw each accuracy against epochs and against time; return a PNG file."""
    return png_of_panels(
        [
            [_by_epochs(table), *(_by_time(table, data) for data in _times(table))]
            for table in board.of("accuracy")
        ]
    )


def draw_scaling(curves: Sequence[Curve]) -> bytes:
    """Draw speed-up and efficiency by ranks; return a PNG file."""
    return png_of_panels([[_speed_ups(curves), _efficiencies(curves)]])


def _by_epochs(table: Table) -> Draw:
    def draw(axes: Axes) -> None:
        _start(axes, table)
        for runs, style in _styled(table):
            scores = runs.values[table.measure, table.data]
            pairs = [(n, s) for n, s in zip(runs.epochs, scores, strict=True) if s is not None]
            axes.plot([n for n, _ in pairs], [s for _, s in pairs], **style)
        axes.set_xlabel("epochs run")
        _from_zero(axes, max(max(row.runs.epochs, default=0) for row in table.rows))

    return draw


def _by_time(table: Table, data: SceneSet) -> Draw:
    def draw(axes: Axes) -> None:
        _start(axes, table)
        points = [(_points(runs, table, data), style) for runs, style in _styled(table)]
        longest = max((seconds for pairs, _ in points for seconds, _ in pairs), default=60.0)
        unit, size = ("hours", 3600) if longest > 3600 else ("minutes", 60)
        for pairs, style in points:  # those without a time too: they are named here
            axes.plot([s / size for s, _ in pairs], [score for _, score in pairs], **style)
        axes.set_xlabel(f"{unit} of training (on {data.name}) and inference")
        _from_zero(axes, longest / size)
        axes.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))

    return draw


def _points(runs: RunSet, table: Table, data: SceneSet) -> list[tuple[float, float]]:
    """Return seconds and score of each run that has both."""
    scores = runs.values[table.measure, table.data]
    pairs = zip(runs.values.get((WHOLE, data), ()), scores, strict=False)
    return [(s, score) for s, score in pairs if s is not None and score is not None]


def _times(table: Table) -> list[SceneSet]:
    """Return the sets of scenes that runs of a table have times on: a panel each."""
    keys = (key for row in table.rows for key in row.runs.values)
    return list(dict.fromkeys(data for measure, data in keys if measure == WHOLE))


def _styled(table: Table) -> Iterator[tuple[RunSet, dict[str, Any]]]:
    """Give each series a colour, and name it once."""
    colours: dict[str, str] = {}
    for row in sorted(table.rows, key=lambda row: row.runs.series):
        runs = row.runs
        if not runs.competes:
            continue
        name, palette = runs.series or runs.name, _PALE if runs.published else _OWN
        new = name not in colours
        count = sum(colour in palette for colour in colours.values())
        colour = colours.setdefault(name, palette[count % len(palette)])
        marker = _MARKERS[list(colours).index(name) % len(_MARKERS)]
        style: dict[str, Any] = {"color": colour, "linestyle": "", "marker": marker}
        style |= {"markersize": 4} if runs.published else {"markersize": 8, "zorder": 3}
        yield runs, style | ({"label": name} if new else {})


def _start(axes: Axes, table: Table) -> None:
    name = table.measure.words.partition(":")[0].partition(",")[0]
    axes.set_title(f"{name}\n{table.data.words}", loc="left", fontsize=8)
    for row in table.rows:
        if row.runs.name == ALL_CLOUD and row.spread.mean is not None:
            axes.axhline(row.spread.mean, color=GREY, linestyle="--", label=ALL_CLOUD)
    if table.measure == PUBLISHED and table.data == PUBLISHED_TEST_SCENES:
        axes.axhline(QUALITY_TARGET, color=GREY, linestyle=":", label="quality target")
    axes.set_ylabel("share of pixels")


def _from_zero(axes: Axes, most: float) -> None:
    axes.set_xlim(0, 1.06 * most)


def _speed_ups(curves: Sequence[Curve]) -> Draw:
    def draw(axes: Axes) -> None:
        most = max(max(curve.rates) for curve in curves)
        axes.plot([1, most], [1, most], color=GREY, linestyle=":", label="perfect")
        for curve, style in _curve_styles(curves):
            axes.plot(list(curve.rates), [curve.speed_up(n) for n in curve.rates], **style)
        axes.set_yscale("log", base=2)
        axes.set_ylabel("speed-up")
        axes.yaxis.set_major_formatter("{x:g}")
        _ranks_axis(axes, curves)

    return draw


def _efficiencies(curves: Sequence[Curve]) -> Draw:
    def draw(axes: Axes) -> None:
        axes.axhline(1, color=GREY, linestyle=":", label="perfect")
        for curve, style in _curve_styles(curves):
            axes.plot(list(curve.rates), [curve.efficiency(n) for n in curve.rates], **style)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_ylabel("efficiency")
        _ranks_axis(axes, curves)
        axes.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))

    return draw


def _curve_styles(curves: Sequence[Curve]) -> Iterator[tuple[Curve, dict[str, Any]]]:
    own = 0
    for curve in curves:
        colour = _PALE[1] if curve.published else _OWN[own % len(_OWN)]
        own += not curve.published
        yield curve, {"color": colour, "marker": "o", "label": f"{curve.name}\n{curve.mode}"}


def _ranks_axis(axes: Axes, curves: Sequence[Curve]) -> None:
    axes.set_xscale("log", base=2)
    ticks = sorted({ranks for curve in curves for ranks in curve.rates})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("GPUs, or processes")
