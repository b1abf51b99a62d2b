"""The instrument as a table: the nine SLSTR bands that cloud screening uses.

Everything that differs from band to band is a column here, never a branch elsewhere. The order is
that of the benchmark's files: six reflectances, then three brightness temperatures.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["reflectance", "brightness_temperature"]


@dataclass(frozen=True, slots=True)
class Channel:
    """One band of the nadir view.

    Attributes
    ----------
    name
        ``S1`` ... ``S9``.
    wavelength_um, width_um
        Nominal centre and width, micrometres.
    kind
        ``reflectance`` (top of atmosphere, unit 1) or ``brightness_temperature`` (K).
    solar_irradiance
        Default at 1 au, mW m-2 nm-1; ``None`` for the thermal bands. Products carry their own.
    """

    name: str
    wavelength_um: float
    width_um: float
    kind: Kind
    solar_irradiance: float | None = None

    @property
    def unit(self) -> str:
        """CF unit of the band's data."""
        return "1" if self.kind == "reflectance" else "K"

    @property
    def index(self) -> int:
        """Position in the benchmark's ``refs`` or ``bts``, from 0."""
        same_kind = [c.name for c in CHANNELS if c.kind == self.kind]
        return same_kind.index(self.name)


# Centres and widths: ESA, Sentinel-3 SLSTR User Guide, "Radiometric Resolution".
# Solar irradiances: defaults of SNAP's SLSTR radiance-to-reflectance operator.
CHANNELS: tuple[Channel, ...] = (
    Channel("S1", 0.555, 0.020, "reflectance", 1837.39),
    Channel("S2", 0.659, 0.020, "reflectance", 1525.94),
    Channel("S3", 0.865, 0.020, "reflectance", 956.17),
    Channel("S4", 1.375, 0.015, "reflectance", 365.90),
    Channel("S5", 1.610, 0.060, "reflectance", 248.33),
    Channel("S6", 2.250, 0.050, "reflectance", 78.33),
    Channel("S7", 3.740, 0.380, "brightness_temperature"),
    Channel("S8", 10.850, 0.900, "brightness_temperature"),
    Channel("S9", 12.000, 1.000, "brightness_temperature"),
)

BY_NAME: dict[str, Channel] = {channel.name: channel for channel in CHANNELS}
NAMES: tuple[str, ...] = tuple(BY_NAME)
REFLECTANCE_NAMES: tuple[str, ...] = tuple(c.name for c in CHANNELS if c.kind == "reflectance")
THERMAL_NAMES: tuple[str, ...] = tuple(c.name for c in CHANNELS if c.kind != "reflectance")
