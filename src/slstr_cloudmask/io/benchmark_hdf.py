"""The scenes of the MLCommons Science CloudMask data set: HDF5 files, read and written.

    scene = read_scene("data/one-day/day/S3A_SL_1_RBT____….hdf")

A file is named as its product, ``S3A_SL_1_RBT____….hdf``, lies in a folder ``day`` or ``night``,
and holds ``refs`` (rows, columns, 6: S1 … S6, unit 1), ``bts`` (rows, columns, 3: S7 … S9, K),
``rads`` (rows, columns, 6), ``bayes`` and ``summary`` (rows, columns, 1). The layout knows no fill
value: pixels outside the swath are 0 in everything, and so are reflectances at night. Reading
turns those zeros into NaN; writing turns NaN into 0. Simulated files also hold ``truth`` and, one
data set (rows, columns) each, the strata that `slstr_cloudmask.scene` names.
"""

import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask import channels
from slstr_cloudmask.atomic import check_output, write_bytes
from slstr_cloudmask.errors import BrokenFileError, InputError
from slstr_cloudmask.flags import UNKNOWN, flag_variable, value_flag_variable
from slstr_cloudmask.io.hdf_layers import (
    FlagArray,
    mark_missing,
    opened,
    radiances,
    read_bands,
    read_flags,
    read_strata,
    stack_bands,
    write_strata,
)
from slstr_cloudmask.io.product_name import parse_product_name
from slstr_cloudmask.scene import Regime, build_scene, regime, valid_pixels

PATTERN = "S3*.hdf"
# Sentinel-3 SLSTR Level-1 products, flags_in.bayes_in: bit by meaning.
BAYES_MASKS = {"single_low": 1, "single_moderate": 2, "dual_low": 4, "dual_moderate": 8}


def read_scene(path: str | Path, *, labels: bool = True, strata: bool = False) -> xr.Dataset:
    """Read one file of the data set.

    Parameters
    ----------
    path
        A file ``S3*.hdf``.
    labels
        Read ``bayes``, ``summary`` and ``truth`` too, as far as the file has them.
    strata
        Read the strata of simulated scenes too, as far as the file has them.

    Returns
    -------
    xarray.Dataset
        A Scene of shape (rows, columns). A pixel whose three brightness temperatures are all
        missing (0, negative, not finite or above 1000 K) has no data: NaN in every band, 255 in
        every flag. A reflectance beyond -100 to 100 is missing. A pixel whose six reflectances
        are all 0 has no sunlight: NaN in them. Where no pixel has any, the reflectance bands are
        absent, and the attribute ``illumination`` is ``night``.

    Raises
    ------
    MissingFileError
        There is no such file.
    BrokenFileError
        The file is truncated, is not HDF5, or lacks ``refs`` or ``bts`` in their shapes.
    InputError
        The values cannot be reflectance and kelvin.
    """
    path = Path(path)
    with opened(path) as file:
        bts = read_bands(file, "bts", len(channels.THERMAL_NAMES), path)
        refs = read_bands(file, "refs", len(channels.REFLECTANCE_NAMES), path)
        if refs.shape[1:] != bts.shape[1:]:
            raise BrokenFileError(
                f"{path}: expected refs and bts on one grid, "
                f"found {refs.shape[1:]} and {bts.shape[1:]}."
            )
        flags = read_flags(file, bts.shape[1:], path) if labels else {}
        layers = read_strata(file, bts.shape[1:], path) if strata else {}
    seen = mark_missing(refs, bts)
    bands: dict[str, npt.ArrayLike] = dict(zip(channels.THERMAL_NAMES, bts, strict=True))
    attributes = _attributes(path)
    if any(np.isfinite(band).any() for band in refs):  # by day the first says so
        bands |= dict(zip(channels.REFLECTANCE_NAMES, refs, strict=True))
    else:
        attributes["illumination"] = "night"
    for values in flags.values():
        np.copyto(values, UNKNOWN, where=~seen)
    try:
        scene = build_scene(
            {name: bands[name] for name in channels.NAMES if name in bands},
            flags=_flag_variables(flags),
            truth=flags.get("truth"),
            attributes=attributes,
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return scene.assign(layers)


def day_or_night(path: str | Path, scene: xr.Dataset) -> str:
    """Say whether a scene counts as ``day`` or ``night``.

    Parameters
    ----------
    path
        The scene's file; a folder named ``day`` or ``night`` around it decides.
    scene
        The Scene; without such a folder, the regime of most of its pixels decides.
    """
    folder = Path(path).parent.name
    if folder in ("day", "night"):
        return folder
    regimes = regime(scene)
    night = np.count_nonzero(regimes == Regime.NIGHT)
    return "night" if 2 * night > np.count_nonzero(regimes != UNKNOWN) else "day"


def write_scene(path: str | Path, scene: xr.Dataset, *, overwrite: bool = False) -> None:
    """Write a Scene in the data set's layout; the file is whole or not there.

    What the layout cannot say is lost: coordinates, and the difference between 0 and no data.
    Strata are rounded to three digits, distances to whole kilometres.

    Parameters
    ----------
    path
        The file to write.
    scene
        A Scene with at least one brightness temperature.
    overwrite
        Replace what is there.

    Raises
    ------
    InputError
        The scene has no thermal band: without one, readers take every pixel for empty.
    OutputExistsError, WriteError
        As `slstr_cloudmask.atomic.replacing`.
    """
    if not any(name in scene for name in channels.THERMAL_NAMES):
        raise InputError(
            f"Cannot write {path}: expected at least one of {', '.join(channels.THERMAL_NAMES)}, "
            "without which every pixel of this layout counts as empty."
        )
    check_output(Path(path), overwrite=overwrite)
    refs = stack_bands(scene, channels.REFLECTANCE_NAMES)
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file["refs"] = refs
        file["bts"] = stack_bands(scene, channels.THERMAL_NAMES)
        file["rads"] = radiances(scene, refs)
        seen = valid_pixels(scene)
        for layer, name in (("bayes", "bayes"), ("summary", "summary_cloud"), ("truth", "truth")):
            if name in scene:
                fill = UNKNOWN if layer == "truth" else 0
                values = np.where(seen, scene[name].values, fill).astype(np.uint8)
                file[layer] = values[..., np.newaxis]
        write_strata(file, scene)
    write_bytes(Path(path), content.getbuffer(), overwrite=overwrite)


def _flag_variables(flags: dict[str, FlagArray]) -> dict[str, xr.Variable]:
    variables = {}
    if "bayes" in flags:
        variables["bayes"] = flag_variable(
            flags["bayes"], BAYES_MASKS, fill=UNKNOWN, long_name="Bayesian cloud flags"
        )
    if "summary" in flags:
        variables["summary_cloud"] = value_flag_variable(
            flags["summary"], {"clear": 0, "cloud": 1}, long_name="summary cloud flag"
        )
    return variables


def _attributes(path: Path) -> dict[str, Any]:
    """Attributes that the layout fixes, and those that the product's name tells."""
    attributes = {
        "source": path.name,
        "view": "nadir",
        "grid": "1km",
        "radiometry": "as_distributed",
    }
    name = parse_product_name(path.name)
    if name is not None:
        attributes |= {
            "platform": name.platform,
            "start_time": f"{name.start:%Y-%m-%dT%H:%M:%SZ}",
            "baseline": name.baseline,
        }
    return attributes
