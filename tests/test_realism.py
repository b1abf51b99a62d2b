"""Statistics of simulated scenes, their comparison with the real data set, and the command."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from slstr_cloudmask.cli.simulate_check import simulate_check
from slstr_cloudmask.errors import InputError, OutputExistsError
from slstr_cloudmask.flags import UNKNOWN, flag_variable, value_flag_variable
from slstr_cloudmask.report.realism import OK, Row, compare
from slstr_cloudmask.report.realism_page import COMPARISON_NAME, PAGE_NAME, format_value
from slstr_cloudmask.report.realism_reference import SHARES, TYPICAL, real_shares
from slstr_cloudmask.report.realism_run import check_config, check_simulation
from slstr_cloudmask.report.realism_sums import added, class_median, strata
from slstr_cloudmask.scene import build_scene
from slstr_cloudmask.simulate.class_statistics import CLASSES
from slstr_cloudmask.simulate.pattern_statistics import patch_sizes, slope, spectrum
from slstr_cloudmask.simulate.plan import Plan
from slstr_cloudmask.simulate.statistics import scene_statistics
from slstr_cloudmask.simulate.statistics_bins import QUANTITIES, percentiles

SHAPE = (40, 60)
SURFACES = ("ocean", "desert", "old_snow")
KINDS = ("clear", "stratus", "cirrus")


def make_scene(*, start: str = "2019-10-01T11:32:21Z", night: bool = False) -> xr.Dataset:
    """Make a scene whose statistics can be worked out by hand.

    Columns 0-1 are not seen. Rows 0-19 are truly cloud (stratus), 20-39 clear. The provider flags
    rows 0-29 but for row 0. Columns 0-29 are sea, 30-59 land (desert); the coast lies between.
    """
    rows, columns = np.indices(SHAPE)
    unseen = columns < 2
    truth = (rows < 20).astype(np.uint8)
    bayes = np.where((rows > 0) & (rows < 30), 2, 0).astype(np.uint8)
    truth[unseen] = bayes[unseen] = UNKNOWN
    bands = {"S7": 292.0, "S8": 290.0, "S9": 289.0}
    if not night:
        bands |= {"S1": 0.08, "S3": 0.03, "S4": 0.001, "S5": 0.01, "S6": 0.005}
    arrays = {name: np.where(unseen, np.nan, value) for name, value in bands.items()}
    scene = build_scene(
        arrays,
        coordinates={
            "latitude": np.full(SHAPE, 70.0),
            "longitude": np.full(SHAPE, -10.0),
            "solar_zenith_angle": np.full(SHAPE, 120.0 if night else 50.0),
        },
        flags={"bayes": flag_variable(bayes, {"single_low": 1, "single_moderate": 2}, fill=255)},
        truth=truth,
        attributes={"start_time": start, "source": "made by hand"},
    )
    distance = np.abs(columns - 29.5) + 0.5
    fields = {
        "optical_depth": np.where(rows < 20, 5.0, np.where(rows < 24, 0.1, 0.0)),
        "glint_reflectance": np.zeros(SHAPE),
        "coast_distance": distance,
        "dust_optical_depth": np.zeros(SHAPE),
        "smoke_optical_depth": np.zeros(SHAPE),
        "cloud_probability_provider": np.where(unseen, np.nan, np.where(rows < 30, 1.0, 0.05)),
    }
    kinds = {
        "surface_kind": (np.where(columns < 30, 0, 1), SURFACES),
        "cloud_kind": (np.where(rows < 20, 1, 0), KINDS),
    }
    for name, values in fields.items():
        scene[name] = (("rows", "columns"), values.astype(np.float32))
    for name, (codes, meanings) in kinds.items():
        numbers = {meaning: number for number, meaning in enumerate(meanings)}
        scene[name] = value_flag_variable(codes, numbers, long_name=name)
    return scene


@pytest.fixture(scope="module")
def numbers() -> dict[str, Any]:
    return scene_statistics(make_scene(), folder="day")


def row(rows: list[Row], quantity: str, group: str = "") -> Row:
    return next(row for row in rows if row.quantity == quantity and group in row.group)


# Statistics of one scene


def test_counts_are_those_worked_out_by_hand(numbers: dict[str, Any]) -> None:
    # 58 columns are seen. Flagged: rows 1-29. Cloud: rows 0-19. Both: rows 1-19.
    assert numbers["pixels"] == 40 * 60
    assert numbers["valid"] == 40 * 58
    assert numbers["flagged"] == 29 * 58
    assert numbers["cloudy"] == 20 * 58
    assert numbers["ambiguous"] == 4 * 58
    assert numbers["counts"]["all"]["all"] == [19 * 58, 10 * 58, 10 * 58, 58]
    assert numbers["counts"]["regime"]["day"] == [19 * 58, 10 * 58, 10 * 58, 58]
    # 5 km of coast on either side are taken off ocean (28 seen columns) and bare ground (30).
    surfaces = {name: sum(row) for name, row in numbers["counts"]["surface"].items() if any(row)}
    assert surfaces == {"ocean": 40 * 23, "bare": 40 * 25, "coast": 40 * 10}
    assert numbers["counts"]["latitude"]["polar"] == numbers["counts"]["all"]["all"]
    depths = numbers["counts"]["optical depth"]
    assert depths["3-10"] == [19 * 58, 0, 0, 58]
    assert depths["0.1-0.3"] == [0, 4 * 58, 0, 0]
    assert depths["0-0.02"] == [0, 6 * 58, 10 * 58, 0]
    assert numbers["counts"]["cloud kind"]["stratus"] == depths["3-10"]


def test_statistics_are_json_and_small(numbers: dict[str, Any]) -> None:
    text = json.dumps(numbers)
    assert json.loads(text) == numbers
    assert len(text) < 8000


def test_every_stratum_of_pixels_adds_up(numbers: dict[str, Any]) -> None:
    total = np.array(numbers["counts"]["all"]["all"])
    for stratum in ("regime", "surface", "latitude", "optical depth", "cloud kind"):
        parts = np.array(list(numbers["counts"][stratum].values()))
        np.testing.assert_array_equal(parts.sum(axis=0), total)


def test_classes_and_their_values(numbers: dict[str, Any]) -> None:
    # Clear of any cloud are rows 24-39: 28 columns of sea, 30 of desert.
    assert set(numbers["histograms"]) == {"clear ocean, day", "desert, day", "stratus, day"}
    assert sum(numbers["histograms"]["clear ocean, day"]["S8"][1]) == 16 * 28
    assert numbers["desert_saturated"] == [0, 16 * 30]
    many = [numbers] * 3
    middle, low, high = class_median(many, "clear ocean, day", "S7-S8")
    # 2 K lies in the bin from 2.00 to 2.25 K; the median is its middle.
    assert middle == 2.125
    assert middle is not None
    assert low is not None
    assert high is not None
    assert 2 <= low < middle < high <= 2.25


def test_reliability(numbers: dict[str, Any]) -> None:
    pixels, cloud = numbers["reliability"]
    # Rows 0-29 have probability 1, in the last bin; 20 of them are cloud. Rows 30-39 have 0.05.
    assert (pixels[0], pixels[-1], cloud[-1]) == (10 * 58, 30 * 58, 20 * 58)
    assert sum(pixels) == 40 * 58


def test_edges_and_coast(numbers: dict[str, Any]) -> None:
    # Pairs side by side: 40 rows of 57; one above the other: 39 of 58. The provider's mask has
    # edges below row 0 and row 29, the truth one below row 19; all 58 pixels long.
    assert numbers["edges"]["provider"] == [2 * 58, 40 * 57 + 39 * 58]
    assert numbers["edges"]["truth"] == [58, 40 * 57 + 39 * 58]
    # Across the coast: one pair in each row, none of which differs.
    assert numbers["coast_pairs"]["truth"][:2] == [0, 40]


def test_a_scene_without_strata_is_refused() -> None:
    scene = make_scene().drop_vars(["optical_depth", "cloud_kind"])
    with pytest.raises(InputError, match="lacks optical_depth, cloud_kind"):
        scene_statistics(scene, folder="day")


def test_glint_dust_and_thick_cirrus_are_kept_out_of_clear_ocean() -> None:
    scene = make_scene()
    scene["glint_reflectance"][24:28, :30] = 0.2  # glint proper
    scene["glint_reflectance"][28:30, :30] = 0.1  # neither one nor the other
    scene["dust_optical_depth"][30:32, :30] = 0.5
    scene["cloud_kind"][:10] = 2
    histograms = scene_statistics(scene, folder="day")["histograms"]
    sizes = {name: sum(bands["S8"][1]) for name, bands in histograms.items()}
    # Cirrus of optical depth 5 is no typical cirrus.
    assert sizes == {
        "ocean glint, day": 4 * 28,
        "dust over ocean, day": 2 * 28,
        "clear ocean, day": 8 * 28,
        "desert, day": 16 * 30,
        "stratus, day": 10 * 58,
    }


def test_patches_by_size() -> None:
    mask = np.zeros((10, 10), bool)
    mask[0, 0] = mask[5, 5] = True  # two of one pixel
    mask[2, :3] = True  # one of three
    mask[8:, :4] = True  # one of eight
    assert patch_sizes(mask).tolist()[:5] == [2, 1, 0, 1, 0]


@pytest.mark.parametrize("wanted", [-2.5, -3.0])
def test_the_slope_of_a_field_of_known_spectrum(wanted: float) -> None:
    rng = np.random.default_rng(3)
    size = 384
    k = np.hypot(np.fft.fftfreq(size)[:, np.newaxis], np.fft.rfftfreq(size))
    k[0, 0] = 1
    phases = rng.uniform(0, 2 * math.pi, k.shape)
    field = np.fft.irfft2(k ** (wanted / 2) * np.exp(1j * phases), (size, size))
    found = slope(spectrum(field, np.ones(field.shape, bool)))
    assert found == pytest.approx(wanted, abs=0.15)


def test_small_scenes_have_no_slope(numbers: dict[str, Any]) -> None:
    assert slope([1.0] * 3 + [None] * 21) is None
    assert numbers["spectra"]["S8"]["power"][0] is None  # no wave of 400 km in 60


def test_percentiles_interpolate() -> None:
    bins = QUANTITIES["S8"]
    counts = np.zeros(bins.count, np.int64)
    counts[40] = 10  # 200.0 to 200.5 K
    assert percentiles(counts, bins, (0.5, 1.0)) == [200.25, 200.5]
    assert percentiles(np.zeros(bins.count, np.int64), bins, (0.5,)) is None


# Comparison


def test_every_class_has_typical_values() -> None:
    assert set(TYPICAL) == set(CLASSES)
    for bands in TYPICAL.values():
        assert set(bands) <= set(QUANTITIES)
        assert all(low < high for low, high in bands.values())


def test_the_real_shares() -> None:
    assert len(real_shares()) == 100
    assert real_shares()["2019-10-01T11:32:21Z"] == 0.84
    known = SHARES["mean"]
    assert known.accepted is not None
    assert known.real is not None
    assert known.accepted[0] < known.real < known.accepted[1]


def test_comparison_counts_borders_as_clear(numbers: dict[str, Any]) -> None:
    rows = compare([numbers])
    # 29 of 40 rows are flagged, 58 of 60 columns seen: .725 of the swath, .7008 of the frame.
    frame = row(rows, "full frame, mean of scenes")
    # Such a small scene is a part of a frame, and not judged by what is known of whole ones.
    assert (frame.simulated, frame.verdict) == (0.7008, "-")
    swath = row(rows, "swath only, mean of scenes")
    assert (swath.simulated, swath.real, swath.verdict) == (0.725, 0.809, "-")
    # 19 of 20 cloudy rows found; 10 of 20 clear rows flagged. 0.95 is the least accepted.
    assert (row(rows, "detection (POD)").simulated, row(rows, "detection (POD)").verdict) == (
        0.95,
        OK,
    )
    assert row(rows, "false detection (POFD)").simulated == 0.5
    assert row(rows, "Kuipers skill, polar").simulated == 0.45
    assert row(rows, "share truly cloud").simulated == 0.5


def test_what_nobody_knows_has_no_verdict(numbers: dict[str, Any]) -> None:
    rows = compare([numbers])
    edges = row(rows, "neighbours that differ in the truth")
    assert (edges.real, edges.accepted, edges.verdict) == (None, None, "-")
    glint = row(rows, "S8", "ocean glint")
    assert (glint.simulated, glint.verdict) == (None, "-")


def test_spread_of_parts_of_a_frame_is_not_judged(numbers: dict[str, Any]) -> None:
    small = row(compare([numbers]), "full frame, lowest scene")
    assert small.verdict == "-"
    whole = numbers | {"pixels": 1200 * 1500, "valid": 1_700_000, "flagged": 540_000}
    # 540,000 of 1,800,000 are 0.3: the least that is accepted.
    assert row(compare([whole]), "full frame, lowest scene").verdict == OK


def test_scenes_add(numbers: dict[str, Any]) -> None:
    assert added([numbers] * 3, "regime")["day"].tp == 3 * 19 * 58
    assert {part["part"] for part in strata([numbers]) if part["stratum"] == "surface"} == {
        "ocean",
        "bare",
        "coast",
    }


def test_real_scenes_of_the_same_start_are_paired(numbers: dict[str, Any]) -> None:
    # Simulated shares that follow the real ones: correlation 1.
    scenes = [
        numbers | {"start_time": start, "flagged": round(share * 2400)}
        for start, share in list(real_shares().items())[:6]
    ]
    assert row(compare(scenes), "correlation with 6 real scenes").simulated == pytest.approx(
        1, abs=1e-3
    )
    assert not [one for one in compare(scenes[:3]) if "correlation" in one.quantity]


def test_nothing_to_compare() -> None:
    with pytest.raises(InputError, match="at least one scene"):
        compare([])


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0, "0.000"), (0.0123, "0.012"), (271.26, "271.3")]
)
def test_numbers_in_words(value: float | None, text: str) -> None:
    assert format_value(value) == text


# The run

CONFIG = check_config(scenes=3, size=(40, 60), seed=4)


def make_by_hand(plan: Plan) -> tuple[xr.Dataset, str]:
    recipe = plan.recipe
    start = f"{recipe.overpass.start:%Y-%m-%dT%H:%M:%SZ}"
    return make_scene(start=start, night=plan.folder == "night"), plan.folder


def make_some(plan: Plan) -> tuple[xr.Dataset, str]:
    if plan.folder == "night":
        raise ZeroDivisionError("a mistake in the simulator")
    return make_by_hand(plan)


def never(plan: Plan) -> tuple[xr.Dataset, str]:
    raise AssertionError(f"{plan.path} was made again")


def test_a_check_from_end_to_end(tmp_path: Path) -> None:
    rows, failed = check_simulation(tmp_path, CONFIG, jobs=2, maker=make_by_hand)
    assert not failed
    document = json.loads((tmp_path / COMPARISON_NAME).read_text())
    assert document["scenes"] == 3
    assert document["verdicts"][OK] == sum(one.verdict == OK for one in rows)
    page = (tmp_path / PAGE_NAME).read_text()
    assert "two readings" in page
    assert page.count("<img") == page.count("alt=")
    assert "http" not in page.replace("http-equiv", "")
    assert len(list((tmp_path / "scenes").iterdir())) == 3
    assert (tmp_path / "figures" / "shares.png").read_bytes().startswith(b"\x89PNG")


def test_a_check_goes_on_where_it_was(tmp_path: Path) -> None:
    check_simulation(tmp_path, CONFIG, maker=make_by_hand)
    before = (tmp_path / COMPARISON_NAME).read_text()
    check_simulation(tmp_path, CONFIG, maker=never)
    assert (tmp_path / COMPARISON_NAME).read_text() == before
    # A broken file and one of other scenes are made again.
    broken, foreign, _ = sorted((tmp_path / "scenes").iterdir())
    broken.write_text('{"key"')
    foreign.write_text(json.dumps({"key": "another", "scene": {}, "row": None}))
    check_simulation(tmp_path, CONFIG, maker=make_by_hand)
    assert (tmp_path / COMPARISON_NAME).read_text() == before


def test_one_scene_that_fails_leaves_the_others(tmp_path: Path) -> None:
    config = check_config(scenes=4, size=(40, 60), seed=4)
    _, failed = check_simulation(tmp_path, config, maker=make_some)
    assert failed
    assert set(failed.values()) == {"ZeroDivisionError: a mistake in the simulator"}
    assert json.loads((tmp_path / COMPARISON_NAME).read_text())["scenes"] == 4 - len(failed)
    with pytest.raises(InputError, match="None of 3 scenes could be made"):
        check_simulation(tmp_path / "none", CONFIG, maker=never)


def test_a_check_with_other_settings_is_not_overwritten(tmp_path: Path) -> None:
    check_simulation(tmp_path, CONFIG, maker=make_by_hand)
    other = check_config(scenes=2, size=(40, 60), seed=5)
    with pytest.raises(OutputExistsError, match="--overwrite"):
        check_simulation(tmp_path, other, maker=make_by_hand)
    check_simulation(tmp_path, other, maker=make_by_hand, overwrite=True)
    assert json.loads((tmp_path / COMPARISON_NAME).read_text())["settings"]["seed"] == 5


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulate_check(tmp_path, scenes=2, size="64x80", seed=3)
    out = capsys.readouterr().out
    assert "full frame, mean of scenes" in out
    assert "not known" in out
    assert (tmp_path / PAGE_NAME).exists()
