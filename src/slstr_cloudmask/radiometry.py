"""The two radiometries of reflectances, and the way from one to the other.

    scene = convert_radiometry(scene, "adjusted")

SLSTR's S1-S6 are known to be a few percent off, by band and view; the agencies publish the factors
that mend it. ``as_distributed`` is without them: what baselines up to 004 distribute, and what the
benchmark holds. ``adjusted`` is with them, and so are the products of baseline 005 as they come.
A scene's attribute ``radiometry`` says which it is. Brightness temperatures are the same in both.
"""

from collections.abc import Mapping
from typing import Literal, get_args

import xarray as xr

from slstr_cloudmask.channels import REFLECTANCE_NAMES
from slstr_cloudmask.errors import InputError

Radiometry = Literal["as_distributed", "adjusted"]
RADIOMETRIES: tuple[Radiometry, ...] = get_args(Radiometry)

# Adjusted = factor x as distributed, by view and band: EUMETSAT, product notice S3.PN-SLSTR-L1.08
# (18 May 2021), after RAL Space, technical note TN.020 on vicarious calibration. Uncertainties,
# S1 to S6: .03, .02, .02, none given for S4, .02, .02. satpy and EOReader use the same table.
ADJUSTMENT: Mapping[str, Mapping[str, float]] = {
    "nadir": {"S1": 0.97, "S2": 0.98, "S3": 0.98, "S4": 1.0, "S5": 1.11, "S6": 1.13},
    "oblique": {"S1": 0.94, "S2": 0.95, "S3": 0.95, "S4": 1.0, "S5": 1.04, "S6": 1.07},
}


def convert_radiometry(scene: xr.Dataset, to: str) -> xr.Dataset:
    """Return the Scene with its reflectances in another radiometry.

    Parameters
    ----------
    scene
        A Scene. It is not changed; its bands stay lazy where they are dask arrays.
    to
        ``as_distributed`` or ``adjusted``.

    Returns
    -------
    xarray.Dataset
        The same object where there is nothing to do: the scene is in this radiometry already, or
        does not say in which it is. Else a Scene whose S1-S6 are multiplied (to ``adjusted``) or
        divided (to ``as_distributed``) by its view's factors, whose NaN stay NaN, and whose
        attribute ``radiometry`` is ``to``.

    Raises
    ------
    InputError
        ``to`` or the scene's ``radiometry`` is neither of the two, or the scene has reflectances
        and its ``view`` is neither ``nadir`` nor ``oblique``.
    """
    _check(to, "The radiometry to convert to is")
    known = scene_radiometry(scene)
    if known is None or known == to:
        return scene
    converted = {}
    for name, factor in _factors(scene).items():
        band = scene[name]
        changed = band * factor if to == "adjusted" else band / factor
        converted[name] = changed.assign_attrs(band.attrs)
    return scene.assign(converted).assign_attrs(radiometry=to)


def scene_radiometry(scene: xr.Dataset) -> str | None:
    """Radiometry that the scene's attributes name; None where they name none.

    Raises
    ------
    InputError
        They name one that does not exist.
    """
    radiometry: str | None = scene.attrs.get("radiometry")
    if radiometry is not None:
        _check(radiometry, f"The radiometry of {scene_name(scene)} is")
    return radiometry


def scene_name(scene: xr.Dataset) -> str:
    """Name of the scene's product or file for a message, as far as it is known."""
    return str(scene.attrs.get("source", "the scene"))


def reflectances_present(scene: xr.Dataset) -> tuple[str, ...]:
    """Names of the bands of the scene whose radiometry there can be doubt about."""
    return tuple(name for name in REFLECTANCE_NAMES if name in scene)


def _check(radiometry: object, what: str) -> None:
    if radiometry not in RADIOMETRIES:
        raise InputError(f"{what} {radiometry!r}: expected one of {', '.join(RADIOMETRIES)}.")


def _factors(scene: xr.Dataset) -> dict[str, float]:
    """Factor of each reflectance that the scene has, for its view."""
    names = reflectances_present(scene)
    view = str(scene.attrs.get("view", ""))
    if names and view not in ADJUSTMENT:
        raise InputError(
            f"The radiometry of {scene_name(scene)} cannot be converted: expected the attribute "
            f"'view' to be one of {', '.join(ADJUSTMENT)}, found {view!r}. "
            "Set scene.attrs['view'], or use a scene in the other radiometry."
        )
    return {name: ADJUSTMENT[view][name] for name in names}
