"""How ``cloudmask predict`` reads products and writes masks, as its options say."""

from dataclasses import dataclass

from slstr_cloudmask.cli.outputs import either
from slstr_cloudmask.errors import InputError

MASK_SUFFIXES = (".nc", ".zarr", ".tif")  # the first is that of masks in a folder
BOTH = "both"


@dataclass(frozen=True, slots=True)
class Reading:
    """How products are read: as `slstr_cloudmask.io.open_scene`, but ``view`` may be ``both``.

    With ``verify`` their files are checked first.
    """

    view: str = "nadir"
    grid: str = "1km"
    regrid: str = "mean"
    radiometry: str | None = None
    verify: bool = False

    def views(self) -> tuple[str, ...]:
        """Name the views to mask, nadir first.

        Raises
        ------
        InputError
            There is no such view, grid and so on.
        """
        from slstr_cloudmask.io.sen3_layout import GRIDS, VIEWS
        from slstr_cloudmask.io.sen3_reader import Options

        if self.view not in (*VIEWS, BOTH):
            raise InputError(f"Unknown view {self.view!r}: expected {either((*VIEWS, BOTH))}.")
        if self.grid not in GRIDS:
            raise InputError(f"Unknown grid {self.grid!r}: expected {either(GRIDS)}.")
        Options(radiometry=self.radiometry, regrid=self.regrid)
        return VIEWS if self.view == BOTH else (self.view,)

    def ending(self, view: str) -> str:
        """Tell the files of a view and this grid from those of nadir at 1 km."""
        parts = [view] * (view != "nadir") + [self.grid] * (self.grid != "1km")
        return "".join(f"_{part}" for part in parts)


@dataclass(frozen=True, slots=True)
class Writing:
    """How masks are written: format in a folder, map of a GeoTIFF, item beside it, classes."""

    format: str | None = None
    map_grid: str = "auto"
    stac: bool = False
    overwrite: bool = False
    classes: str = "binary"

    def suffixes(self) -> tuple[str, ...]:
        """List the endings that a mask may have.

        Raises
        ------
        InputError
            The format, the map or the classes are not known.
        """
        from slstr_cloudmask.detectors.extended import check_classes
        from slstr_cloudmask.io.map_grid import GRID_NAMES
        from slstr_cloudmask.io.mask_output import FORMATS

        if self.format is not None and self.format not in FORMATS:
            raise InputError(f"Unknown format {self.format!r}: expected {either(FORMATS)}.")
        if self.map_grid not in GRID_NAMES:
            raise InputError(f"Unknown map grid {self.map_grid!r}: expected {either(GRID_NAMES)}.")
        check_classes(self.classes)
        return (f".{self.format}",) if self.format else MASK_SUFFIXES
