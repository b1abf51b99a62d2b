"""The files of a simulated product that real products lack: what is truly there, in either view.

    arrays = truth_arrays(truth_format(views, "in"), views, placing)

``truth_in.nc`` and ``truth_io.nc`` lie on the 1 km grids of nadir and of the oblique view. Their
variables are ``truth_in`` and, named alike, the strata of a simulated scene, with CF flag
attributes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from slstr_cloudmask.io.sen3_truth import STEMS
from slstr_cloudmask.scene import STRATUM_NAMES
from slstr_cloudmask.simulate.product_format import Attribute, FileFormat, Unit, VariableFormat
from slstr_cloudmask.simulate.product_grids import Placing
from slstr_cloudmask.simulate.product_image import Arrays, view_of
from slstr_cloudmask.simulate.scene import Views

TRUTH_GRIDS = {stem.removeprefix("truth_"): view for view, stem in STEMS.items()}
TRUTH_FILES = {grid: f"{STEMS[view]}.nc" for grid, view in TRUTH_GRIDS.items()}


def truth_unit(grid: str) -> Unit:
    """Describe the file of a grid for the manifest."""
    return Unit(
        f"SLSTR_TRUTH_{grid.upper()}_Unit",
        "Annotation Data Unit",
        "True cloud of a simulated scene, and what is there, for the 1km TIR grid, "
        f"{TRUTH_GRIDS[grid]} view",
        TRUTH_FILES[grid],
        (),
    )


def truth_format(views: Views, grid: str) -> FileFormat:
    """Describe the file of a scene on a grid."""
    scene = view_of(views, grid).scene
    names = [name for name in ("truth", *STRATUM_NAMES) if name in scene]
    variables = {f"{name}_{grid}": _format(scene[name].variable) for name in names}
    return FileFormat(TRUTH_FILES[grid], "truth", "", grid, "simulated", {}, variables)


def truth_arrays(file: FileFormat, views: Views, placing: Placing) -> Arrays:
    """Values of a file's variables."""
    scene, ending = view_of(views, file.grid).scene, f"_{file.grid}"
    return {
        name: placing.on(scene[name.removesuffix(ending)].values, file.grid)
        for name in file.variables
    }


def truth_attributes(views: Views, notes: Mapping[str, str]) -> dict[str, Attribute]:
    """How the scene was made, in global attributes of the files."""
    recipe = views.recipe
    return {
        "cloud_optical_depth": np.array([recipe.cloud_optical_depth]),
        "like": recipe.like,
        "seed": np.array([recipe.seed], np.int64),
        "world": recipe.world,
        **notes,
    }


def _format(variable: xr.Variable) -> VariableFormat:
    dtype = variable.dtype.name
    fill: Any = variable.attrs.get("_FillValue", np.nan)
    known = {**variable.attrs, "_FillValue": fill}
    attributes: dict[str, Attribute] = {
        name: value if isinstance(value, str) else np.atleast_1d(np.asarray(value, dtype))
        for name, value in sorted(known.items())
    }
    return VariableFormat(dtype, ("rows", "columns"), fill, attributes)
