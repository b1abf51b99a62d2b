"""The command ``cloudmask``: registers the words and turns errors into one line each.

Exit codes: 0 done, 1 some scenes failed, 2 bad usage or input. Every command imports what it needs
when it runs, so that ``cloudmask --help`` answers at once.
"""

import logging
import os
import signal
import sys
from typing import Annotated

import typer
from rich.logging import RichHandler
from rich.markup import escape

from slstr_cloudmask import __version__
from slstr_cloudmask.cli.benchmark import benchmark, report
from slstr_cloudmask.cli.calibrate import calibrate
from slstr_cloudmask.cli.compare import compare
from slstr_cloudmask.cli.convert import convert
from slstr_cloudmask.cli.data import data
from slstr_cloudmask.cli.demo import demo
from slstr_cloudmask.cli.evaluate import evaluate
from slstr_cloudmask.cli.export import export
from slstr_cloudmask.cli.gallery import gallery
from slstr_cloudmask.cli.info import info
from slstr_cloudmask.cli.leaderboard import leaderboard
from slstr_cloudmask.cli.pack import pack
from slstr_cloudmask.cli.predict import predict
from slstr_cloudmask.cli.quicklook import quicklook
from slstr_cloudmask.cli.runs import runs
from slstr_cloudmask.cli.scaling import scaling
from slstr_cloudmask.cli.simulate import simulate
from slstr_cloudmask.cli.simulate_check import simulate_check
from slstr_cloudmask.cli.status import status
from slstr_cloudmask.cli.submit import submit
from slstr_cloudmask.cli.sweep import sweep, trial
from slstr_cloudmask.cli.train import train
from slstr_cloudmask.errors import CloudMaskError
from slstr_cloudmask.progress import CONSOLE

app = typer.Typer(
    name="cloudmask",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    predict,
    info,
    quicklook,
    compare,
    simulate,
    simulate_check,
    gallery,
    pack,
    train,
    calibrate,
    evaluate,
    export,
    convert,
    benchmark,
    runs,
    leaderboard,
    submit,
    scaling,
    sweep,
    status,
    report,
    demo,
):
    app.command()(command)
app.command(hidden=True)(trial)  # what launchers start
app.add_typer(data, name="data")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cloudmask {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what is wrong.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Version.")
    ] = False,
) -> None:
    """Find cloud in Sentinel-3 SLSTR scenes, and run the CloudMask benchmark.

    A first mask: **cloudmask predict PRODUCT.SEN3 -o mask.nc --quicklook mask.png**

    The whole road in small: **cloudmask demo**
    """
    first = os.environ.get("RANK", "0") == "0"
    level = logging.DEBUG if verbose else logging.WARNING if quiet or not first else logging.INFO
    handler: logging.Handler = logging.StreamHandler()  # whole lines in a file or a pipe
    if CONSOLE.is_terminal:
        handler = RichHandler(
            console=CONSOLE, show_time=False, show_level=False, show_path=False, markup=False
        )
    handler.setFormatter(_Formatter("%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("slstr_cloudmask").setLevel(level)


class _Formatter(logging.Formatter):
    """The message alone, but for warnings and worse."""

    def format(self, record: logging.LogRecord) -> str:
        message = super().format(record)
        if record.levelno < logging.WARNING:
            return message
        return f"{record.levelname.lower()}: {message}"


def main() -> None:
    """Run the command line; the exit code says how it went."""
    # A scheduler's SIGTERM ends the work as Ctrl-C does, so that temporary files are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app()
    except CloudMaskError as error:
        message = " ".join(str(error).split())
        CONSOLE.print(f"[bold red]cloudmask:[/] {escape(message)}", soft_wrap=True, highlight=False)
        sys.exit(2)
