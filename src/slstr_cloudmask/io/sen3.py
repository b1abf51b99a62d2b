"""Read a Sentinel-3 SLSTR Level-1 product (``.SEN3``) as a Scene.

    scene = read_sen3("S3A_SL_1_RBT____....SEN3", view="oblique")

S7-S9 are as they are, S1-S6 are turned into reflectance; what is measured on the other grid is
brought to the scene's. Angles, and positions where the product has them no other way, are
interpolated from the tie points. A band whose file is not there is absent from the scene, and one
warning names all of them: at night a product holds no S1-S6. Values are read when they are first
looked at.
"""

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask import channels
from slstr_cloudmask.errors import BrokenFileError, CloudMaskError
from slstr_cloudmask.flags import UNKNOWN, flag_masks, value_flag_variable
from slstr_cloudmask.io.lazy import lazy_variable
from slstr_cloudmask.io.product_name import ProductName
from slstr_cloudmask.io.product_store import Product, open_product
from slstr_cloudmask.io.sen3_geolocation import has_positions
from slstr_cloudmask.io.sen3_reader import Options, SceneReader
from slstr_cloudmask.io.sen3_truth import truth_variables
from slstr_cloudmask.scene import (
    COORDINATE_ATTRIBUTES,
    DAY_MAX_SOLAR_ZENITH_DEG,
    band_attributes,
)

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]

S7_COMMENT = "F1 where S7 saturates, near 311 K: see S7_source"


def read_sen3(
    path: str | Path | Product,
    *,
    view: str = "nadir",
    grid: str = "1km",
    stripe: str = "a",
    radiometry: str | None = None,
    regrid: str = "mean",
    fill_s7: bool = True,
    strata: bool = False,
) -> xr.Dataset:
    """Open a product; parameters and errors as `slstr_cloudmask.io.open_scene`.

    Returns
    -------
    xarray.Dataset
        A Scene whose values are read when they are first looked at. ``S7_source`` tells which
        pixels of S7 are F1's.
    """
    options = Options(view, grid, stripe, radiometry, regrid, fill_s7)
    product = path if isinstance(path, Product) else open_product(path)
    with _whole(product.location):
        reader = SceneReader(product, options)
        _warn_of_missing_bands(reader)
        variables = _bands(reader) | _flags(reader)
        variables |= truth_variables(product, view, grid, strata=strata)
        return xr.Dataset(variables, _coordinates(reader), _scene_attributes(reader))


def _bands(reader: SceneReader) -> dict[str, xr.Variable]:
    bands = {
        name: _lazy(reader, np.float32, partial(reader.band, name), band_attributes(name))
        for name in reader.bands
    }
    if words := reader.fire_words:
        bands["S7"].attrs |= {"comment": S7_COMMENT, "ancillary_variables": "S7_source"}
        source = value_flag_variable(
            np.zeros((0, 0)), {"S7": 0, "F1": 1}, long_name="band that S7 is taken from"
        )
        source.attrs["comment"] = words
        bands["S7_source"] = _lazy(reader, np.uint8, partial(_s7_source, reader), source.attrs)
    return bands


def _flags(reader: SceneReader) -> dict[str, xr.Variable]:
    flags = {
        name: _lazy(reader, flag.dtype, partial(reader.flag, name), flag.attrs)
        for name, flag in reader.flags.items()
    }
    if "confidence" in flags and "summary_cloud" in flag_masks(flags["confidence"].attrs):
        summary = value_flag_variable(
            np.zeros((0, 0)), {"clear": 0, "cloud": 1}, long_name="summary of the cloud tests"
        )
        flags["summary_cloud"] = _lazy(reader, np.uint8, partial(_summary, reader), summary.attrs)
    return flags


def _coordinates(reader: SceneReader) -> dict[str, xr.Variable]:
    """Positions and angles, as far as the product has them."""
    loads: dict[str, Callable[[], Array]] = {}
    if has_positions(reader.layout):
        loads |= {"latitude": partial(_position, reader, 0)}
        loads |= {"longitude": partial(_position, reader, 1)}
    if reader.layout.has(reader.layout.on("geometry", "t")):
        loads["solar_zenith_angle"] = partial(getattr, reader, "solar_zenith_deg")
        loads["satellite_zenith_angle"] = partial(getattr, reader, "satellite_zenith_deg")
    return {
        name: _lazy(reader, np.float32, load, COORDINATE_ATTRIBUTES[name])
        for name, load in loads.items()
    }


def _position(reader: SceneReader, axis: int) -> Array:
    return reader.positions[axis]


def _summary(reader: SceneReader) -> Array:
    return np.where(reader.unfilled, UNKNOWN, reader.summary_cloud())


def _s7_source(reader: SceneReader) -> Array:
    return np.where(np.isfinite(reader.band("S7")), reader.from_f1(), UNKNOWN)


def _lazy(
    reader: SceneReader, dtype: npt.DTypeLike, load: Callable[[], Array], attributes: dict[Any, Any]
) -> xr.Variable:
    shape = reader.grid.rows, reader.grid.columns
    return lazy_variable(shape, dtype, partial(_load, reader.product.location, load), attributes)


def _load(location: str, load: Callable[[], Array]) -> Array:
    with _whole(location):
        return load()


@contextmanager
def _whole(location: str) -> Iterator[None]:
    """Say of whatever else is wrong with a product's content that the product is damaged."""
    try:
        yield
    except CloudMaskError:
        raise
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        raise BrokenFileError(
            f"{location} is damaged: a file of it holds values or attributes that mean nothing "
            f"({type(error).__name__}: {error}). Download the product again."
        ) from error


def _warn_of_missing_bands(reader: SceneReader) -> None:
    """Name the bands that are not there, unless it is night and they never are."""
    held = reader.layout.bands()
    missing = [name for name in channels.NAMES if name not in held]
    if not missing:
        return
    surprising: Collection[str] = missing
    if reader.layout.has(reader.layout.on("geometry", "t")):
        zenith_deg = reader.solar_zenith_deg
        known = zenith_deg[np.isfinite(zenith_deg)]
        dark = known.size > 0 and known.min() >= DAY_MAX_SOLAR_ZENITH_DEG
        expected = channels.THERMAL_NAMES if dark else channels.NAMES
        surprising = [name for name in missing if name in expected]
    name = reader.product.name
    if surprising:
        logger.warning("%s holds no %s.", name, ", ".join(surprising))
    else:
        logger.info("%s is a night scene, without %s.", name, ", ".join(missing))


def _scene_attributes(reader: SceneReader) -> dict[str, Any]:
    options = reader.options
    attributes: dict[str, Any] = {
        "view": options.view,
        "grid": options.grid,
        "stripe": options.stripe,
        "regrid": options.regrid,
        "start_offset": reader.grid.start_offset,
        "track_offset": reader.grid.track_offset,
        "source": reader.product.name,
    }
    if reader.name is None:
        start = reader.attributes.get("start_time")
        return attributes | ({"start_time": str(start)} if start else {})
    radiometry = options.radiometry or reader.distributed_radiometry
    known = {"radiometry": radiometry} if radiometry else {}
    return attributes | _named(reader.name) | known


def _named(name: ProductName) -> dict[str, Any]:
    return {
        "platform": name.platform,
        "start_time": name.start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "stop_time": name.stop.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "cycle": name.cycle,
        "relative_orbit": name.relative_orbit,
        "baseline": name.baseline,
    }
