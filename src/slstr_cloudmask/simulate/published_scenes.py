"""The benchmark's 100 test scenes, as published: when, where, day or night, about how cloudy.

    for scene in published_scenes():
        scene.overpass.start, scene.flagged

Facts from the names of the published files and the table of their bounding boxes; they come with
the package (``data/test_scenes.csv``, whose head names the sources).
"""

import csv
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources

from slstr_cloudmask.simulate.orbit import Overpass


@dataclass(frozen=True, slots=True)
class PublishedScene:
    """A test scene.

    Attributes
    ----------
    overpass
        Of Sentinel-3A; ``reflective`` where the scene is in the folder ``day``.
    box_deg
        South, north, west and east, degrees.
    flagged
        Mean grey of the published picture of its mask: 0.03 below the share flagged on average,
        for some flagged pixels are not quite white.
    """

    overpass: Overpass
    box_deg: tuple[float, float, float, float]
    flagged: float


@cache
def published_scenes() -> tuple[PublishedScene, ...]:
    """List the test scenes: those by day, then those by night, each in order of time."""
    path = resources.files("slstr_cloudmask.simulate") / "data" / "test_scenes.csv"
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    return tuple(_scene(row) for row in csv.DictReader(lines))


def _scene(row: dict[str, str]) -> PublishedScene:
    overpass = Overpass(
        start=datetime.fromisoformat(row["start"]),
        cycle=int(row["cycle"]),
        relative_orbit=int(row["relative_orbit"]),
        frame=int(row["frame"]),
        reflective=row["folder"] == "day",
    )
    sides = ("min_latitude", "max_latitude", "min_longitude", "max_longitude")
    south, north, west, east = (float(row[side]) for side in sides)
    return PublishedScene(overpass, (south, north, west, east), float(row["flagged"]))
