"""``cloudmask compare``: masks of one scene beside each other."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slstr_cloudmask.cli.options import (
    DeviceOption,
    GridOption,
    OverwriteOption,
    PrecisionOption,
    RadiometryOption,
    ViewOption,
)

if TYPE_CHECKING:
    import xarray as xr
    from rich.table import Table

    from slstr_cloudmask.evaluation.comparison import Comparison
    from slstr_cloudmask.evaluation.counts import Counts

NOTE = (
    "Agreement with an operational mask is not accuracy: both may be wrong alike. "
    "Strata overlap: coast and sun glint lie in the others."
)


def compare(
    product: Annotated[
        str,
        typer.Argument(
            metavar="PRODUCT",
            help="A product (.SEN3, .zip, or a URL of one), or a scene (.hdf, .nc).",
        ),
    ],
    masks: Annotated[
        str | None,
        typer.Option(
            help="Two or more, with commas between: ours, truth, operational masks by name, mask "
            "files (.nc, .zarr). [default: ours, and the product's own verdict]"
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="One more, or one of --masks: each of the others is compared with it alone. "
            "[default: every two]"
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Draw it to this picture (.png).")
    ] = None,
    detector: Annotated[
        str, typer.Option(help="What ours is made by: network, clusters, ... as of predict.")
    ] = "default",
    model: Annotated[
        Path | None, typer.Option(help="Folder of a trained model, or name of a shipped one.")
    ] = None,
    threshold: Annotated[
        str, typer.Option(help="Cloud from this probability: a number, or a name.")
    ] = "balanced",
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON, with counts.")] = False,
    view: ViewOption = "nadir",
    grid: GridOption = "1km",
    radiometry: RadiometryOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    overwrite: OverwriteOption = False,
) -> None:
    """Compare masks of one scene: where both find cloud, where only one does.

    Every two of them, or each with one, on the pixels that both know, by illumination and by
    surface. Operational masks go by their names (esa_summary_cloud, esa_bayes_single_moderate,
    esa_basic, …), the prefix may be left out.

    **cloudmask compare PRODUCT.SEN3 --masks ours,summary_cloud,bayes_single_moderate -o
    compare.png**

    **cloudmask compare PRODUCT.SEN3 --masks a.nc,b.nc,c.nc --against summary_cloud**
    """
    import json

    from slstr_cloudmask.atomic import check_output
    from slstr_cloudmask.cli.inputs import expand_products
    from slstr_cloudmask.cli.outputs import place_pictures
    from slstr_cloudmask.detectors import get_detector
    from slstr_cloudmask.errors import InputError
    from slstr_cloudmask.evaluation.comparison import compare_masks
    from slstr_cloudmask.evaluation.strata import scene_strata
    from slstr_cloudmask.io import open_scene
    from slstr_cloudmask.io.product_name import product_folder_name
    from slstr_cloudmask.report.masks import default_names, match_name, named_masks

    paths = expand_products([product])
    if len(paths) != 1:
        raise InputError(f"{product!r} matches {len(paths)} products: name one.")
    picture = None
    if output is not None:
        picture = place_pictures(paths, output, "_compare")[paths[0]]
        check_output(picture, overwrite=overwrite)

    def ours(scene: "xr.Dataset") -> "xr.Dataset":
        made = get_detector(
            detector, model=model, threshold=threshold, device=device, precision=precision
        )
        return made.predict(scene)

    scene = open_scene(paths[0], view=view, grid=grid, radiometry=radiometry, strata=True)
    if masks is None:
        names = default_names(scene)
    else:
        names = [name.strip() for name in masks.split(",") if name.strip()]
    wanted = against and (match_name(against, names) or against)
    if wanted and wanted not in names:
        names.append(wanted)
    found = named_masks(scene, names, ours)
    rows = compare_masks(
        {name: mask.values for name, mask in found.items()},
        scene_strata(scene),
        list(found)[names.index(wanted)] if wanted else None,
    )
    if json_output:
        document = {
            "product": product_folder_name(paths[0]),
            "masks": {name: mask.attrs.get("long_name", "") for name, mask in found.items()},
            "note": NOTE,
            "comparisons": [row.to_dict() for row in rows],
        }
        typer.echo(json.dumps(document, indent=1))
    else:
        _print_tables(rows)
    if picture is not None:
        from slstr_cloudmask.report.comparison_figure import draw_comparison

        draw_comparison(scene, found, rows, picture, overwrite)
        typer.echo(f"Drawn: {picture}", err=json_output)


def _print_tables(rows: "Sequence[Comparison]") -> None:
    from slstr_cloudmask.cli.tables import table_console

    console = table_console()
    for _, pair in groupby(rows, key=lambda row: (row.first, row.second)):
        console.print(_table(list(pair)))
    console.print(NOTE, style="dim")


def _table(rows: "Sequence[Comparison]") -> "Table":
    from rich.table import Table

    from slstr_cloudmask.evaluation.comparison import TRUTH

    first, second = rows[0].first, rows[0].second
    scored = second == TRUTH
    words = "accuracy" if scored else "agreement"
    table = Table(title=f"{first} against {second}", title_justify="left", title_style="bold")
    table.add_column("", no_wrap=True)
    shares = ("both clear", "both cloud", f"only {first}", f"only {second}", words)
    scores = ("F1", "Kuipers", "bias", "trivial") if scored else ()
    for name in ("pixels", *shares, *scores):
        table.add_column(name, justify="right", overflow="fold")
    for by, stratum in groupby(rows, key=lambda row: row.by):
        for name, counts in _lines(by, stratum, scored=scored):
            table.add_row(*_cells(name, counts, scored=scored))
        table.add_section()
    return table


def _lines(
    by: str, rows: "Iterable[Comparison]", *, scored: bool
) -> "Iterable[tuple[str, Counts]]":
    for row in rows:
        yield "all pixels" if by == "all" else row.stratum, row.counts
        if by == "all" and scored:
            yield "(all cloud)", row.counts.all_cloud()
            yield "(all clear)", row.counts.all_clear()


def _cells(name: str, counts: "Counts", *, scored: bool) -> list[str]:
    from slstr_cloudmask.cli.tables import format_score

    parts = (counts.tn, counts.tp, counts.fp, counts.fn, counts.tn + counts.tp)
    cells = [name, f"{counts.total:,}", *(f"{part / counts.total:.1%}" for part in parts)]
    if scored:
        scores: dict[str, Any] = counts.scores()
        trivial = max(counts.all_cloud().accuracy, counts.all_clear().accuracy)
        cells += [format_score(scores["f1"]), format_score(scores["kuipers"])]
        cells += [f"{counts.cloud_fraction_bias:+.1%}", f"{trivial:.1%}"]
    return cells
