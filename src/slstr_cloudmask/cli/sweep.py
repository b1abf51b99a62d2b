"""``cloudmask sweep`` and ``cloudmask trial``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slstr_cloudmask.cli.options import DeviceOption

if TYPE_CHECKING:
    from slstr_cloudmask.sweep.plan import SweepPlan
    from slstr_cloudmask.sweep.profile import Profile


def sweep(
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUES",
            help="What is tried, and what is fixed: **batch_size=16,32**, **repeat=1..5**, "
            "**learning_rate=1e-4..1e-2:log**, **epochs=50**.",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe", "-r", help="What every trial begins with: a name, or a YAML file."
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the sweep; trials go to trial-0001/ …")
    ] = Path("runs/sweep"),
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Points to try: drawn from a grid, or how long a search goes."),
    ] = None,
    launcher: Annotated[
        str | None,
        typer.Option(help="here, local, slurm or lsf. [default: the profile's, or here]"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", "-j", min=1, help="Trials at once.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="What a trial is given on this machine: a YAML file, or an example."),
    ] = None,
    objective: Annotated[
        str,
        typer.Option(help="What makes a trial good: a measurement of its result."),
    ] = "validation_loss",
    direction: Annotated[
        str | None, typer.Option(help="minimise or maximise. [default: the objective's own]")
    ] = None,
    prune: Annotated[
        bool | None,
        typer.Option(
            "--prune/--no-prune",
            help="Stop trials that are worse than most. [default: in a search, not in a grid]",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the points that are drawn.")] = 1,
    storage: Annotated[
        str | None,
        typer.Option(help="URL of a database that several machines share. [default: a file here]"),
    ] = None,
    study: Annotated[str, typer.Option(help="Name of the sweep in a shared database.")] = "sweep",
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Start trials again that failed.")
    ] = False,
    print_script: Annotated[
        bool,
        typer.Option("--print", help="Write and show a script for the queue; submit nothing."),
    ] = False,
    device: Annotated[
        str | None, typer.Option(help="Of each trial. [default: the profile's, or auto]")
    ] = None,
) -> None:
    """Run the benchmark many times: a grid of settings, or a search for the best ones.

    Every trial is a run folder of its own; the scenes are packed once for all.

        cloudmask sweep -r fast -o S data.root=DIR batch_size=16,32,64 repeat=1..3
        cloudmask sweep -r fast -o S data.root=DIR learning_rate=1e-4..1e-2:log --trials 20
        cloudmask sweep -r open -o S data.root=DIR … --profile our-cluster.yaml

    A sweep that was stopped goes on with **cloudmask sweep -o S**; **cloudmask status S** looks at
    it meanwhile. Needs the extra **sweep**, and **slurm** for Slurm's queue (docs/sweeps.md).
    """
    from slstr_cloudmask.errors import InputError
    from slstr_cloudmask.sweep.plan import make_plan
    from slstr_cloudmask.sweep.plan_file import is_sweep, read_plan, settle_plan
    from slstr_cloudmask.sweep.profile import Profile, load_profile
    from slstr_cloudmask.sweep.study import hidden
    from slstr_cloudmask.validation import validated

    asked = None
    if recipe is None and trials is not None and not settings:
        asked = read_plan(output).model_copy(update={"trials": trials})
    elif recipe is not None:
        asked = make_plan(
            recipe,
            settings or [],
            trials=trials,
            seed=seed,
            objective=objective,
            direction=direction,
            prune=prune,
            study=study,
            storage=hidden(storage) if storage else None,
        )
    elif settings or not is_sweep(output):
        raise InputError(
            f"Say what is tried (--recipe NAME KEY=VALUES …), or name with --output a sweep to go "
            f"on with: {output} is {'one' if is_sweep(output) else 'none'}."
        )
    machine = load_profile(profile) if profile else Profile()
    said = {"launcher": launcher, "workers": workers, "device": device}
    fields = machine.model_dump() | {key: value for key, value in said.items() if value is not None}
    machine = validated(Profile, fields, "sweep")
    plan = settle_plan(output, asked)
    _run(output, plan, machine, storage, retry_failed=retry_failed, print_script=print_script)


def _run(
    folder: Path,
    plan: "SweepPlan",
    machine: "Profile",
    storage: str | None,
    *,
    retry_failed: bool,
    print_script: bool,
) -> None:
    from slstr_cloudmask.cli.sweep_tables import print_sweep
    from slstr_cloudmask.sweep.run import make_launcher, prepare_script, run_sweep
    from slstr_cloudmask.sweep.study import hidden, storage_url

    where = storage_url(plan, storage, folder)
    if print_script or machine.launcher == "lsf":
        text, command = prepare_script(folder, plan, machine, where, retry_failed=retry_failed)
        typer.echo(text, nl=False)
        words = f"Submit it with: {command}" if command else "All trials have ended."
        typer.echo(words, err=True)
        return
    launcher = make_launcher(machine, folder, lambda trial: run_one(trial, machine.device))
    try:
        run_sweep(folder, plan, launcher, where, retry_failed=retry_failed)
    finally:
        failed = print_sweep(folder, plan)
    typer.echo(f"Look closer with: optuna-dashboard {hidden(where)}", err=True)
    if failed:
        raise typer.Exit(1)


def trial(
    folder: Annotated[Path, typer.Argument(help="Folder of a trial, SWEEP/trial-0001 say.")],
    device: DeviceOption = "auto",
) -> None:
    """Run one trial of a sweep, or go on with it: what every launcher starts."""
    run_one(folder, device)


def run_one(folder: Path, device: str) -> None:
    """Run a trial and draw its page, in this process."""
    from slstr_cloudmask.report.page import write_page
    from slstr_cloudmask.sweep.job import run_trial
    from slstr_cloudmask.training.distribution import launched, launched_device

    run_trial(folder, device=launched_device(device))
    if launched().is_first:
        write_page(folder, overwrite=True)
