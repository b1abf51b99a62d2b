"""The Scene contract: what is masked, an ``xarray.Dataset`` on dims ``("rows", "columns")``.

- data: any of ``S1`` ... ``S6`` (top-of-atmosphere reflectance, unit 1) and ``S7`` ... ``S9``
  (brightness temperature, K), float32, NaN = no data; a band that is not there is absent;
- coordinates where known: ``latitude``, ``longitude``, ``solar_zenith_angle``,
  ``satellite_zenith_angle`` (degrees);
- of a nadir scene, where `with_oblique` put them: the bands of the oblique view on this grid,
  ``S1_oblique`` ... ``S9_oblique``, NaN where it does not see. They are no bands of the scene, and
  a detector that does not ask for them sees none;
- flags where known: ``bayes``, ``cloud``, ``confidence`` (the product's own integers, with CF
  ``flag_masks`` and ``flag_meanings``), ``summary_cloud``; simulated scenes also carry ``truth``;
- strata of simulated scenes, by which masks are judged apart: ``optical_depth`` of the column of
  cloud, ``dust_optical_depth`` and ``smoke_optical_depth`` (0.55 um), ``glint_reflectance`` (sun
  glint at 0.87 um, unit 1), ``coast_distance`` (km), ``cloud_probability_provider`` (unit 1),
  ``cloud_shadow`` (share of the sunlight that clouds keep from the ground), float32,
  NaN = unknown; and ``cloud_kind`` and ``surface_kind``, uint8 with CF ``flag_values`` and
  ``flag_meanings``;
- attributes: ``platform``, ``start_time``, ``view``, ``grid``, ``baseline``, ``radiometry``,
  ``source``; ``illumination``, ``night`` where a scene without solar zenith angles and without
  reflectances is known to be one of the night (without it, its regime is unknown).

`build_scene` makes it, `check_scene` refuses what does not fit, and the small functions below read
it, so that nothing else needs to know how it is laid out. What comes out is the Mask (``mask``).
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask import channels
from slstr_cloudmask.errors import InputError, MissingLabelError
from slstr_cloudmask.flags import (
    DIMS,
    UNKNOWN,
    BoolArray,
    decode_flag,
    flag_masks,
    integer_flags,
    value_flag_variable,
)

COORDINATE_NAMES = ("latitude", "longitude", "solar_zenith_angle", "satellite_zenith_angle")
BIT_FLAG_NAMES = ("bayes", "cloud", "confidence")
LABEL_NAMES = (*BIT_FLAG_NAMES, "summary_cloud", "truth")
KIND_NAMES = ("cloud_kind", "surface_kind")
STRATUM_NAMES = (
    "optical_depth",
    *KIND_NAMES,
    "glint_reflectance",
    "coast_distance",
    "dust_optical_depth",
    "smoke_optical_depth",
    "cloud_probability_provider",
    "cloud_shadow",
)

PIXEL_KM = {"1km": 1.0, "500m": 0.5}  # by the attribute ``grid``

FloatArray = npt.NDArray[np.floating[Any]]


class Regime(IntEnum):
    """Which bands carry information at a pixel."""

    NIGHT = 0
    TWILIGHT = 1
    DAY = 2


# SLSTR's reflective bands are operated to a solar zenith angle of 80 degrees (ESA, Sentinel-3
# SLSTR coverage page); from there to the horizon sunlight is present but weak and slanting.
DAY_MAX_SOLAR_ZENITH_DEG = 80.0
TWILIGHT_MAX_SOLAR_ZENITH_DEG = 90.0

# Brightness temperatures outside this are not of the Earth, so the unit is wrong.
PLAUSIBLE_MEDIAN_BT_KELVIN = (150.0, 400.0)
# A median reflectance above this means percent, or radiance.
PLAUSIBLE_MEDIAN_REFLECTANCE = 3.0
SAMPLED_PIXELS = 10_000  # of a band, for its median

COORDINATE_ATTRIBUTES: dict[str, dict[str, str]] = {
    "latitude": {"standard_name": "latitude", "units": "degrees_north"},
    "longitude": {"standard_name": "longitude", "units": "degrees_east"},
    "solar_zenith_angle": {"standard_name": "solar_zenith_angle", "units": "degree"},
    "satellite_zenith_angle": {"standard_name": "platform_zenith_angle", "units": "degree"},
}


def build_scene(
    bands: Mapping[str, npt.ArrayLike],
    *,
    coordinates: Mapping[str, npt.ArrayLike] | None = None,
    flags: Mapping[str, xr.Variable] | None = None,
    truth: npt.ArrayLike | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Make a Scene from arrays.

    Parameters
    ----------
    bands
        Arrays (rows, columns) by band name; reflectance with unit 1, brightness temperature in K,
        NaN where there is no data.
    coordinates
        Arrays (rows, columns) in degrees for any of ``COORDINATE_NAMES``.
    flags
        ``bayes``, ``cloud``, ``confidence``, ``summary_cloud``, each made by `flag_variable`.
    truth
        True cloud (rows, columns): 1 cloud, 0 clear, 255 unknown; simulated scenes only.
    attributes
        Any of the Scene's attributes.

    Returns
    -------
    xarray.Dataset
        The scene.

    Raises
    ------
    InputError
        No band, an unknown name, shapes that differ, or values that cannot be in these units.
    """
    data: dict[str, Any] = {}
    for name, values in bands.items():
        if name not in channels.BY_NAME:
            raise InputError(f"Unknown band {name!r}: expected any of {', '.join(channels.NAMES)}.")
        data[name] = (DIMS, np.asarray(values, np.float32), band_attributes(name))
    data.update(flags or {})
    if truth is not None:
        meanings = {"clear": 0, "cloud": 1}
        data["truth"] = value_flag_variable(truth, meanings, long_name="true cloud")
    placed = {
        name: (DIMS, np.asarray(values, np.float32), COORDINATE_ATTRIBUTES[name])
        for name, values in (coordinates or {}).items()
    }
    try:
        scene = xr.Dataset(data, coords=placed, attrs=dict(attributes or {}))
    except ValueError as error:
        raise InputError(f"The scene's arrays do not share one shape: {error}") from error
    return check_scene(scene)


def check_scene(scene: xr.Dataset) -> xr.Dataset:
    """Return ``scene`` if it keeps the contract, with `integer_flags`.

    Raises
    ------
    InputError
        No band, dims other than ``("rows", "columns")``, or values in other units.
    """
    checked = check_layout(scene)
    for name in bands_present(checked):
        _check_unit(name, checked[name].values)
    return checked


def check_layout(scene: xr.Dataset) -> xr.Dataset:
    """Return ``scene`` if it holds bands on the right dims, as `check_scene`, reading no band.

    Raises
    ------
    InputError
        No band, or dims other than ``("rows", "columns")``.
    """
    present = bands_present(scene)
    if not present:
        raise InputError(
            f"The scene holds no SLSTR band: expected any of {', '.join(channels.NAMES)}, "
            f"found {', '.join(map(str, scene.data_vars)) or 'nothing'}."
        )
    for name in present:
        if scene[name].dims != DIMS:
            raise InputError(
                f"Band {name} has dims {scene[name].dims}: expected {DIMS}. "
                "Rename or transpose the data set."
            )
    return integer_flags(scene)


def _check_unit(name: str, values: FloatArray) -> None:
    sample = values.ravel()[:: max(1, values.size // SAMPLED_PIXELS)]
    finite = sample[np.isfinite(sample)]
    if finite.size < SAMPLED_PIXELS // 100:  # few pixels were seen, and may lie close together
        finite = values[np.isfinite(values)]
    if finite.size == 0:
        return
    median = float(np.median(finite))
    if channels.BY_NAME[name].kind == "brightness_temperature":
        low, high = PLAUSIBLE_MEDIAN_BT_KELVIN
        if not low <= median <= high:
            raise InputError(
                f"Band {name} has median {median:.6g}: expected kelvin, {low:g} to {high:g}."
            )
    elif abs(median) > PLAUSIBLE_MEDIAN_REFLECTANCE:
        raise InputError(
            f"Band {name} has median {median:.6g}: expected reflectance with unit 1, "
            "not percent or radiance."
        )


def band_attributes(name: str) -> dict[str, Any]:
    """Return a band's CF attributes: standard name, unit, wavelength."""
    channel = channels.BY_NAME[name]
    standard_name = {
        "reflectance": "toa_bidirectional_reflectance",
        "brightness_temperature": "toa_brightness_temperature",
    }[channel.kind]
    return {
        "standard_name": standard_name,
        "units": channel.unit,
        "wavelength_um": channel.wavelength_um,
    }


def bands_present(scene: xr.Dataset) -> tuple[str, ...]:
    """Names of the bands that the scene holds, in the instrument's order."""
    return tuple(name for name in channels.NAMES if name in scene)


def bands_missing(scene: xr.Dataset) -> tuple[str, ...]:
    """Names of the bands that the scene does not hold, in the instrument's order."""
    return tuple(name for name in channels.NAMES if name not in scene)


def with_oblique(nadir: xr.Dataset, oblique: xr.Dataset) -> xr.Dataset:
    """Return a nadir scene that holds the oblique view's bands too, on its own grid.

    Parameters
    ----------
    nadir, oblique
        Scenes of the two views of one product on the same grid spacing, with the attributes
        ``start_offset`` and ``track_offset``.

    Raises
    ------
    InputError
        They do not say where their grids lie.
    """
    here, there = shared_ground(nadir, oblique)
    placed = {}
    for name in bands_present(oblique):
        values = np.full(nadir[bands_present(nadir)[0]].shape, np.nan, np.float32)
        values[here] = oblique[name].values[there]
        placed[f"{name}_oblique"] = xr.Variable(DIMS, values, band_attributes(name))
    return nadir.assign(placed)


Place = tuple[slice, slice]


def shared_ground(nadir: xr.Dataset, oblique: xr.Dataset) -> tuple[Place, Place]:
    """Slice the ground that both views' images, of scenes or masks, have in common.

    Both count columns from the sub-satellite track and rows from the start of the orbit.

    Returns
    -------
    here, there
        Rows and columns of the nadir and of the oblique image.

    Raises
    ------
    InputError
        An image does not say where it lies.
    """
    down = _offset(nadir, "start_offset") - _offset(oblique, "start_offset")
    across = _offset(oblique, "track_offset") - _offset(nadir, "track_offset")
    rows = _overlap(nadir.sizes["rows"], oblique.sizes["rows"], down)
    columns = _overlap(nadir.sizes["columns"], oblique.sizes["columns"], across)
    return (rows[0], columns[0]), (rows[1], columns[1])


def _offset(image: xr.Dataset, name: str) -> int:
    if name not in image.attrs:
        raise InputError(
            f"The image of {image.attrs.get('source', 'this scene')} has no attribute {name}, "
            "which places its view: expected one of a .SEN3 product."
        )
    return round(float(image.attrs[name]))


def _overlap(here: int, there: int, shift: int) -> Place:
    """Slice what both images have along an axis: number i here is number i + shift there."""
    first, last = max(0, -shift), max(0, -shift, min(here, there - shift))
    return slice(first, last), slice(first + shift, last + shift)


def valid_pixels(scene: xr.Dataset) -> BoolArray:
    """Pixels that were seen: at least one thermal band is finite (any band, where none is there).

    The thermal bands see day and night, so a pixel without any of them lies outside the swath or
    in a lost line.
    """
    present = bands_present(scene)
    names = [name for name in present if name in channels.THERMAL_NAMES] or present
    valid = np.zeros(scene[present[0]].shape, bool)
    for name in names:
        valid |= np.isfinite(scene[name].values)
    return valid


def regime(scene: xr.Dataset) -> npt.NDArray[np.uint8]:
    """Day, twilight or night at each pixel, as `Regime` values; 255 where unknown.

    From the solar zenith angle where the scene has it; otherwise, in a scene with reflectances, a
    pixel with a finite one is day and one without is night. A scene without either is unknown,
    unless its attribute ``illumination`` is ``night``: the thermal bands may be sunlit.
    """
    result = np.full(scene[bands_present(scene)[0]].shape, UNKNOWN, np.uint8)
    if "solar_zenith_angle" in scene.coords:
        zenith_deg = scene["solar_zenith_angle"].values
        result[zenith_deg < DAY_MAX_SOLAR_ZENITH_DEG] = Regime.DAY
        result[zenith_deg >= DAY_MAX_SOLAR_ZENITH_DEG] = Regime.TWILIGHT
        result[zenith_deg >= TWILIGHT_MAX_SOLAR_ZENITH_DEG] = Regime.NIGHT
        return result
    reflectances = [name for name in channels.REFLECTANCE_NAMES if name in scene]
    if not reflectances and scene.attrs.get("illumination") != "night":
        return result
    sunlit = np.zeros(result.shape, bool)
    for name in reflectances:
        sunlit |= np.isfinite(scene[name].values)
    light = np.where(sunlit, np.uint8(Regime.DAY), np.uint8(Regime.NIGHT))
    np.copyto(result, light, where=valid_pixels(scene))
    return result


def surface_flag(scene: xr.Dataset, meaning: str) -> BoolArray | None:
    """Where the product says ``ocean``, ``land``, ``coastline`` or ``inland_water``.

    None where the scene has no flag ``confidence``, or one that does not know the word.
    """
    if "confidence" not in scene:
        return None
    confidence = scene["confidence"]
    if "flag_meanings" not in confidence.attrs or meaning not in flag_masks(confidence.attrs):
        return None
    return decode_flag(confidence, meaning)[0]


def usable_bands(regime: int) -> tuple[str, ...]:
    """Names of the bands that carry information in a regime, in the instrument's order.

    By twilight S1-S6 hold weak, slanting light, where they are still operated, and S7 holds
    sunlight that cannot be told from emission; at night S1-S6 are not there. Where the light is
    unknown, it may be night or twilight.

    Parameters
    ----------
    regime
        A `Regime`, or 255 where it is unknown.
    """
    # Of the thermal bands by light, as in the operational Bayesian test over sea: Merchant et al.
    # (2005).
    if regime == UNKNOWN:
        return ("S8", "S9")
    return {
        Regime.DAY: channels.NAMES,
        Regime.TWILIGHT: tuple(name for name in channels.NAMES if name != "S7"),
        Regime.NIGHT: channels.THERMAL_NAMES,
    }[Regime(regime)]


def label(scene: xr.Dataset, name: str = "bayes") -> tuple[BoolArray, BoolArray]:
    """Read a cloud label.

    Parameters
    ----------
    scene
        A Scene.
    name
        ``bayes`` (any bit set is cloud, as in the benchmark), ``truth`` or ``summary_cloud``.

    Returns
    -------
    cloud, known
        Boolean arrays (rows, columns). Pixels that were not seen are not known.

    Raises
    ------
    MissingLabelError
        The scene holds no such label.
    """
    if name not in scene:
        where = scene.attrs.get("source", "the scene")
        raise MissingLabelError(
            f"Labels are needed, and {where} holds no {name!r}. "
            "Use scenes with labels, or predict without scoring."
        )
    values = integer_flags(scene[[name]])[name].values
    known = (values != UNKNOWN) & valid_pixels(scene)
    return known & (values > 0), known
