"""The Scene's light: what is known of it, and what is not."""

import numpy as np
import pytest

from slstr_cloudmask.flags import UNKNOWN
from slstr_cloudmask.scene import Regime, build_scene, regime, usable_bands

KELVIN = np.array([[280.0, 290.0, np.nan]])


def test_regime_by_the_sun() -> None:
    zenith_deg = np.array([[79.0, 80.0, 90.0]])
    scene = build_scene({"S8": KELVIN}, coordinates={"solar_zenith_angle": zenith_deg})
    assert regime(scene).tolist() == [[Regime.DAY, Regime.TWILIGHT, Regime.NIGHT]]
    # The angle knows better than the attribute.
    told = regime(scene.assign_attrs(illumination="night"))
    np.testing.assert_array_equal(told, regime(scene))


def test_regime_by_the_reflectances() -> None:
    scene = build_scene({"S1": np.array([[0.1, np.nan, np.nan]]), "S8": KELVIN})
    assert regime(scene).tolist() == [[Regime.DAY, Regime.NIGHT, UNKNOWN]]


def test_regime_is_unknown_without_angles_and_reflectances() -> None:
    scene = build_scene({"S8": KELVIN})
    assert regime(scene).tolist() == [[UNKNOWN, UNKNOWN, UNKNOWN]]
    dark = build_scene({"S8": KELVIN}, attributes={"illumination": "night"})
    assert regime(dark).tolist() == [[Regime.NIGHT, Regime.NIGHT, UNKNOWN]]


@pytest.mark.parametrize(
    ("light", "bands"),
    [
        (Regime.DAY, "S1 S2 S3 S4 S5 S6 S7 S8 S9"),
        (Regime.TWILIGHT, "S1 S2 S3 S4 S5 S6 S8 S9"),
        (Regime.NIGHT, "S7 S8 S9"),
        (UNKNOWN, "S8 S9"),
        (2, "S1 S2 S3 S4 S5 S6 S7 S8 S9"),  # as it is in a field of regimes
    ],
)
def test_bands_by_light(light: int, bands: str) -> None:
    assert usable_bands(light) == tuple(bands.split())


def test_bands_of_no_light_at_all() -> None:
    with pytest.raises(ValueError, match="3 is not a valid Regime"):
        usable_bands(3)
