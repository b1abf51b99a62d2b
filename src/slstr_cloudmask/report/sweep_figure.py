"""A sweep as one picture: the objective against each key that was varied.

draw_sweep([(trial.values, trial.objective)], "validation loss", "minimise", path)
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from slstr_cloudmask.report.drawing import DPI, INK, plain_frame, save_figure, write_title
from slstr_cloudmask.report.figures import BLUE, ORANGE

PANEL_INCHES = (3.4, 3.0)
COLUMNS = 3
DECADES_LOG = 1.5  # a key whose values span more is drawn on a logarithmic axis

Done = Sequence[tuple[Mapping[str, Any], float]]


def draw_sweep(done: Done, objective: str, direction: str, path: Path) -> None:
    """Draw the trials that are done; the best one is marked.

    Parameters
    ----------
    done
        Values by key, and the objective.
    objective, direction
        Its name, and ``minimise`` or ``maximise``.
    path
        A PNG file, which is replaced.
    """
    keys = list(done[0][0]) or ["trial"]
    columns = min(COLUMNS, len(keys))
    rows = -(-len(keys) // columns)
    size = (PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows)
    figure = Figure(size, layout="constrained", dpi=DPI)
    scores = np.array([score for _, score in done])
    best = int(np.argmin(scores) if direction == "minimise" else np.argmax(scores))
    for number, key in enumerate(keys, start=1):
        axes = figure.add_subplot(rows, columns, number)
        places = _places(axes, [values.get(key, i + 1) for i, (values, _) in enumerate(done)])
        axes.plot(places, scores, "o", color=BLUE, alpha=0.7, markersize=5)
        axes.plot(places[best], scores[best], "o", color=ORANGE, markersize=8, mfc="none")
        plain_frame(axes)
        axes.set_xlabel(key, color=INK)
        write_title(axes, objective if number == 1 else "")
    figure.suptitle(f"{len(done)} trials; the best is ringed", fontsize=9, color=INK)
    save_figure(figure, path, overwrite=True)


def _places(axes: Axes, values: list[Any]) -> list[float]:
    """Return where values stand on the horizontal axis: by size, or one beside the other."""
    numbers = [value for value in values if isinstance(value, int | float)]
    if len(numbers) == len(values) and not any(isinstance(value, bool) for value in values):
        low, high = min(numbers), max(numbers)
        if low > 0 and np.log10(high / low) > DECADES_LOG:
            axes.set_xscale("log")
        return [float(number) for number in numbers]
    names = sorted({str(value) for value in values})
    axes.set_xticks(range(len(names)), names, rotation=20)
    return [float(names.index(str(value))) for value in values]
