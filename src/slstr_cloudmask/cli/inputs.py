"""Several inputs on one command line: patterns, one line for each that fails, the exit code."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import typer

from slstr_cloudmask.errors import CloudMaskError, InputError, MissingFileError

Result = TypeVar("Result")

EXIT_SOME_FAILED = 1
EXIT_ALL_FAILED = 2


@dataclass
class Outcome(Generic[Result]):
    """How it went with each input.

    Attributes
    ----------
    results
        What came out, by input, for those that went well.
    failures
        Message by input for the others.
    """

    results: dict[Path, Result] = field(default_factory=dict)
    failures: dict[Path, str] = field(default_factory=dict)

    def fail(self, path: Path, error: CloudMaskError) -> None:
        """Note a failure, and say it on stderr in one line."""
        message = " ".join(str(error).split())
        self.failures[path] = message
        sys.stdout.flush()
        typer.secho("failed: ", fg="red", bold=True, nl=False, err=True)
        typer.echo(f"{path.name or path}: {message}", err=True)

    def exit(self) -> None:
        """End the command: 0 done, 1 some inputs failed, 2 all of them."""
        if self.failures:
            raise typer.Exit(EXIT_SOME_FAILED if self.results else EXIT_ALL_FAILED)


def each_input(paths: Iterable[Path], work: Callable[[Path], Result]) -> Outcome[Result]:
    """Do ``work`` for every path; one that fails does not keep the others from it."""
    outcome: Outcome[Result] = Outcome()
    for path in paths:
        try:
            outcome.results[path] = work(path)
        except CloudMaskError as error:
            outcome.fail(path, error)
    return outcome


def expand_inputs(arguments: Iterable[str]) -> list[Path]:
    """Paths of the arguments, patterns filled in; each once, those of a pattern sorted.

    Raises
    ------
    InputError
        A pattern has a form that cannot be.
    MissingFileError
        A pattern matches nothing.
    """
    paths: dict[Path, None] = {}
    for argument in arguments:
        path = Path(argument).expanduser()
        if path.exists() or not set(argument) & set("*?["):
            paths[path] = None
            continue
        root = Path(path.anchor)
        try:
            matches = sorted(root.glob(str(path.relative_to(root))))
        except ValueError as error:
            raise InputError(
                f"{argument!r} cannot be used as a pattern: {error}. Expected one such as "
                "'data/*.hdf', or 'data/**/*.hdf' for folders of any depth."
            ) from error
        if not matches:
            raise MissingFileError(f"No file or folder matches {argument!r}.")
        paths |= dict.fromkeys(matches)
    return list(paths)
