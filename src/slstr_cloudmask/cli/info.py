"""``cloudmask info``: what is in a product."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from slstr_cloudmask.cli.inputs import Input


def info(
    products: Annotated[
        list[str],
        typer.Argument(
            metavar="PRODUCT...",
            help="Products (.SEN3, .zip, or a URL of these), scenes (.hdf, .nc), or patterns.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare each file with the product's manifest first.")
    ] = False,
) -> None:
    """Tell what is in a product: time, place, bands, and its own cloud masks.

    With --verify, one line on stderr for each file that is absent, or is not of the size and MD5
    sum in the manifest: exit code 1 then.
    """
    import json

    from slstr_cloudmask.cli.inputs import EXIT_SOME_FAILED, each_input, expand_products
    from slstr_cloudmask.io.product_info import describe_product

    verified = each_input(expand_products(products), _verify if verify else lambda product: False)
    outcome = each_input(verified.results, describe_product)
    outcome.failures |= verified.failures
    if as_json:
        typer.echo(json.dumps(list(outcome.results.values()), indent=2))
    else:
        _print_tables(outcome.results.values())
    outcome.exit()
    if any(verified.results.values()):  # faulty
        raise typer.Exit(EXIT_SOME_FAILED)


def _verify(product: "Input") -> bool:
    """Print what is wrong with a product's files, and tell whether anything is."""
    from slstr_cloudmask.io.product_check import verify_product
    from slstr_cloudmask.io.product_store import open_product

    opened = open_product(product)
    faults = verify_product(opened)
    for fault in faults:
        label = "fault" if fault.is_fault else "note"
        typer.echo(f"{label}: {opened.name}: {fault}", err=True)
    return any(fault.is_fault for fault in faults)


def _print_tables(described: Iterable[dict[str, Any]]) -> None:
    from slstr_cloudmask.cli.tables import table_console

    console = table_console()
    for product in described:
        console.print(_table(product))


def _table(product: dict[str, Any]) -> "Table":
    from rich.table import Table

    table = Table(
        title=product["name"], title_justify="left", title_style="bold", show_header=False
    )
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in _lines(product):
        table.add_row(label, text)
    return table


def _lines(product: dict[str, Any]) -> list[tuple[str, str]]:
    """Rows of the table: what, and how much."""
    lines = [
        ("platform", product["platform"] or "unknown"),
        ("time", " to ".join(filter(None, (product["start_time"], product["stop_time"])))),
        ("orbit", _orbit(product)),
        ("baseline", _baseline(product)),
        ("size", f"{product['rows']} rows x {product['columns']} columns"),
        ("bands", ", ".join(product["bands_present"])),
        ("bands missing", ", ".join(product["bands_missing"]) or "none"),
        ("valid pixels", _percent(product["valid_share"])),
        ("illumination", _shares(product["illumination"])),
        ("usable bands", _bands_by_light(product["usable_bands"])),
        ("latitude", _range(product["latitude_range"])),
        ("longitude", _range(product["longitude_range"])),
        ("summary_cloud", _percent(product["operational_cloud"]["summary_cloud"])),
    ]
    for name in ("bayes", "cloud"):
        bits = product["operational_cloud"][name]
        lines.append((name, _shares(bits) if bits else "not in the file"))
    if (absent := product["files_absent"]) is not None:
        lines.append(("files absent", _names(absent)))
    return lines


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{len(names)}: {shown}" if names else "none"


def _orbit(product: dict[str, Any]) -> str:
    if product["relative_orbit"] is None:
        return "unknown"
    return f"relative orbit {product['relative_orbit']}, cycle {product['cycle']}"


def _baseline(product: dict[str, Any]) -> str:
    radiometry = str(product["radiometry"] or "unknown").replace("_", " ")
    return f"{product['baseline'] or 'unknown'} (radiometry {radiometry})"


def _range(ends: list[float] | None) -> str:
    return "unknown" if ends is None else f"{ends[0]:.2f} to {ends[1]:.2f}"


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.1%}"


def _bands_by_light(bands: dict[str, list[str]]) -> str:
    words = (f"{light}: {' '.join(names) or 'none'}" for light, names in bands.items())
    return ", ".join(words) or "unknown"


def _shares(shares: dict[str, float | None]) -> str:
    if all(share is None for share in shares.values()):
        return "unknown"
    return ", ".join(f"{name} {_percent(share)}" for name, share in shares.items())
