"""``cloudmask submit``: a folder for MLCommons from finished runs, and the check of one."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slstr_cloudmask.cli.options import OverwriteOption

if TYPE_CHECKING:
    from slstr_cloudmask.benchmark.submission_check import Verdict


def submit(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RUN", help="Finished runs of one configuration, or of repeats."),
    ] = None,
    organisation: Annotated[str, typer.Option("--org", help="Who submits.")] = "",
    system: Annotated[str, typer.Option("--system", help="Name of the machine.")] = "",
    descriptor: Annotated[
        str, typer.Option(help="Which of several submissions. [default: name of the recipe]")
    ] = "",
    platform: Annotated[
        str, typer.Option(help="The machine in words. [default: as the logs say]")
    ] = "",
    user: Annotated[str, typer.Option(help="Who is to be asked.")] = "",
    email: Annotated[str, typer.Option(help="Under which address.")] = "",
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of all submissions.")
    ] = Path("results"),
    reference: Annotated[
        Path | None,
        typer.Option(
            help="Runs of the reference on the same scenes. [default: the published ones, on the "
            "published scenes]"
        ),
    ] = None,
    contribution: Annotated[
        Path | None, typer.Option(help="PDF on the scientific contribution; copied.")
    ] = None,
    best: Annotated[
        bool, typer.Option("--best", help="Claim the best of the runs in place of their mean.")
    ] = False,
    repo: Annotated[str, typer.Option(help="Address of the code. [default: git's origin]")] = "",
    branch: Annotated[str, typer.Option(help="Its branch. [default: the present one]")] = "",
    tag: Annotated[str, typer.Option(help="Tag of the commit. [default: as git tells]")] = "",
    data: Annotated[
        list[str] | None,
        typer.Option(help="Command that retrieves the data; may be repeated. [known of ds1]"),
    ] = None,
    check: Annotated[
        Path | None, typer.Option("--check", help="Check this folder instead; write nothing.")
    ] = None,
    simulated_ok: Annotated[
        bool, typer.Option("--simulated-ok", help="Rehearse on simulated scenes.")
    ] = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Write a submission to MLCommons Science from finished runs, and check it.

        cloudmask submit runs/open --org ACME --system laptop --platform "8 cores" --tag v1.0
        cloudmask submit --check results/ACME/cloudmask/laptop/open

    Writes {org}/cloudmask/{system}/{descriptor}/: README.md with the table of measurements,
    config.yaml, run.sh, and log and result of every run. Nothing is written when something is
    wrong, and all that is wrong is said at once: a log that the compliance checker refuses, an
    accuracy that is not there, test scenes or labels that are not the published ones, a changed
    source tree, runs that differ in more than the seed. What only you can add is left to do.

    To try it on simulated scenes: **--simulated-ok**; the README then says that it is a rehearsal.

    Exit codes: 0 done, 1 refused, 2 bad usage.
    """
    from slstr_cloudmask.benchmark.submission import Claim, write_submission
    from slstr_cloudmask.benchmark.submission_check import check_submission

    if check is not None:
        if folders:
            raise typer.BadParameter("--check looks at a folder that is there: name no runs.")
        verdict = check_submission(check, simulated_ok=simulated_ok)
        _show(verdict, f"{check} is what the policy asks for.", "It is no submission:")
        return
    if not folders:
        raise typer.BadParameter("Name finished runs, or a folder to --check.")
    if not organisation or not system:
        raise typer.BadParameter("Say who submits, and on what: --org and --system.")
    claim = Claim(
        organisation=organisation,
        system=system,
        descriptor=descriptor,
        platform=platform,
        user=user,
        email=email,
        repo=repo,
        branch=branch,
        tag=tag,
        data=tuple(data or ()),
        best=best,
    )
    place, verdict = write_submission(
        folders,
        claim,
        output,
        reference=reference,
        contribution=contribution,
        simulated_ok=simulated_ok,
        overwrite=overwrite,
    )
    _show(verdict, f"Submission: {place}", "Nothing was written:")


def _show(verdict: "Verdict", done: str, refused: str) -> None:
    """Print what is wrong and what is left to do; exit with 1 where something is wrong."""
    if verdict.faults:
        _print_list(refused, verdict.faults)
    else:
        typer.echo(done)
    if verdict.left_to_do:
        _print_list("Left to do:", verdict.left_to_do)
    if verdict.faults:
        raise typer.Exit(1)


def _print_list(title: str, lines: Iterable[str]) -> None:
    typer.echo(title, err=True)
    for line in lines:
        typer.echo(f"- {line}", err=True)
