"""Write a simulated scene as a Level-1 product: a ``.SEN3`` folder as the ground segment makes it.

    folder = write_product(Path("data") / "S3A_SL_1_RBT____....SEN3", make_views(recipe))

The files, their variables, types, packing and attributes are those of a real product
(`product_format`); beside them files of truth hold what is truly there. The folder is whole or not
there.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np

from slstr_cloudmask import __version__
from slstr_cloudmask.atomic import check_output, replacing
from slstr_cloudmask.errors import InputError
from slstr_cloudmask.io.geolocation import Grid
from slstr_cloudmask.io.product_name import EXAMPLE, MANIFEST, ProductName, parse_product_name
from slstr_cloudmask.simulate.product_description import absolute_orbit, describe, times
from slstr_cloudmask.simulate.product_format import Attribute, FileFormat, product_format
from slstr_cloudmask.simulate.product_grids import Placing, placing_of
from slstr_cloudmask.simulate.product_image import (
    Arrays,
    flags_arrays,
    indices_arrays,
    measurement_arrays,
)
from slstr_cloudmask.simulate.product_manifest_xml import Content, manifest_xml
from slstr_cloudmask.simulate.product_metadata_xml import utc
from slstr_cloudmask.simulate.product_netcdf import netcdf_file
from slstr_cloudmask.simulate.product_places import (
    cartesian_arrays,
    geodetic_arrays,
    geometry_arrays,
)
from slstr_cloudmask.simulate.product_records import (
    met_arrays,
    quality_arrays,
    time_arrays,
    viscal_arrays,
)
from slstr_cloudmask.simulate.product_truth import (
    TRUTH_GRIDS,
    truth_arrays,
    truth_attributes,
    truth_format,
    truth_unit,
)
from slstr_cloudmask.simulate.scene import Views

SUFFIX = ".SEN3"
COMMENT = (
    "Simulated: no satellite measured this. The format is that of a product; values that the "
    "simulator does not make are fill."
)

_MAKERS: dict[str, Callable[[FileFormat, Views, Placing], Arrays]] = {
    "BT": measurement_arrays,
    "radiance": measurement_arrays,
    "flags": flags_arrays,
    "indices": indices_arrays,
    "geodetic": geodetic_arrays,
    "cartesian": cartesian_arrays,
    "geometry": geometry_arrays,
    "time": time_arrays,
    "quality": quality_arrays,
    "viscal": viscal_arrays,
    "met": met_arrays,
}


def write_product(
    path: Path, views: Views, *, notes: Mapping[str, str] | None = None, overwrite: bool = False
) -> Path:
    """Write a product.

    Parameters
    ----------
    path
        The folder, with the name of a product: ``orbit.product_name`` and ``.SEN3``.
    views
        The scene, made by `make_views`. At night there are no files of S1 to S6.
    notes
        Texts for the global attributes of the files of truth.
    overwrite
        Replace a product that is there; a folder that holds other things is never replaced.

    Returns
    -------
    pathlib.Path
        ``path``.

    Raises
    ------
    InputError
        ``path`` has no such name.
    OutputExistsError
        It exists and ``overwrite`` is false, or it holds other things.
    WriteError
        The operating system refused to write; nothing is left behind.
    """
    name = parse_product_name(path.name)
    if name is None or path.suffix != SUFFIX:
        raise InputError(f"Expected the name of a product, such as {EXAMPLE}, found {path.name!r}.")
    check_output(path, overwrite=overwrite)
    known, placing = product_format(), placing_of(views.recipe.overpass, views.window)
    units = [unit for unit in known.units if _is_there(known.files[unit.file], views)]
    with replacing(path, overwrite=overwrite) as folder:
        folder.mkdir()
        contents = {}
        for unit in units:
            file = known.files[unit.file]
            arrays = _MAKERS[file.kind](file, views, placing)
            attributes = _attributes(file, name, views, placing)
            contents[file.name] = _write(folder, file, placing, attributes, arrays)
        for grid in TRUTH_GRIDS:
            truth = truth_format(views, grid)
            attributes = _attributes(truth, name, views, placing)
            attributes |= truth_attributes(views, notes or {})
            arrays = truth_arrays(truth, views, placing)
            contents[truth.name] = _write(folder, truth, placing, attributes, arrays)
        description = describe(name, views, placing)
        units += map(truth_unit, TRUTH_GRIDS)
        text = manifest_xml(description, units, known.annotations, contents)
        (folder / MANIFEST).write_text(text, "utf-8")
    return path


def _is_there(file: FileFormat, views: Views) -> bool:
    """Whether a product has a file: at night the reflective bands are not operated."""
    return file.kind != "radiance" or views.recipe.overpass.reflective


def _write(
    folder: Path,
    file: FileFormat,
    placing: Placing,
    attributes: Mapping[str, Attribute],
    arrays: Arrays,
) -> Content:
    """Write one file, and say what the manifest says of it."""
    content = netcdf_file(file, _sizes(file, placing), attributes, arrays)
    (folder / file.name).write_bytes(content)
    return Content(content.nbytes, hashlib.md5(content, usedforsecurity=False).hexdigest())


def _sizes(file: FileFormat, placing: Placing) -> dict[str, int]:
    if not file.grid:
        return {}
    grid = placing.grids[file.grid]
    sizes = {"rows": grid.rows, "columns": grid.columns}
    return sizes if file.grid[0] == "t" else sizes | {"orphan_pixels": placing.orphans(file.grid)}


def _attributes(
    file: FileFormat, name: ProductName, views: Views, placing: Placing
) -> dict[str, Attribute]:
    """Global attributes: what every product has, and what is of this one."""
    known = product_format()
    start, stop = times(views)
    values: dict[str, Attribute] = {
        "absolute_orbit_number": np.array([absolute_orbit(views)], np.uint32),
        "comment": COMMENT,
        "contact": "slstr-cloudmask",
        "creation_time": f"{name.created:%Y%m%dT%H%M%SZ}",
        "history": f"simulated, seed {views.recipe.seed}, world {views.recipe.world}",
        "institution": name.centre,
        "netCDF_version": f"none; HDF5 {h5py.version.hdf5_version}",
        "product_name": f"{name.stem}{SUFFIX}",
        "source": f"slstr-cloudmask {__version__} (simulated)",
        "start_time": utc(start),
        "stop_time": utc(stop),
    }
    if file.grid:
        values |= _grid_attributes(placing.grids[file.grid])
    wanted = known.attributes if file.grid else known.viscal_attributes
    constant = {key: text for key, text in wanted.items() if not isinstance(text, dict)}
    return {key: constant[key] if key in constant else values[key] for key in wanted}


def _grid_attributes(grid: Grid) -> dict[str, Attribute]:
    """Attributes that `io.geolocation.grid_from_attributes` reads."""
    return {
        "resolution": f"[ {grid.across_m:g} {grid.along_m:g} ]",
        "start_offset": np.array([grid.start_offset], np.int32),
        "track_offset": np.array([grid.track_offset], np.int32),
    }
