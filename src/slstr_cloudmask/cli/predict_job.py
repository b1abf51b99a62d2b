"""What ``cloudmask predict`` does for each product: open, mask, write, say so.

`run_jobs` does it for many, the next one being read and the last one written meanwhile.
"""

import logging
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slstr_cloudmask.cli.outputs import PICTURE_SUFFIXES, place_output
from slstr_cloudmask.cli.predict_options import Reading, Writing
from slstr_cloudmask.errors import CloudMaskError, InputError, MissingFileError
from slstr_cloudmask.pipeline import DEPTH, Result, run_pipeline

if TYPE_CHECKING:
    import xarray as xr

    from slstr_cloudmask.cli.inputs import Input
    from slstr_cloudmask.detectors import Detector
    from slstr_cloudmask.evaluation.views import ViewComparison
    from slstr_cloudmask.io.product_store import Product

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the mask and the picture of one view go."""

    mask: Path
    picture: Path | None


@dataclass(frozen=True, slots=True)
class Opened:
    """The scenes of a product by view, and names of files that it lacks, where looked for."""

    scenes: "dict[str, xr.Dataset]"
    absent: list[str]


@dataclass(frozen=True, slots=True)
class Masked:
    """The scenes of a product, and what a detector says of them, by view."""

    scenes: "dict[str, xr.Dataset]"
    masks: "dict[str, xr.Dataset]"


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

    def read(self) -> Opened:
        """Read all that the product holds for the views that are asked for."""
        from slstr_cloudmask.io import is_scene_in_one_file
        from slstr_cloudmask.io.product_check import check_product
        from slstr_cloudmask.io.product_store import open_product

        if is_scene_in_one_file(self.product) and not self.reading.verify:
            return Opened(self._open_views(self.product), [])
        product = open_product(self.product)
        absent = check_product(product) if self.reading.verify else []
        return Opened(self._open_views(product), absent)

    def mask(self, detector: "Detector", scenes: "dict[str, xr.Dataset]") -> Masked:
        """Mask the views; nadir's may draw on the other where both are there."""
        from slstr_cloudmask.scene import with_oblique

        shown = dict(scenes)
        if len(scenes) > 1:
            shown["nadir"] = with_oblique(scenes["nadir"], scenes["oblique"])
        return Masked(scenes, {view: detector.predict(scene) for view, scene in shown.items()})

    def write(self, masked: Masked) -> str:
        """Write what was asked for, and say what was found in one line."""
        from slstr_cloudmask.detectors.extended import with_classes
        from slstr_cloudmask.evaluation.views import compare_views
        from slstr_cloudmask.io.product_name import product_folder_name
        from slstr_cloudmask.operational import carry
        from slstr_cloudmask.scene import bands_missing

        scenes = masked.scenes
        masks = {
            view: carry(with_classes(mask, scenes[view], self.writing.classes), scenes[view])
            for view, mask in masked.masks.items()
        }
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

    def _open_views(self, source: "Input | Product") -> "dict[str, xr.Dataset]":
        """Open the views; of both, one that is not there is left out with a warning."""
        scenes: dict[str, xr.Dataset] = {}
        lacking: list[InputError] = []
        for view in self.places:
            try:
                scenes[view] = self._open(source, view)
            except InputError as error:
                lacking.append(error)
        if not scenes:
            raise lacking[0]
        for reason in lacking:
            logger.warning("Left out: %s", reason)
        return scenes

    def _open(self, source: "Input | Product", view: str) -> "xr.Dataset":
        from slstr_cloudmask.io import open_scene

        reading = self.reading
        scene = open_scene(
            source,
            view=view,
            grid=reading.grid,
            regrid=reading.regrid,
            radiometry=reading.radiometry,
        )
        for variable in scene.variables.values():
            with suppress(CloudMaskError):  # raised again where the values are needed, if they are
                variable.load()
        return scene

    def _write(self, view: str, scene: "xr.Dataset", mask: "xr.Dataset") -> list[Path]:
        from slstr_cloudmask.io.mask_output import write_mask_output

        place, writing = self.places[view], self.writing
        options: dict[str, Any] = {"map_grid": writing.map_grid, "stac": writing.stac}
        written = write_mask_output(mask, place.mask, overwrite=writing.overwrite, **options)
        if place.picture is not None:
            from slstr_cloudmask.report.quicklook import FOUR, FOUR_EXTENDED, draw_quicklook

            panels = FOUR_EXTENDED if writing.classes == "extended" else FOUR
            draw_quicklook(scene, mask, place.picture, overwrite=writing.overwrite, panels=panels)
            written.append(place.picture)
        return written


def run_jobs(
    jobs: list[Job],
    detector: "Detector",
    *,
    readers: int = 0,
    say_absent: Callable[["Input", list[str]], None],
) -> Generator[Result[Job, str], None, None]:
    """Mask products, and give the line of each in their order.

    Parameters
    ----------
    jobs
        What is to be done.
    detector
        What masks them.
    readers
        Processes that read; with none, a thread of this one does.
    say_absent
        Called with a product and the files that it lacks, where ``verify`` was asked for.

    Yields
    ------
    Result
        The line, or the error.

    Raises
    ------
    InputError
        ``readers`` is negative.
    """
    if readers < 0:
        raise InputError(f"Expected 0 readers or more, found {readers} (--readers).")

    def mask(job: Job, opened: Opened) -> Masked:
        if opened.absent:
            say_absent(job.product, opened.absent)
        return job.mask(detector, opened.scenes)

    return run_pipeline(
        jobs,
        Job.read,
        mask,
        Job.write,
        depth=max(DEPTH, readers + 1) if len(jobs) > 1 else 0,
        readers=max(1, readers),
        processes=readers > 0,
    )


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
