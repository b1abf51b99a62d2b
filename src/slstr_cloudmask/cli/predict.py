"""``cloudmask predict``: products in, masks out."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slstr_cloudmask.cli.options import DeviceOption, OverwriteOption, PrecisionOption

if TYPE_CHECKING:
    from slstr_cloudmask.detectors import Detector

# Outputs that end like this are meant as files, others as folders.
FILE_SUFFIX = re.compile(r"\.(nc4?|h5|hdf5?|tiff?|zarr|zip|png|jpe?g|pdf|svg|webp)", re.IGNORECASE)


def predict(
    products: Annotated[
        list[str],
        typer.Argument(
            metavar="PRODUCT...", help="Products (.SEN3), scenes (.hdf, .nc), or patterns."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="A file (.nc) for one product, else a folder. [default: here]"
        ),
    ] = None,
    quicklook: Annotated[
        Path | None,
        typer.Option(help="A picture (.png) for one product, or a folder for pictures."),
    ] = None,
    detector: Annotated[
        str, typer.Option(help="thresholds or network; by default network if a model is given.")
    ] = "default",
    model: Annotated[Path | None, typer.Option(help="Folder of a trained model.")] = None,
    threshold: Annotated[
        str, typer.Option(help="Cloud from this probability: a number, or a name.")
    ] = "balanced",
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    overwrite: OverwriteOption = False,
) -> None:
    """Find the cloud in products, and write a mask for each.

    Prints one line for each product. A product that fails is one line on stderr, and the others
    go on: exit code 1 then, 2 if all fail.
    """
    from slstr_cloudmask.cli.inputs import Outcome, expand_inputs
    from slstr_cloudmask.detectors import get_detector
    from slstr_cloudmask.errors import CloudMaskError

    paths = expand_inputs(products)
    made = get_detector(
        detector, model=model, threshold=threshold, device=device, precision=precision
    )
    jobs = _plan(paths, output, quicklook, made.name)
    outcome: Outcome[str] = Outcome()
    ready = []
    for job in jobs:
        try:
            job.check(overwrite=overwrite)
            ready.append(job)
        except CloudMaskError as error:
            outcome.fail(job.product, error)
    for job in ready:
        try:
            outcome.results[job.product] = job.run(made, overwrite=overwrite)
        except CloudMaskError as error:
            outcome.fail(job.product, error)
        else:
            typer.echo(outcome.results[job.product])
    outcome.exit()


@dataclass(frozen=True, slots=True)
class Job:
    """One product, and where its mask and picture go."""

    product: Path
    mask: Path
    picture: Path | None

    def check(self, *, overwrite: bool) -> None:
        """Refuse what cannot end well before any work is done."""
        from slstr_cloudmask.atomic import check_output
        from slstr_cloudmask.errors import MissingFileError

        if not self.product.exists():
            raise MissingFileError(f"There is no product at {self.product}.")
        for path in filter(None, (self.mask, self.picture)):
            check_output(path, overwrite=overwrite)

    def run(self, detector: "Detector", *, overwrite: bool) -> str:
        """Mask the product, write what was asked for, and say so in one line."""
        from slstr_cloudmask.io import open_scene
        from slstr_cloudmask.io.mask_file import write_mask
        from slstr_cloudmask.mask import cloud_fraction
        from slstr_cloudmask.scene import bands_missing

        scene = open_scene(self.product)
        mask = detector.predict(scene)
        write_mask(mask, self.mask, overwrite=overwrite)
        written = str(self.mask)
        if self.picture is not None:
            from slstr_cloudmask.report.quicklook import draw_quicklook

            draw_quicklook(scene, mask, self.picture, overwrite=overwrite)
            written += f", {self.picture}"
        fraction = cloud_fraction(mask)
        cloud = "no valid pixel" if fraction != fraction else f"{fraction:.1%} cloud"
        missing = " ".join(bands_missing(scene)) or "none"
        return f"{self.product.name}: {cloud}, bands missing: {missing}, written: {written}"


def _plan(
    products: list[Path], output: Path | None, quicklook: Path | None, detector: str
) -> list[Job]:
    """Say where everything goes.

    Raises
    ------
    InputError
        One file was named for several products, or two products would share one.
    """
    from slstr_cloudmask.errors import InputError
    from slstr_cloudmask.io.product_name import product_stem

    jobs: dict[Path, Job] = {}
    for product in products:
        name = f"{product_stem(product)}_cloudmask-{detector}"
        mask = _place(output or Path(), f"{name}.nc", several=len(products) > 1)
        picture = None
        if quicklook is not None:
            picture = _place(quicklook, f"{name}.png", several=len(products) > 1)
        if mask in jobs:
            raise InputError(
                f"{jobs[mask].product} and {product} would both be written to {mask}. "
                "Run them one at a time, with outputs in different folders."
            )
        jobs[mask] = Job(product, mask, picture)
    return list(jobs.values())


def _place(wanted: Path, name: str, *, several: bool) -> Path:
    """Take ``wanted`` as a file where it ends as one, otherwise as the folder for ``name``."""
    from slstr_cloudmask.errors import InputError

    suffix = Path(name).suffix
    if wanted.is_dir() or not FILE_SUFFIX.fullmatch(wanted.suffix):
        return wanted / name
    if wanted.suffix.lower() != suffix:
        raise InputError(f"{wanted} would be a {suffix} file: give a name that ends in {suffix}.")
    if several:
        raise InputError(
            f"{wanted} is one file, and there are several products: give a folder instead."
        )
    return wanted
