"""Kinds of cloud, and how often each occurs in a climate."""

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
    anisotropy: tuple[float, float] = (1.0, 1.5)
    cells_km: tuple[float, float] | None = None
    outer_scale_px: float = _OUTER_SCALE_PX


# Heights, optical depths, radii and cover: after Rossow and Schiffer (1999), Bull. Amer. Meteor.
# Soc. 80, 2261, and the usual textbook ranges; slopes of the fields after Davis et al. (1996).
CATALOGUE: dict[str, CloudKind] = {
    kind.name: kind
    for kind in (
        CloudKind("stratus", ("water5", "water10"), (0.3, 1.0), 10, 0.5, (0.35, 0.8), 3.1, 0.35),
        CloudKind("fog", ("water5", "water10"), (0.05, 0.3), 6, 0.5, (0.1, 0.35), 3.0, 0.3),
        CloudKind(
            "closed_cells",
            ("water10", "water14"),
            (0.8, 2.0),
            9,
            0.7,
            (0.6, 0.92),
            2.8,
            0.45,
            cells_km=(12, 30),
        ),
        CloudKind(
            "open_cells",
            ("water14", "water20"),
            (1.2, 2.5),
            6,
            0.8,
            (0.3, 0.55),
            2.6,
            0.4,
            cells_km=(20, 38),
        ),
        CloudKind(
            "cumulus",
            ("water10", "water14"),
            (1.0, 3.0),
            5,
            0.9,
            (0.1, 0.35),
            2.1,
            0.35,
            outer_scale_px=14,
        ),
        CloudKind(
            "altocumulus", ("water10",), (3.0, 5.5), 6, 0.7, (0.15, 0.45), 2.5, 0.5, (1.5, 3)
        ),
        CloudKind(
            "altostratus", ("ice25", "ice40"), (5, 8), 12, 0.7, (0.2, 0.5), 3.1, 0.6, (1.5, 3)
        ),
        CloudKind("front", ("ice25", "ice40"), (7, 11), 22, 0.8, (0.25, 0.5), 3.1, 0.9, (2, 4)),
        CloudKind(
            "cirrus", ("ice15", "ice25", "ice40"), (8, 13), 0.8, 0.9, (0.25, 0.6), 2.7, 1.0, (2, 4)
        ),
        CloudKind("cirrostratus", ("ice25",), (8, 12), 2.0, 0.8, (0.3, 0.6), 3.1, 1.0, (2, 3)),
        CloudKind(
            "storms", ("ice40",), (10, 15), 40, 0.6, (0.04, 0.15), 2.6, 0.35, outer_scale_px=120
        ),
    )
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
