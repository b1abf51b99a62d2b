"""Several inputs on one command line: patterns, URLs, a line for each that fails, exit code."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import typer

from slstr_cloudmask.errors import CloudMaskError, InputError, MissingFileError
from slstr_cloudmask.io.product_name import product_folder_name
from slstr_cloudmask.io.remote import is_remote, without_secrets

Input = str | Path  # a URL is text: a Path would make one slash of its two
AnyInput = TypeVar("AnyInput", bound=Input)
Result = TypeVar("Result")

EXIT_SOME_FAILED = 1
EXIT_ALL_FAILED = 2


@dataclass
class Outcome(Generic[AnyInput, Result]):
    """How it went with each input.

    Attributes
    ----------
    results
        What came out, by input, for those that went well.
    failures
        Message by input for the others.
    """

    results: dict[AnyInput, Result] = field(default_factory=dict)
    failures: dict[AnyInput, str] = field(default_factory=dict)

    def fail(self, path: AnyInput, error: CloudMaskError) -> None:
        """Note a failure, and say it on stderr in one line."""
        message = " ".join(str(error).split())
        self.failures[path] = message
        sys.stdout.flush()
        typer.secho("failed: ", fg="red", bold=True, nl=False, err=True)
        typer.echo(f"{product_folder_name(path)}: {message}", err=True)

    def exit(self) -> None:
        """End the command: 0 done, 1 some inputs failed, 2 all of them."""
        if self.failures:
            raise typer.Exit(EXIT_SOME_FAILED if self.results else EXIT_ALL_FAILED)


def each_input(
    paths: Iterable[AnyInput], work: Callable[[AnyInput], Result]
) -> Outcome[AnyInput, Result]:
    """Do ``work`` for every path; one that fails does not keep the others from it."""
    outcome: Outcome[AnyInput, Result] = Outcome()
    for path in paths:
        try:
            outcome.results[path] = work(path)
        except CloudMaskError as error:
            outcome.fail(path, error)
    return outcome


def expand_products(arguments: Iterable[str]) -> list[Input]:
    """Paths of the arguments, patterns filled in, and URLs as they are.

    Each once, those of a pattern sorted.

    Raises
    ------
    InputError
        A pattern has a form that cannot be.
    MissingFileError
        A pattern matches nothing.
    """
    found: dict[Input, None] = {}
    for argument in arguments:
        found |= dict.fromkeys([argument] if is_remote(argument) else _matches(argument))
    return list(found)


def expand_inputs(arguments: Iterable[str]) -> list[Path]:
    """As `expand_products`, for files and folders on this machine.

    Raises
    ------
    InputError
        One of them is a URL.
    """
    paths = []
    for found in expand_products(arguments):
        if isinstance(found, str):
            raise InputError(
                f"{without_secrets(found)} is a URL: expected a file or folder on this machine. "
                "Download it first."
            )
        paths.append(found)
    return paths


def _matches(argument: str) -> list[Path]:
    """Fill in one pattern."""
    path = Path(argument).expanduser()
    if path.exists() or not set(argument) & set("*?["):
        return [path]
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
    return matches
