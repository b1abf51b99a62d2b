"""SCDA v2: its rules by hand, and where it says nothing."""

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr

from slstr_cloudmask.detectors import get_detector
from slstr_cloudmask.detectors.protocol import Detector
from slstr_cloudmask.detectors.scda import BANDS, Scda, scda_cloud
from slstr_cloudmask.scene import build_scene


def pixel(
    s1: float, s5: float, s7: float, s8: float, s9: float
) -> dict[str, npt.NDArray[np.float32]]:
    values = dict(zip(BANDS, (s1, s5, s7, s8, s9), strict=True))
    return {name: np.array([value], np.float32) for name, value in values.items()}


def scene(shape: tuple[int, int] = (3, 3), sun_deg: float = 50.0) -> xr.Dataset:
    """Build a thick water cloud."""
    values = {"S1": 0.6, "S5": 0.5, "S7": 300.0, "S8": 275.0, "S9": 274.0}
    return build_scene(
        {name: np.full(shape, value) for name, value in values.items()},
        coordinates={"solar_zenith_angle": np.full(shape, sun_deg)},
    )


@pytest.mark.parametrize(
    ("what", "bands", "cloud"),
    [
        # Index (.6 - .5) / 1.1 = .09; .09 / .6 = .15 < .8, 12 um below 290 K.
        ("water cloud", pixel(0.6, 0.5, 285, 275, 274), True),
        ("as bright but hot", pixel(0.6, 0.5, 303, 300, 298), False),
        # Index (.85 - .10) / .95 = .79; .79 / .85 = .93: no rule but the last could find it, and
        # 11 - 3.7 um of -3 K is no less than min(.5 * 254 - 133, -8) = -8 K.
        ("snow", pixel(0.85, 0.10, 258, 255, 254), False),
        # The same with 12 K of sunlight on droplets: .93 < 1.5 since S1 > .75, but the index must
        # not exceed .75: (.85 - .13) / .98 = .735.
        ("cloud over snow", pixel(0.85, 0.13, 267, 255, 254), True),
        ("too much like snow", pixel(0.85, 0.10, 267, 255, 254), False),
        # -15 K, .2 > .15, index (.2 - .15) / .35 = .14, .15 > .10, 12 um below 293 K.
        ("thin and reflecting", pixel(0.2, 0.15, 300, 285, 284), True),
        ("desert", pixel(0.2, 0.47, 311, 296, 292), False),  # index -.40
        ("-31 K alone", pixel(0.1, 0.05, 321, 290, 289), True),
        ("dark sea", pixel(0.07, 0.01, 292, 289, 288), False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_rules_by_hand(what: str, bands: dict[str, npt.NDArray[np.float32]], cloud: bool) -> None:
    assert bool(scda_cloud(bands)[0]) is cloud, what


def test_it_is_a_detector() -> None:
    assert isinstance(get_detector("scda"), Detector)
    mask = Scda().predict(scene())
    assert (mask["cloud_mask"].values == 1).all()
    assert mask.attrs["bands_used"].split() == list(BANDS)


@pytest.mark.parametrize("sun_deg", [85.0, 120.0])
def test_in_twilight_and_at_night_nothing_is_known(sun_deg: float) -> None:
    assert (Scda().predict(scene(sun_deg=sun_deg))["cloud_mask"].values == 255).all()


@pytest.mark.parametrize("shape", [(1, 1), (3, 3)])
@pytest.mark.parametrize("gone", BANDS)
def test_a_missing_value_is_unknown(gone: str, shape: tuple[int, int]) -> None:
    holed = scene(shape)
    holed[gone][0, 0] = np.nan
    cloud = Scda().predict(holed)["cloud_mask"].values
    assert cloud[0, 0] == 255
    assert (cloud.ravel()[1:] == 1).all()


def test_a_missing_band_is_named(caplog: pytest.LogCaptureFixture) -> None:
    cloud = Scda().predict(scene().drop_vars("S7").assign_attrs(source="made"))["cloud_mask"]
    assert (cloud.values == 255).all()
    assert "run on made, so" in caplog.text
    assert "expected S1, S5, S7, S8, S9, found S1, S5, S8, S9." in caplog.text
