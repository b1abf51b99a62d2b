"""What ``cloudmask predict`` does for one product: open, mask, write, say so."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slstr_cloudmask.cli.outputs import PICTURE_SUFFIXES, either, place_output
from slstr_cloudmask.errors import InputError, MissingFileError

if TYPE_CHECKING:
    import xarray as xr

    from slstr_cloudmask.cli.inputs import Input
    from slstr_cloudmask.detectors import Detector
    from slstr_cloudmask.evaluation.views import ViewComparison

MASK_SUFFIXES = (".nc", ".zarr", ".tif")  # the first is that of masks in a folder
BOTH = "both"


@dataclass(frozen=True, slots=True)
class Reading:
    """How products are read: as `slstr_cloudmask.io.open_scene`, but ``view`` may be ``both``."""

    view: str = "nadir"
    grid: str = "1km"
    regrid: str = "mean"
    radiometry: str | None = None

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
    """How masks are written: format in a folder, map of a GeoTIFF, item beside it."""

    format: str | None = None
    map_grid: str = "auto"
    stac: bool = False
    overwrite: bool = False

    def suffixes(self) -> tuple[str, ...]:
        """List the endings that a mask may have.

        Raises
        ------
        InputError
            The format or the map is not known.
        """
        from slstr_cloudmask.io.map_grid import GRID_NAMES
        from slstr_cloudmask.io.mask_output import FORMATS

        if self.format is not None and self.format not in FORMATS:
            raise InputError(f"Unknown format {self.format!r}: expected {either(FORMATS)}.")
        if self.map_grid not in GRID_NAMES:
            raise InputError(f"Unknown map grid {self.map_grid!r}: expected {either(GRID_NAMES)}.")
        return (f".{self.format}",) if self.format else MASK_SUFFIXES


@dataclass(frozen=True, slots=True)
class Place:
    """Where the mask and the picture of one view go."""

    mask: Path
    picture: Path | None


@dataclass(frozen=True, slots=True)
class Job:
    """One product, and where the masks and pictures of its views go."""

    product: "Input"
    places: dict[str, Place]
    reading: Reading
    writing: Writing

    def check(self) -> None:
        """Refuse what cannot end well before any work is done."""
        from slstr_cloudmask.atomic import check_output
        from slstr_cloudmask.io.mask_output import check_mask_output

        if isinstance(self.product, Path) and not self.product.exists():
            raise MissingFileError(f"There is no product at {self.product}.")
        overwrite = self.writing.overwrite
        for place in self.places.values():
            check_mask_output(place.mask, stac=self.writing.stac, overwrite=overwrite)
            if place.picture is not None:
                check_output(place.picture, overwrite=overwrite)

    def run(self, detector: "Detector") -> str:
        """Mask the product, write what was asked for, and say so in one line."""
        from slstr_cloudmask.evaluation.views import compare_views
        from slstr_cloudmask.io.product_name import product_folder_name
        from slstr_cloudmask.scene import bands_missing

        scenes = {view: self._open(view) for view in self.places}
        masks = {view: self._mask(detector, scene) for view, scene in scenes.items()}
        shares = ", ".join(_cloud(mask, view, len(masks)) for view, mask in masks.items())
        missing = " ".join(bands_missing(next(iter(scenes.values())))) or "none"
        words = [shares, f"bands missing: {missing}"]
        if len(masks) > 1:
            compared = compare_views(masks["nadir"], masks["oblique"])
            masks["nadir"] = masks["nadir"].assign(cloud_by_view=compared.seen_by)
            words.append(_views(compared))
        written = [path for view in masks for path in self._write(view, scenes[view], masks[view])]
        words.append(f"written: {', '.join(map(str, written))}")
        return f"{product_folder_name(self.product)}: {', '.join(words)}"

    def _open(self, view: str) -> "xr.Dataset":
        from slstr_cloudmask.io import open_scene

        reading = self.reading
        return open_scene(
            self.product,
            view=view,
            grid=reading.grid,
            regrid=reading.regrid,
            radiometry=reading.radiometry,
        )

    def _mask(self, detector: "Detector", scene: "xr.Dataset") -> "xr.Dataset":
        from slstr_cloudmask.operational import carry

        return carry(detector.predict(scene), scene)

    def _write(self, view: str, scene: "xr.Dataset", mask: "xr.Dataset") -> list[Path]:
        from slstr_cloudmask.io.mask_output import write_mask_output

        place, writing = self.places[view], self.writing
        options: dict[str, Any] = {"map_grid": writing.map_grid, "stac": writing.stac}
        written = write_mask_output(mask, place.mask, overwrite=writing.overwrite, **options)
        if place.picture is not None:
            from slstr_cloudmask.report.quicklook import draw_quicklook

            draw_quicklook(scene, mask, place.picture, overwrite=writing.overwrite)
            written.append(place.picture)
        return written


def plan_jobs(
    products: "list[Input]",
    output: Path | None,
    quicklook: Path | None,
    detector: str,
    reading: Reading,
    writing: Writing,
) -> list[Job]:
    """Say where everything goes.

    Raises
    ------
    InputError
        One file was named for several products, two products would share one, or a view, format
        or map is not known.
    """
    from slstr_cloudmask.io.product_name import product_stem

    suffixes, views = writing.suffixes(), reading.views()
    several = len(products) > 1
    jobs: list[Job] = []
    taken: dict[Path, Input] = {}
    for product in products:
        name = f"{product_stem(product)}_cloudmask-{detector}"
        mask = place_output(output or Path(), name, suffixes, several=several)
        picture = None
        if quicklook is not None:
            picture = place_output(quicklook, name, PICTURE_SUFFIXES, several=several)
        places = {}
        for view in views:
            places[view] = Place(
                _of_view(mask, output, view, reading),
                picture and _of_view(picture, quicklook, view, reading),
            )
            if (path := places[view].mask) in taken:
                raise InputError(
                    f"{taken[path]} and {product} would both be written to {path}. "
                    "Run them one at a time, with outputs in different folders."
                )
            taken[path] = product
        jobs.append(Job(product, places, reading, writing))
    return jobs


def _of_view(path: Path, wanted: Path | None, view: str, reading: Reading) -> Path:
    """Tell a view's file from the others'; the name that the user gave is the first view's."""
    ending = reading.ending(view)
    if path == wanted:
        ending = "" if view == reading.views()[0] else f"_{view}"
    return path.with_name(f"{path.stem}{ending}{path.suffix}")


def _cloud(mask: "xr.Dataset", view: str, views: int) -> str:
    from slstr_cloudmask.mask import cloud_fraction

    fraction = cloud_fraction(mask)
    seen = f" {view}" if views > 1 or view != "nadir" else ""
    return f"no valid pixel{seen}" if fraction != fraction else f"{fraction:.1%} cloud{seen}"


def _views(compared: "ViewComparison") -> str:
    total = sum(compared.counts.values())
    if not total:
        return "no pixel seen by both views"
    shares = {name: count / total for name, count in compared.counts.items()}
    return (
        f"where both views see: {shares['both']:.1%} cloud in both, "
        f"{shares['nadir_only']:.1%} in nadir only, {shares['oblique_only']:.1%} in oblique only"
    )
