"""Which file of a product holds what, for one view, one grid and one stripe.

    layout = Layout(product.names, view="oblique", grid="500m")
    layout.bands()              # {"S1": "S1_radiance_ao", ..., "S8": "S8_BT_io"}
    layout.own("flags")         # "flags_ao"

A file holds the variable of its own name. The last two letters name the grid of measurements and
the view: ``a``, ``b`` and ``c`` are the stripes of 500 m (``c``, both together, is in products of
the first years only), ``i`` the thermal bands' 1 km, ``f`` that of F1, ``t`` the tie points;
``n`` is nadir, ``o`` oblique.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from slstr_cloudmask import channels
from slstr_cloudmask.errors import InputError

View = Literal["nadir", "oblique"]
GridName = Literal["1km", "500m"]
Stripe = Literal["a", "b", "c"]
VIEWS: tuple[View, ...] = get_args(View)
GRIDS: tuple[GridName, ...] = get_args(GridName)
STRIPES: tuple[Stripe, ...] = get_args(Stripe)

# S1-S3 are measured by stripe a alone (ESA, Sentinel-3 SLSTR User Guide, "Instrument").
STRIPE_A_ONLY = ("S1", "S2", "S3")

# Files on the scene's grid that are no measurements, each with a variable of that grid.
PLACING_KINDS = {"flags": "confidence", "geodetic": "latitude", "cartesian": "x"}


@dataclass(frozen=True, slots=True)
class Layout:
    """Names of the files, without ``.nc``, that a scene is read from.

    Attributes
    ----------
    names
        The files that the product holds.
    view, grid, stripe
        What is wanted.

    Raises
    ------
    InputError
        A view, grid or stripe that does not exist.
    """

    names: frozenset[str]
    view: str = "nadir"
    grid: str = "1km"
    stripe: str = "a"

    def __post_init__(self) -> None:
        for what, known in (("view", VIEWS), ("grid", GRIDS), ("stripe", STRIPES)):
            if getattr(self, what) not in known:
                raise InputError(
                    f"Unknown {what} {getattr(self, what)!r}: expected {' or '.join(known)}."
                )

    def has(self, stem: str) -> bool:
        """Whether the product holds the file."""
        return f"{stem}.nc" in self.names

    def own(self, kind: str) -> str:
        """File of a kind, such as ``flags`` or ``geodetic``, on the scene's own grid."""
        return self.on(kind, "i" if self.grid == "1km" else self.stripe)

    def on(self, kind: str, measurements: str) -> str:
        """File of a kind on another grid of measurements: ``a``, ``b``, ``c``, ``i``, ``f``."""
        return f"{kind}_{measurements}{self.view[0]}"

    def bands(self) -> dict[str, str]:
        """Files of the bands that the product holds, in the instrument's order."""
        candidates = ((channel.name, self._band(channel)) for channel in channels.CHANNELS)
        return {name: stem for name, stem in candidates if self.has(stem)}

    def fire_band(self) -> str | None:
        """File of F1, which the first products keep on the grid of the others."""
        stems = self.on("F1_BT", "f"), self.on("F1_BT", "i")
        return next((stem for stem in stems if self.has(stem)), None)

    def placing(self) -> Iterator[tuple[str, str]]:
        """Files that place the scene's grid, each with a variable, those on it first.

        At night a product has no band on the 500 m grid, which need not begin where the 1 km grid
        does.
        """
        bands = self.bands()
        thermal = [bands[name] for name in channels.THERMAL_NAMES if name in bands]
        reflective = [bands[name] for name in channels.REFLECTANCE_NAMES if name in bands]
        own, other = (thermal, reflective) if self.grid == "1km" else (reflective, thermal)
        yield from ((stem, stem) for stem in own[-1:])  # S4-S6 are of the stripe that is wanted
        for kind, variable in PLACING_KINDS.items():
            if self.has(stem := self.own(kind)):
                yield stem, f"{variable}_{stem[-2:]}"
        yield from ((stem, stem) for stem in other[-1:])

    def _band(self, channel: channels.Channel) -> str:
        if channel.kind == "brightness_temperature":
            return self.on(f"{channel.name}_BT", "i")
        stripe = "a" if channel.name in STRIPE_A_ONLY else self.stripe
        return self.on(f"{channel.name}_radiance", stripe)


def measurement_grid(stem: str) -> str:
    """Letter of the grid of measurements of a file: ``i`` for ``S8_BT_in``."""
    return stem[-2]
