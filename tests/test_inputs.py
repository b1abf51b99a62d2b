"""What a network reads, and what is taken away from it."""

import math

import numpy as np
import pytest
import torch

from slstr_cloudmask.channels import NAMES, REFLECTANCE_NAMES
from slstr_cloudmask.network.inputs import network_inputs
from slstr_cloudmask.network.normaliser import Normaliser
from slstr_cloudmask.scene import build_scene
from slstr_cloudmask.training.dropout import absent_bands, without_bands

FULL = Normaliser.benchmark(reads="full")


def inputs_of(bands: dict[str, float], normaliser: Normaliser = FULL) -> dict[str, float]:
    """Return the inputs by name of a scene whose bands are the same everywhere."""
    scene = build_scene({name: np.full((2, 3), value) for name, value in bands.items()})
    x_NCHW = torch.from_numpy(normaliser.apply(scene)).permute(2, 0, 1)[None]
    read_NCHW = network_inputs(x_NCHW, normaliser)
    assert read_NCHW.shape == (1, len(normaliser.inputs), 2, 3)
    return dict(zip(normaliser.inputs, read_NCHW[0, :, 1, 2].tolist(), strict=True))


def test_the_benchmark_reads_the_bands_alone() -> None:
    found = inputs_of({"S1": 0.7, "S8": 281.0}, Normaliser.benchmark())
    assert tuple(found) == NAMES
    assert found["S1"] == pytest.approx(0.2)  # 0.7 - 0.5
    assert found["S8"] == pytest.approx(0.5)  # 11 / 22
    assert found["S9"] == pytest.approx(-270 / 22)  # missing: as if it were 0 K


def test_full_inputs_tell_differences_and_what_is_there() -> None:
    found = inputs_of({"S1": 0.7, "S7": 280.0, "S8": 281.0, "S9": 280.5})
    assert len(found) == 9 + 2 + 9
    assert found["S1"] == pytest.approx(0.2)
    assert found["S7-S8"] == pytest.approx(-math.asinh(1.0), abs=1e-3)  # -1 K of 1 K
    assert found["S8-S9"] == pytest.approx(math.asinh(1.0), abs=1e-3)  # 0.5 K of 0.5 K
    assert [found[f"{name} seen"] for name in NAMES] == [1, 0, 0, 0, 0, 0, 1, 1, 1]
    assert [found[name] for name in ("S2", "S6")] == [0, 0]


@pytest.mark.parametrize("bands", [{"S8": 281.0}, {"S8": 281.0, "S7": math.nan, "S9": math.nan}])
def test_a_difference_with_a_missing_band_is_nothing(bands: dict[str, float]) -> None:
    found = inputs_of(bands)
    assert (found["S7-S8"], found["S8-S9"], found["S7"], found["S7 seen"]) == (0, 0, 0, 0)


def test_a_reflectance_of_zero_is_seen() -> None:
    found = inputs_of({"S4": 0.0, "S8": 281.0})
    assert (found["S4"], found["S4 seen"]) == (-0.5, 1)
    # So is one that noise has made negative.
    assert inputs_of({"S4": -0.01, "S8": 281.0})["S4 seen"] == 1


def test_full_inputs_need_the_thermal_bands() -> None:
    with pytest.raises(ValueError, match="full inputs need S7, S8, S9"):
        Normaliser.benchmark(("S8", "S9"), reads="full")


def test_what_is_dropped_is_as_if_it_had_not_been_there() -> None:
    bands = {name: 0.3 if name in REFLECTANCE_NAMES else 280.0 for name in NAMES}
    scene = build_scene({name: np.full((2, 2), value) for name, value in bands.items()})
    x_NCHW = torch.from_numpy(FULL.apply(scene)).permute(2, 0, 1)[None].half()
    absent = np.array([sum(1 << NAMES.index(name) for name in REFLECTANCE_NAMES)], np.uint16)
    dropped = network_inputs(without_bands(x_NCHW, absent, FULL), FULL)
    night = build_scene({name: np.full((2, 2), 280.0) for name in ("S7", "S8", "S9")})
    x_night_NCHW = torch.from_numpy(FULL.apply(night)).permute(2, 0, 1)[None].half()
    torch.testing.assert_close(dropped, network_inputs(x_night_NCHW, FULL))


def test_bands_are_dropped_from_a_share_of_patches_and_never_s8() -> None:
    absent = absent_bands(4000, 0.5, seed=1, epoch=2)
    np.testing.assert_array_equal(absent, absent_bands(4000, 0.5, seed=1, epoch=2))
    assert (absent != absent_bands(4000, 0.5, seed=1, epoch=3)).any()
    # Half of 4000, of which one in six draws one band of nine, in one case of nine S8 alone, and
    # one in six draws each of eight with .3, none in 6 % of the cases: 2000 (1 - .0185 - .0096).
    assert np.count_nonzero(absent) == pytest.approx(1944, abs=120)
    assert not (absent & (1 << NAMES.index("S8"))).any()
    assert not absent_bands(100, 0.0, seed=1, epoch=1).any()
    without_reflectances = (absent & 0b111111) == 0b111111
    # Two choices of six, of half the patches: .167 of all.
    assert without_reflectances.mean() == pytest.approx(1 / 6, abs=0.02)
