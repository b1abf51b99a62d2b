"""Kinds of cloud, and how often each occurs in a climate.

Numbers from the literature are quoted from memory, not checked against the sources named.
"""

from dataclasses import dataclass

_OUTER_SCALE_PX = 700.0


@dataclass(frozen=True, slots=True)
class CloudKind:
    """One line of the catalogue: ranges are uniform, optical depth is log-normal."""

    name: str
    particles: tuple[str, ...]  # of `optics.PARTICLES`
    top_km: tuple[float, float]
    tau: float
    log_sigma: float
    cover: tuple[float, float]
    slope: float
    softness: float
    anisotropy: tuple[float, float]
    cells_km: tuple[float, float] | None
    outer_scale_px: float


def _kind(line: str) -> CloudKind:
    """Read one line of the catalogue."""
    words = line.split()
    name, particles = words[0], tuple(words[1].split("/"))
    ranges = {
        index: (float(low), float(high))
        for index, word in enumerate(words)
        if index > 1 and ".." in word
        for low, high in [word.split("..")]
    }
    return CloudKind(
        name=name,
        particles=particles,
        top_km=ranges[2],
        tau=float(words[3]),
        log_sigma=float(words[4]),
        cover=ranges[5],
        slope=float(words[6]),
        softness=float(words[7]),
        anisotropy=ranges[8],
        cells_km=ranges.get(9),
        outer_scale_px=_OUTER_SCALE_PX if words[10] == "-" else float(words[10]),
    )


# Heights, optical depths, radii and cover: after Rossow and Schiffer (1999), Bull. Amer. Meteor.
# Soc. 80, 2261, and the usual textbook ranges; slopes of the fields after Davis et al. (1996),
# J. Atmos. Sci. 53, 1538. Softness, the rise of optical depth from an edge, is assumed.
#
# kind, particles, top km, optical depth and its log sigma, cover, slope, softness, length over
# width, spacing of cells in km, outer scale in px
_TABLE = """
stratus       water5/water10     0.3..1.0    9  0.6  0.35..0.80  3.1  0.5  1.0..1.5  -       -
fog           water5/water10     0.05..0.3   5  0.6  0.10..0.35  3.0  0.4  1.0..1.5  -       -
closed_cells  water10/water14    0.8..2.0    8  0.8  0.60..0.92  2.8  0.7  1.0..1.5  12..30  -
open_cells    water14/water20    1.2..2.5    5  0.9  0.30..0.55  2.6  0.7  1.0..1.5  20..38  -
cumulus       water10/water14    1.0..3.0    4  1.0  0.10..0.35  2.1  0.7  1.0..1.5  -       14
altocumulus   water10            3.0..5.5    5  0.8  0.15..0.45  2.5  0.8  1.5..3.0  -       -
altostratus   ice25/ice40        5.0..8.0   11  0.8  0.20..0.50  3.1  0.8  1.5..3.0  -       -
front         ice25/ice40        7.0..11.0  22  0.8  0.25..0.50  3.1  0.9  2.0..4.0  -       -
cirrus        ice15/ice25/ice40  8.0..13.0  0.7 1.0  0.30..0.65  2.7  1.2  2.0..4.0  -       -
cirrostratus  ice25              8.0..12.0  1.6 0.9  0.30..0.60  3.1  1.2  2.0..3.0  -       -
storms        ice40              10.0..15.0 40  0.6  0.04..0.15  2.6  0.35 1.0..1.5  -       120
"""
CATALOGUE: dict[str, CloudKind] = {
    kind.name: kind for kind in map(_kind, _TABLE.strip().splitlines())
}

# How often each kind is a scene's low, middle and high deck, by climate; the rest is no such deck.
# Cover that results: about .5 in the subtropics to .8 in the Arctic (Stubenrauch et al. 2013).
CLIMATES: dict[str, tuple[dict[str, float], ...]] = {
    "subtropical": (
        {"closed_cells": 0.3, "open_cells": 0.15, "cumulus": 0.4, "stratus": 0.1},
        {"altocumulus": 0.35, "altostratus": 0.1},
        {"cirrus": 0.4, "cirrostratus": 0.15, "storms": 0.2},
    ),
    "temperate": (
        {"stratus": 0.2, "closed_cells": 0.3, "open_cells": 0.25, "cumulus": 0.15, "fog": 0.05},
        {"altocumulus": 0.3, "altostratus": 0.3},
        {"front": 0.45, "cirrus": 0.3, "cirrostratus": 0.2},
    ),
    "polar": (
        {"stratus": 0.5, "closed_cells": 0.25, "open_cells": 0.1, "fog": 0.12},
        {"altocumulus": 0.35, "altostratus": 0.3},
        {"front": 0.3, "cirrus": 0.3, "cirrostratus": 0.2},
    ),
}


def climate_of(latitude_deg: float) -> str:
    """Name of the climate at a latitude."""
    if abs(latitude_deg) < 36:
        return "subtropical"
    return "temperate" if abs(latitude_deg) < 63 else "polar"
