"""The one file of a simulated product that real products lack: what is truly there.

    content = truth_file(views, sizes, attributes)

``truth_in.nc`` lies on the 1 km nadir grid. Its variables are ``truth_in`` and, named alike, the
strata of a simulated scene, with CF flag attributes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from slstr_cloudmask.scene import STRATUM_NAMES
from slstr_cloudmask.simulate.product_format import Attribute, FileFormat, Unit, VariableFormat
from slstr_cloudmask.simulate.product_image import Arrays
from slstr_cloudmask.simulate.scene import Views

TRUTH = "truth_in.nc"
TRUTH_UNIT = Unit(
    "SLSTR_TRUTH_IN_Unit",
    "Annotation Data Unit",
    "True cloud of a simulated scene, and what is there, for the 1km TIR grid, nadir view",
    TRUTH,
    (),
)


def truth_format(views: Views) -> FileFormat:
    """Describe the file of a scene."""
    scene = views.nadir.scene
    names = [name for name in ("truth", *STRATUM_NAMES) if name in scene]
    variables = {f"{name}_in": _format(scene[name].variable) for name in names}
    return FileFormat(TRUTH, "truth", "", "in", "simulated", {}, variables)


def truth_arrays(views: Views) -> Arrays:
    """Values of the file's variables."""
    return {name: views.nadir.scene[name[:-3]].values for name in truth_format(views).variables}


def truth_attributes(views: Views, notes: Mapping[str, str]) -> dict[str, Attribute]:
    """How the scene was made, in global attributes of the file."""
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
