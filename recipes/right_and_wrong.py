"""Where a detector is right and the provider's label wrong, and the other way round, in pictures.

    python recipes/right_and_wrong.py SCENE [SCENE ...] -o PICTURE.png [--detector network]

SCENE are files that ``cloudmask simulate --format xarray`` made. Of each a row: what is seen, the
true optical depth, and who is right about cloud. Prints the shares in Markdown.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from slstr_cloudmask.detectors import get_detector
from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.report.composite import composite
from slstr_cloudmask.report.drawing import (
    DPI,
    draw_bar,
    draw_codes,
    save_figure,
    show,
    write_legend,
    write_title,
)
from slstr_cloudmask.scene import Regime, label, regime

PANEL_IN = 3.2
BOTH, DETECTOR, PROVIDER, NEITHER = range(4)


def main() -> None:
    """Draw the picture, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scenes", type=Path, nargs="+", help="simulated scenes with strata")
    parser.add_argument("-o", "--output", type=Path, required=True, help="picture, .png")
    parser.add_argument("--detector", default="network", help="by name")
    given = parser.parse_args()
    meanings = {
        BOTH: ("both right", "#e9e9e4"),
        DETECTOR: (f"only {given.detector} right", "#2a78b8"),
        PROVIDER: ("only the provider's label right", "#e0a030"),
        NEITHER: ("both wrong", "#8c2d2d"),
    }
    detector = get_detector(given.detector)
    figure = Figure(figsize=(3 * PANEL_IN + 0.5, 0.88 * PANEL_IN * len(given.scenes)), dpi=DPI)
    charts = figure.subplots(len(given.scenes), 3, squeeze=False)
    names = [name for name, _ in meanings.values()]
    sys.stdout.write(f"| | {' | '.join(names)} |\n{'| --- ' * 5}|\n")
    for row, path in zip(charts, given.scenes, strict=True):
        scene = open_scene(path, strata=True).load()
        right = who_is_right(scene, detector.predict(scene)["cloud_mask"].values)
        light = Regime(int(np.bincount(regime(scene).ravel())[: len(Regime)].argmax())).name.lower()
        show(row[0], composite(scene), right.shape)
        write_title(row[0], "What is seen", light)
        _draw_depth(row[1], scene["optical_depth"].values)
        known = right[right != UNKNOWN]
        shares = np.bincount(known, minlength=4) / known.size
        write_title(row[2], "Who is right", f"{shares[DETECTOR]:.0%} only {given.detector}")
        legend = draw_codes(row[2], right, meanings)
        cells = " | ".join(f"{share:.1%}" for share in shares)
        sys.stdout.write(f"| {light}, {scene.attrs['start_time'][:16]} | {cells} |\n")
    for axes in charts.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    write_legend(figure, [legend], columns=5)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    save_figure(figure, given.output, overwrite=True)


def who_is_right(scene: xr.Dataset, mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Tell at each pixel who agrees with the truth; 255 where something is not known."""
    truth, told = label(scene, "truth")
    provider, labelled = label(scene, "bayes")
    ours, theirs = (mask == 1) == truth, provider == truth
    code = np.select([ours & theirs, ours, theirs], [BOTH, DETECTOR, PROVIDER], NEITHER)
    return np.where(told & labelled & (mask <= 1), code, UNKNOWN).astype(np.uint8)


def _draw_depth(axes: Axes, depth: npt.NDArray[np.float32]) -> None:
    image = show(axes, depth, depth.shape, norm=LogNorm(0.03, 30), cmap="Greys_r")
    axes.set_facecolor("black")
    write_title(axes, "True optical depth", "cloud from 0.3")
    draw_bar(axes, image, "", extend="both")


if __name__ == "__main__":
    main()
