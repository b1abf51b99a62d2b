"""Kinds of cloud, the weather they come in, and how often each weather occurs in a climate.

To add a kind: a line in `_KINDS`, and its name in some weather. To add a weather: a line in
`_WEATHERS`, and its share in some climates.

Numbers from the literature are quoted from memory, not checked against the sources named.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CloudKind:
    """One kind: heights are uniform in their range, optical depth is log-normal."""

    name: str
    particles: tuple[str, ...]  # of `optics.PARTICLES`
    top_km: tuple[float, float]
    optical_depth: float
    log_sigma: float
    slope: float
    softness: float
    anisotropy: tuple[float, float]
    cells_km: tuple[float, float] | None
    outer_km: float


def _range(word: str) -> tuple[float, float]:
    low, high = word.split("..")
    return float(low), float(high)


def _kind(line: str) -> CloudKind:
    name, particles, top, depth, sigma, slope, softness, anisotropy, cells, outer = line.split()
    prefix, radii = particles.split(":")
    return CloudKind(
        name=name,
        particles=tuple(prefix + radius for radius in radii.split("/")),
        top_km=_range(top),
        optical_depth=float(depth),
        log_sigma=float(sigma),
        slope=float(slope),
        softness=float(softness),
        anisotropy=_range(anisotropy),
        cells_km=None if cells == "-" else _range(cells),
        outer_km=float(outer),
    )


# Heights, optical depths and radii: after Rossow and Schiffer (1999), Bull. Amer. Meteor. Soc. 80,
# 2261, and the usual textbook ranges; slopes of the fields after Davis et al. (1996), J. Atmos.
# Sci. 53, 1538. Softness, the rise of optical depth from an edge, is assumed.
#
# kind, particles and effective radii um, top km, median optical depth and its log sigma, spectral
# slope, softness, length over width, spacing of cells km, outer scale km
_KINDS = """
stratus       water:6/8/10    0.3..1.0     9   0.6  3.0  0.5   1.0..1.5  -       600
fog           water:5/6/8     0.05..0.3    5   0.6  3.0  0.4   1.0..1.5  -       150
closed_cells  water:8/10/12   0.8..2.0     8   0.8  2.9  1.1   1.0..1.5  12..30  700
open_cells    water:12/14/17  1.2..2.8     6   0.9  2.9  1.0   1.0..1.5  18..38  700
cumulus       water:8/10/14   1.0..3.0     4   1.0  2.3  0.7   1.0..1.5  -       16
altocumulus   water:8/10/12   3.0..5.5     10  0.7  2.8  0.8   1.5..3.0  -       300
altostratus   ice:20/25/30    5.0..8.0     11  0.8  3.0  0.8   1.5..3.0  -       900
front         ice:20/25/30    6.5..10.5    24  0.7  3.1  0.9   2.0..4.0  -       1100
cirrus        ice:15/20/25/40 8.0..13.0    0.75 1.0 2.7  1.2   2.0..4.0  -       500
cirrostratus  ice:20/25/30    8.0..12.0    1.6 0.9  3.1  1.2   2.0..3.0  -       900
storms        ice:25/30/40    10.0..15.0   40  0.6  2.6  0.35  1.0..1.5  -       120
contrails     ice:15          8.5..11.5    0.3 0.3  2.8  0.5   1.0..1.0  -       400
"""
CATALOGUE: dict[str, CloudKind] = {
    kind.name: kind for kind in map(_kind, _KINDS.strip().splitlines())
}
# 0 is no cloud at all; the numbers are those of `cloud_kind` in a Scene.
KIND_NUMBERS: dict[str, int] = {"clear": 0} | {
    name: number for number, name in enumerate(CATALOGUE, start=1)
}


@dataclass(frozen=True, slots=True)
class Deck:
    """One layer of a weather: its kind, how much it covers, how often it is there at all."""

    kind: str
    cover: tuple[float, float]
    chance: float


# A weather's decks, lowest first, and how alike the places of its decks are (0: independent).
# Each deck reads kind:cover:chance.
_WEATHERS = """
overcast  0.0  closed_cells:.75..1.0:1 stratus:.5..0.95:.5 altocumulus:.05..0.4:.3 \
               cirrus:.1..0.5:.3
frontal   0.75 open_cells:.3..0.65:.6 stratus:.4..0.8:.5 altostratus:.4..0.75:1 \
               front:.35..0.7:.9 cirrostratus:.45..0.8:.6
outbreak  0.2  open_cells:.5..0.85:1 closed_cells:.2..0.6:.5 cirrus:.05..0.4:.4 \
               front:.05..0.3:.5
trades    0.0  cumulus:.2..0.5:1 closed_cells:.2..0.6:.5 altocumulus:.05..0.3:.3 \
               cirrus:.1..0.5:.5
deck      0.0  closed_cells:.65..0.97:1 fog:.02..0.1:.3 cirrus:.05..0.4:.35
broken    0.2  altocumulus:.3..0.7:1 cumulus:.15..0.45:.7 stratus:.25..0.65:.5 \
               altostratus:.15..0.5:.5 cirrus:.2..0.5:.4
deep      0.6  storms:.06..0.25:1 cumulus:.15..0.4:.8 altocumulus:.1..0.4:.6 \
               cirrostratus:.3..0.65:.9
high      0.3  cirrus:.5..0.9:1 cumulus:.1..0.35:.7 cirrostratus:.3..0.7:.6
fair      0.0  cumulus:.2..0.45:1 fog:.03..0.2:.3 cirrus:.2..0.6:.8
fog       0.0  fog:.3..0.7:1 stratus:.3..0.7:.7 cirrus:.05..0.3:.3
"""
WEATHERS: dict[str, tuple[float, tuple[Deck, ...]]] = {}
for _line in _WEATHERS.strip().splitlines():
    _name, _alike, *_decks = _line.split()
    WEATHERS[_name] = (
        float(_alike),
        tuple(
            Deck(kind, _range(cover), float(chance))
            for kind, cover, chance in (deck.split(":") for deck in _decks)
        ),
    )

# How often each weather occurs; the rest is `fair`. Cover that results is compared with Stubenrauch
# et al. (2013), Bull. Amer. Meteor. Soc. 94, 1031: .75-.85 over mid-latitude seas and the Arctic
# in autumn, .45-.65 in the subtropics, .5-.6 over land, .2-.3 over deserts.
CLIMATES: dict[str, dict[str, float]] = {
    "tropical": {"deep": 0.35, "trades": 0.25, "high": 0.2, "broken": 0.1},
    "subtropical": {"trades": 0.42, "deck": 0.2, "high": 0.12, "broken": 0.12, "deep": 0.04},
    "desert": {"high": 0.2, "broken": 0.1, "trades": 0.1},
    "temperate": {"frontal": 0.33, "outbreak": 0.24, "overcast": 0.2, "broken": 0.15, "fog": 0.04},
    "temperate_land": {"frontal": 0.27, "overcast": 0.2, "broken": 0.25, "high": 0.1, "fog": 0.05},
    "polar": {"overcast": 0.40, "frontal": 0.27, "outbreak": 0.15, "fog": 0.08, "high": 0.07},
}


def climate_of(latitude_deg: float, *, land: bool, desert: bool) -> str:
    """Name of the climate of a scene's middle."""
    away = abs(latitude_deg)
    if away >= 64:
        return "polar"
    if desert:
        return "desert"
    if away >= 38:
        return "temperate_land" if land else "temperate"
    return "subtropical" if away >= 14 else "tropical"
