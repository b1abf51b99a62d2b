"""The house's own rules: which way imports point, what stays light, what the surface is."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import slstr_cloudmask
from slstr_cloudmask import errors

PACKAGE = Path(slstr_cloudmask.__file__).parent

# Rooms in the order that data flows through them; a room may import those before it.
ORDER = [
    "__init__",  # holds the version; imports the rest only when asked
    "errors",
    "channels",
    "atomic",
    "progress",
    "processes",
    "workers",
    "pipeline",
    "extras",
    "events",
    "validation",
    "flags",
    "sun",
    "scene",
    "mask",
    "operational",
    "radiometry",
    "io",
    "simulate",
    "network",
    "detectors",
    "evaluation",
    "assessment",  # detectors on scenes: where io, detectors and evaluation meet
    "training",
    "benchmark",
    "sweep",
    "report",
    "api",
    "xarray_engine",
    "cli",
    "__main__",
]
# Narrower still (design): rooms that may import only these.
ONLY = {
    "errors": set(),
    "channels": {"errors"},
    "evaluation": {"__init__", "errors", "flags", "scene"},
    "network": {
        "__init__",
        "errors",
        "channels",
        "atomic",
        "extras",
        "flags",
        "scene",
        "radiometry",
    },
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imported_modules(path: Path) -> set[str]:
    """Modules of this package that a file imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "slstr_cloudmask":
                names |= {f"slstr_cloudmask.{alias.name}" for alias in node.names}
            names.add(node.module)
    return {name for name in names if name.split(".")[0] == "slstr_cloudmask"}


def module_name(path: Path) -> str:
    relative = path.relative_to(PACKAGE.parent).with_suffix("")
    return ".".join(part for part in relative.parts if part != "__init__")


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_point_up(path: Path) -> None:
    mine = room(module_name(path))
    if path == PACKAGE / "__init__.py":
        return  # only for type checkers, and by name when asked
    for name in imported_modules(path):
        other = room(name)
        if other not in ORDER:  # a name of the package itself, such as __version__
            continue
        assert ORDER.index(other) <= ORDER.index(mine), f"{mine} imports {name}"
        if mine in ONLY and other != mine:
            assert other in ONLY[mine] | {"__init__"}, f"{mine} imports {name}"


def test_every_room_has_its_place() -> None:
    assert {room(module_name(path)) for path in MODULES} == set(ORDER)


@pytest.mark.parametrize(
    "module",
    [
        "channels",
        "scene",
        "io",
        "io.sen3",
        "io.benchmark_hdf",
        "io.mask_file",
        "io.scene_file",
        "report.comparison_figure",
        "io.stac",
        "io.mask_output",
        "simulate.scene",
        "simulate.dataset",
        "benchmark.download",
        "benchmark.set_summary",
        "benchmark.scaling_model",
        "evaluation.scores",
        "evaluation.summary",
        "assessment",
        "benchmark.timers",
        "benchmark.sampling",
        "report.page",
        "report.quicklook",
        "report.realism_page",
        "report.gallery",
        "report.board_page",
        "report.evaluation_page",
        "report.data_page",
        "report.scene_map",
        "report.scaling_figure",
        "cli.app",
    ],
)
def test_no_torch_where_none_is_needed(module: str) -> None:
    program = f"import sys, slstr_cloudmask.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_public_names() -> None:
    assert slstr_cloudmask.__all__ == sorted(slstr_cloudmask.__all__)
    for name in slstr_cloudmask.__all__:
        assert getattr(slstr_cloudmask, name)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = slstr_cloudmask.nonsense


def test_every_error_is_also_a_builtin() -> None:
    kinds = [value for value in vars(errors).values() if isinstance(value, type)]
    for kind in kinds:
        assert issubclass(kind, errors.CloudMaskError)
        if kind is not errors.CloudMaskError:
            assert issubclass(kind, ValueError | OSError | ImportError), kind
