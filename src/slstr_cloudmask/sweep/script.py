"""A job script for a queue: an array with a trial in each element, to read or to submit by hand.

    print(job_script(load_profile("lsf-gpu"), folders, sweep))   # bsub < SWEEP/trials.lsf

A trial that an earlier script finished is left alone, and one that was stopped goes on, so that a
script may be submitted again.
"""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from slstr_cloudmask.atomic import write_bytes
from slstr_cloudmask.errors import ConfigError
from slstr_cloudmask.sweep.profile import Profile
from slstr_cloudmask.sweep.slurm import trial_options
from slstr_cloudmask.sweep.trial import LOG_NAME

SUBMIT = {"slurm": "sbatch", "lsf": "bsub <"}
INDEX = {"slurm": "SLURM_ARRAY_TASK_ID", "lsf": "LSB_JOBINDEX"}


def script_path(profile: Profile, sweep: Path) -> Path:
    """Return where the script of a sweep is written."""
    return sweep / f"trials.{profile.launcher}"


def write_script(profile: Profile, folders: Sequence[Path], sweep: Path) -> str:
    """Write the script of these trials into the sweep's folder; return it."""
    text = job_script(profile, folders, sweep)
    write_bytes(script_path(profile, sweep), text.encode(), overwrite=True)
    return text


def job_script(profile: Profile, folders: Sequence[Path], sweep: Path) -> str:
    """Return a script for the queue of a profile.

    Raises
    ------
    ConfigError
        The profile has no queue, or LSF is to give a trial several nodes.
    """
    options = {"slurm": _slurm_options, "lsf": _lsf_options}.get(profile.launcher)
    if options is None:
        raise ConfigError(
            f"--print writes the script of a queue, and the launcher is {profile.launcher}: "
            "choose slurm or lsf, or a profile of such a machine."
        )
    lines = ["#!/bin/bash", *options(profile, len(folders), sweep.absolute()), "", *profile.shell]
    lines += ["trials=(", *(f"  {shlex.quote(str(one.absolute()))}" for one in folders), ")"]
    lines += [f'trial="${{trials[${{{INDEX[profile.launcher]}}} - 1]}}"']
    lines += [f'{_run(profile)} >> "$trial/{LOG_NAME}" 2>&1', ""]
    return "\n".join(lines)


def _run(profile: Profile) -> str:
    """Return the line that runs ``$trial``, on every node where there are several."""
    if profile.nodes == 1:
        return shlex.join(profile.command("TRIAL")).replace("TRIAL", '"$trial"')
    command = shlex.join(profile.command("TRIAL", meeting_at="MEETING"))
    command = command.replace("TRIAL", '"$trial"').replace("MEETING", '"$first"')
    return f'first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)\nsrun {command}'


def _slurm_options(profile: Profile, count: int, sweep: Path) -> list[str]:
    options: dict[str, object] = {
        "job-name": sweep.name,
        "array": f"1-{count}" + (f"%{profile.workers}" if profile.workers else ""),
        "output": f"{sweep}/slurm-%A-%a.log",
        **trial_options(profile),
        "requeue": True,
        **profile.options,
    }
    return _directives("#SBATCH --", "=", options)


def _lsf_options(profile: Profile, count: int, sweep: Path) -> list[str]:
    if profile.nodes > 1:
        raise ConfigError("A script for LSF gives each trial one node: set nodes to 1.")
    at_once = f"%{profile.workers}" if profile.workers else ""
    options: dict[str, object] = {
        "J": f'"{sweep.name}[1-{count}]{at_once}"',
        "o": f"{sweep}/lsf-%J-%I.log",
        "W": f"{profile.minutes // 60}:{profile.minutes % 60:02d}",
        "n": profile.cpus or 1,
        "R": '"span[hosts=1]"',
        "gpu": f'"num={profile.gpus}"' if profile.gpus else None,
        "M": f"{profile.memory:g}GB" if profile.memory else None,
        "q": profile.partition,
        "P": profile.account,
        "r": True,  # run again where the machine fails
        **profile.options,
    }
    return _directives("#BSUB -", " ", options)


def _directives(start: str, between: str, options: Mapping[str, object]) -> list[str]:
    """Return a queue's own lines; an option that is None or False is left out."""
    return [
        f"{start}{key}" + ("" if value is True else f"{between}{value}")
        for key, value in options.items()
        if value is not None and value is not False
    ]
