"""The simulator: fields, physics against numbers worked out by hand, scenes, data sets."""

import json
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slstr_cloudmask.cli.simulate import parse_size, simulate
from slstr_cloudmask.errors import InputError, OutputExistsError
from slstr_cloudmask.io.benchmark_hdf import find_scenes, read_scene
from slstr_cloudmask.io.product_name import parse_product_name
from slstr_cloudmask.scene import bands_present, label, valid_pixels
from slstr_cloudmask.simulate import radiation
from slstr_cloudmask.simulate.clear import glint_factor
from slstr_cloudmask.simulate.clouds import CloudLayer
from slstr_cloudmask.simulate.dataset import simulate_dataset
from slstr_cloudmask.simulate.fractal import cell_field, exceedance_level, fractal_field
from slstr_cloudmask.simulate.geometry import Geometry, Overpass, scene_geometry, swath
from slstr_cloudmask.simulate.observe import observe
from slstr_cloudmask.simulate.optics import LayerResponse, infrared_emissivity
from slstr_cloudmask.simulate.plan import plan_dataset
from slstr_cloudmask.simulate.provider import is_cloud, local_spread, smoothed
from slstr_cloudmask.simulate.scene import simulate_scene
from slstr_cloudmask.simulate.surface import Ground, Surface

SMALL = (48, 64)


def generator() -> np.random.Generator:
    return np.random.default_rng(5)


# Fields


@pytest.mark.parametrize("slope", [2.0, 3.0])
def test_a_field_has_the_power_spectrum_that_was_asked_for(slope: float) -> None:
    field = fractal_field(generator(), (256, 256), slope=slope)
    assert field.dtype == np.float32
    assert abs(field.mean()) < 1e-5
    assert field.std() == pytest.approx(1, abs=1e-5)
    # A cosine window keeps the cut edges from leaking power into high wavenumbers.
    window = np.hanning(256)[:, np.newaxis] * np.hanning(256)
    power = np.abs(np.fft.rfft2(field * window)) ** 2
    k = np.hypot(np.fft.fftfreq(256)[:, np.newaxis], np.fft.rfftfreq(256))
    rings = [(low, 2 * low) for low in (0.03, 0.06, 0.12)]
    means = [power[(k >= low) & (k < high)].mean() for low, high in rings]
    # Each ring lies at twice the wavenumber of the one before: a factor of 2 ** -slope.
    steps = np.log2(np.array(means[:-1]) / means[1:])
    np.testing.assert_allclose(steps, slope, atol=0.35)


def test_cells_range_from_centre_to_border() -> None:
    cells = cell_field(generator(), (90, 110), spacing_px=15)
    assert cells.shape == (90, 110)
    assert 0 <= cells.min() < 0.15
    assert 0.9 < cells.max() <= 1


def test_a_level_is_exceeded_by_its_share() -> None:
    # Columns 0 ... 99, of which every fifth is looked at: 0, 5, ..., 95, with 30 % above 66.5.
    field = np.tile(np.arange(100, dtype=np.float32), (10, 1))
    assert exceedance_level(field, 0.3) == pytest.approx(66.5)


# Radiation


def test_planck_by_hand() -> None:
    # 14387.77 / (10.854 * 300) = 4.41857; exp - 1 = 81.977; 1.191043e8 / 10.854^5 = 790.62;
    # the quotient is 9.644 W m-2 sr-1 um-1.
    assert radiation.planck_radiance(10.854, np.array(300.0)) == pytest.approx(9.644, abs=0.003)


@given(kelvin=st.floats(180, 340), wavelength=st.sampled_from([3.742, 10.854, 12.0225]))
def test_brightness_temperature_undoes_planck(kelvin: float, wavelength: float) -> None:
    radiance = radiation.planck_radiance(wavelength, np.array(kelvin))
    assert radiation.brightness_temperature(wavelength, radiance) == pytest.approx(kelvin)


@pytest.mark.parametrize(
    ("reflectance", "kelvin"), [(0.03, 290.6), (0.10, 300.3), (0.15, 305.6), (0.25, 314.0)]
)
def test_sunlit_cloud_at_37_um(reflectance: float, kelvin: float) -> None:
    # A cloud of 285 K under a sun of cosine .7: B(285 K) = .22456, and for a reflectance of .1
    # .9 * .22456 + .1 * 11 * .7 / pi = .44720, which is B(300.3 K).
    emitted = (1 - reflectance) * radiation.planck_radiance(3.742, np.array(285.0))
    solar = reflectance * radiation.SOLAR_IRRADIANCE_S7 * 0.7 / math.pi
    seen = radiation.brightness_temperature(3.742, emitted + solar)
    assert seen == pytest.approx(kelvin, abs=0.06)


def test_two_streams_without_absorption_by_hand() -> None:
    # g = .85: f = .7225, tau' = .2775 * 10 = 2.775, g' = .85 / 1.85 = .459459,
    # gamma1 = 3 (1 - g') / 4 = .405405, gamma3 = (2 - 3 g' * .7) / 4 = .258784 and
    # R = (gamma1 tau' + (gamma3 - gamma1 mu)(1 - exp(-tau'/mu))) / (1 + gamma1 tau')
    #   = (1.125 - .025 * .98101) / 2.125 = .51787 (Meador and Weaver 1980, conservative case).
    albedo, transmittance = radiation.two_stream(np.array(10.0), 1.0, 0.85, np.array(0.7))
    assert albedo == pytest.approx(0.51787, abs=2e-4)
    assert transmittance == pytest.approx(1 - 0.51787, abs=2e-4)


@given(
    tau=st.floats(0, 200),
    omega=st.floats(0.4, 1),
    g=st.floats(0.7, 0.9),
    mu=st.floats(0.05, 1),
)
@settings(max_examples=60, deadline=None)
def test_two_streams_make_no_light(tau: float, omega: float, g: float, mu: float) -> None:
    albedo, transmittance = radiation.two_stream(np.array(tau), omega, g, np.array(mu))
    assert albedo >= 0
    assert transmittance >= 0
    assert albedo + transmittance <= 1 + 1e-3


def test_two_streams_at_their_limits() -> None:
    nothing = radiation.two_stream(np.array(0.0), 0.9, 0.85, np.array(0.7))
    np.testing.assert_allclose(nothing, (0, 1), atol=1e-9)
    # Without absorption a layer without end returns everything.
    albedo, _ = radiation.two_stream(np.array(1e5), 1.0, 0.85, np.array(0.7))
    assert albedo == pytest.approx(1, abs=0.02)


# Plane albedo at mu = .7 of water of 10 um and ice of 25 um, by the same approximation.
@pytest.mark.parametrize(
    ("particles", "band", "expected"),
    [
        ("water10", "S1", (0.085, 0.22, 0.49, 0.75)),
        ("water10", "S5", (0.098, 0.24, 0.49, 0.62)),
        ("water10", "S7", (0.098, 0.17, 0.20, 0.20)),
        ("ice25", "S1", (0.14, 0.33, 0.62, 0.83)),
        ("ice25", "S5", (0.11, 0.23, 0.33, 0.34)),
    ],
)
def test_albedo_of_cloud(particles: str, band: str, expected: tuple[float, ...]) -> None:
    tau = np.array([1, 3, 10, 30], np.float32)
    mu = np.full(4, 0.7, np.float32)
    response = LayerResponse.of(particles, tau, mu, mu)
    np.testing.assert_allclose(response.albedo_sun[band], expected, atol=0.035)


def test_tables_agree_with_the_formula() -> None:
    rng = generator()
    tau = rng.uniform(0, 60, 200).astype(np.float32)
    mu = rng.uniform(0.1, 1, 200).astype(np.float32)
    response = LayerResponse.of("water10", tau, mu, mu)
    exact, _ = radiation.two_stream(tau, 0.9940, 0.85, mu)
    np.testing.assert_allclose(response.albedo_sun["S5"], exact, atol=0.004)


def test_infrared_emissivity_by_hand() -> None:
    # 1 - exp(-1.12 * .85 * (1 - .510) * 1 / 1) = 1 - exp(-.46648) = .37279
    one = np.ones(1, np.float32)
    assert infrared_emissivity("water10", "S8", one, one)[0] == pytest.approx(0.37279, abs=1e-4)


def test_moist_air_hides_the_ground_at_1375_but_not_cirrus() -> None:
    # (10 mm * 2.5) ^ .68 = 8.925; exp(-.72 * 8.925) = .00162
    assert radiation.cirrus_band_transmittance(10.0, 2.5) == pytest.approx(0.00162, abs=2e-5)
    # 15 mm * exp(-10 / 2.1) = .1283 mm; (.1283 * 2.5) ^ .68 = .4616; exp(-.72 * .4616) = .717
    above = radiation.vapour_above_mm(np.array(15.0), 10.0)
    assert radiation.cirrus_band_transmittance(above, 2.5) == pytest.approx(0.717, abs=1e-3)


# Geometry


def test_angles_across_the_swath() -> None:
    overpass = Overpass(0.0, 0.0, datetime(2019, 3, 22, 12, tzinfo=UTC), night=False)
    geometry = scene_geometry(overpass, (41, 1500))
    assert geometry.view_zenith_deg[0, 998] == pytest.approx(0, abs=1e-3)
    # Cosine and sine rule with radii of 6371 and 7186 km give 55 degrees at 950 km.
    assert geometry.view_zenith_deg[0, 48] == pytest.approx(55, abs=0.7)
    # On 22 March the declination of Cooper's formula is 0: the sun stands overhead at noon.
    assert geometry.solar_zenith_deg[20, 750] == pytest.approx(0, abs=0.6)
    # One pixel is one kilometre.
    assert geometry.latitude_deg[0, 750] - geometry.latitude_deg[40, 750] == pytest.approx(
        40 * math.cos(math.radians(15)) / 111.2, abs=1e-3
    )


def test_glint_is_where_mirrors_reflect() -> None:
    one = np.ones((1, 2), np.float32)
    shape = Geometry(
        latitude_deg=one,
        longitude_deg=one,
        solar_zenith_deg=one * 30,
        view_zenith_deg=one * 30,
        mu_sun=one * np.float32(math.cos(math.radians(30))),
        mu_view=one * np.float32(math.cos(math.radians(30))),
        cos_azimuth=np.array([[-1, 1]], np.float32),
        in_swath=np.ones((1, 2), bool),
    )
    opposite, same_side = glint_factor(shape, one * 5)[0]
    assert opposite > 0.1
    assert same_side < 1e-4


@pytest.mark.parametrize("shape", [(1200, 1500), (240, 300), (32, 40)])
def test_empty_columns_scale_with_the_width(shape: tuple[int, int]) -> None:
    inside = swath(shape)
    left = inside.argmax(axis=1)
    right = inside[:, ::-1].argmax(axis=1)
    assert left.mean() == pytest.approx(max(1, 31 * shape[1] / 1500), abs=0.6)
    assert right.mean() == pytest.approx(max(1, 16 * shape[1] / 1500), abs=0.6)
    if shape[0] > 1000:
        assert len(np.unique(left)) > 1  # curved


# Layers over a surface


def scene_of(ground: Ground, kelvin: float, mu_sun: float) -> tuple[Geometry, Surface]:
    """Build a flat 40 x 40 scene of one ground, seen at 20 degrees."""
    one = np.ones((40, 40), np.float32)
    geometry = Geometry(
        latitude_deg=one * 50,
        longitude_deg=one * 0,
        solar_zenith_deg=one * np.float32(math.degrees(math.acos(mu_sun))),
        view_zenith_deg=one * 20,
        mu_sun=one * np.float32(mu_sun),
        mu_view=one * np.float32(math.cos(math.radians(20))),
        cos_azimuth=one * 0,
        in_swath=np.ones((40, 40), bool),
    )
    surface = Surface(
        ground=np.full((40, 40), ground, np.uint8),
        land=np.full((40, 40), ground != Ground.OCEAN),
        elevation_km=one * 0,
        skin_kelvin=one * np.float32(kelvin),
        air_kelvin=one * np.float32(kelvin - 1),
        vapour_mm=one * 15,
        wind_m_s=one * 6,
        texture=one * 0,
        dust_depth=one * 0,
        mean_latitude_deg=50,
    )
    return geometry, surface


def layer(particles: str, tau: float, top_km: float, kelvin: float) -> CloudLayer:
    one = np.ones((40, 40), np.float32)
    return CloudLayer("test", particles, top_km, one * np.float32(tau), one * np.float32(kelvin))


def seen(ground: Ground, kelvin: float, mu_sun: float, *layers: CloudLayer) -> dict[str, float]:
    geometry, surface = scene_of(ground, kelvin, mu_sun)
    bands = observe(geometry, surface, list(layers), night=mu_sun <= 0)
    return {name: float(values[20, 20]) for name, values in bands.items()}


# Expected ranges: typical values of AVHRR and MODIS experience, as listed with the formulas.
def test_clear_sea() -> None:
    day = seen(Ground.OCEAN, 290, 0.7)
    assert 0.04 < day["S1"] < 0.12
    assert day["S3"] < 0.06
    assert day["S4"] < 0.004
    assert 286 < day["S8"] < 290
    assert 0.2 < day["S8"] - day["S9"] < 1.5
    night = seen(Ground.OCEAN, 290, -0.5)
    assert sorted(night) == ["S7", "S8", "S9"]
    assert -0.6 < night["S7"] - night["S8"] < 0.6


def test_snow_is_dark_at_16_um_and_low_cloud_is_not() -> None:
    snow = seen(Ground.OLD_SNOW, 265, 0.4)
    assert snow["S1"] > 0.55
    assert snow["S5"] < 0.15
    cloud = seen(Ground.OLD_SNOW, 265, 0.4, layer("water10", 10, 1.5, 262))
    assert cloud["S5"] > 0.3
    assert 15 < cloud["S7"] - cloud["S8"] < 45


def test_fog_and_cirrus_at_night_stand_apart_at_37_um() -> None:
    fog = seen(Ground.OCEAN, 283, -0.5, layer("water5", 8, 0.3, 282))
    assert -8 < fog["S7"] - fog["S8"] < -1
    assert fog["S8"] > 279  # no colder than the sea: a hard case
    cirrus = seen(Ground.OCEAN, 290, -0.5, layer("ice25", 1, 10, 225))
    assert 5 < cirrus["S7"] - cirrus["S8"] < 25
    assert 0.8 < cirrus["S8"] - cirrus["S9"] < 4


def test_cirrus_shows_at_1375_and_low_cloud_does_not() -> None:
    assert seen(Ground.OCEAN, 290, 0.7, layer("ice25", 1, 10, 225))["S4"] > 0.05
    assert seen(Ground.OCEAN, 290, 0.7, layer("water10", 10, 1, 284))["S4"] < 0.02


def test_thick_cloud_hides_the_ground() -> None:
    top = layer("ice40", 60, 11, 220)
    over_sea = seen(Ground.OCEAN, 290, 0.7, top)
    over_sand = seen(Ground.DESERT, 310, 0.7, top)
    assert over_sea["S8"] == pytest.approx(220, abs=0.5)
    assert over_sand["S5"] == pytest.approx(over_sea["S5"], abs=0.005)


def test_desert_by_day_saturates_37_um() -> None:
    desert = seen(Ground.DESERT, 322, 0.75)
    assert desert["S7"] > 312
    assert 0.3 < desert["S3"] < 0.45


# Scenes


def test_a_scene_keeps_the_contract() -> None:
    scene = simulate_scene(3, SMALL)
    assert bands_present(scene) == tuple(f"S{n}" for n in range(1, 10))
    assert dict(scene.sizes) == {"rows": 48, "columns": 64}
    truth = scene["truth"].values
    assert set(np.unique(truth)) <= {0, 1, 255}
    outside = ~valid_pixels(scene)
    assert outside[:, 0].all()
    assert outside[:, -1].all()
    np.testing.assert_array_equal(truth == 255, outside)
    np.testing.assert_array_equal(scene["bayes"].values == 255, outside)
    kelvin = scene["S8"].values[~outside].astype(float)
    np.testing.assert_allclose(kelvin * 100, np.rint(kelvin * 100), atol=0.01)
    assert np.nanmax(scene["S7"].values) <= 312
    for name in ("latitude", "longitude", "solar_zenith_angle", "satellite_zenith_angle"):
        assert np.isfinite(scene[name].values).all()


def test_a_night_scene_has_no_reflectances() -> None:
    scene = simulate_scene(3, SMALL, night=True)
    assert bands_present(scene) == ("S7", "S8", "S9")
    assert (scene["solar_zenith_angle"].values > 80).all()


def test_the_seed_decides_everything() -> None:
    first, second, other = (simulate_scene(seed, SMALL) for seed in (8, 8, 9))
    assert first.identical(second)
    assert not np.array_equal(first["S8"].values, other["S8"].values, equal_nan=True)


@pytest.mark.parametrize("size", [(31, 64), (64, 31)])
def test_too_small_a_scene_is_an_error(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="at least 32x32"):
        simulate_scene(1, size)


@pytest.mark.parametrize("size", [(99999999, 99999999), (3001, 64), (64, 3001)])
def test_too_large_a_scene_is_an_error(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=rf"at most 3000x3000 .*found {size[0]}x{size[1]}"):
        simulate_dataset(tmp_path, scenes=1, size=size)
    with pytest.raises(InputError, match="at most 3000x3000"):
        simulate_scene(1, size)


def test_a_simulated_scene_says_so_in_its_platform(tmp_path: Path) -> None:
    made = simulate_dataset(tmp_path, scenes=2, size=SMALL)["scenes"]
    for entry in made:
        scene = read_scene(tmp_path / entry["path"])
        assert scene.attrs["platform"] == "Sentinel-3A (simulated)"
        assert simulate_scene(entry["seed"], SMALL).attrs["platform"] == scene.attrs["platform"]


def test_statistics_are_those_of_the_real_mask() -> None:
    counts = np.zeros(4)
    for seed in range(16):
        scene = simulate_scene(seed, (160, 200), night=seed % 2 == 1)
        cloud, known = label(scene, "truth")
        flagged, _ = label(scene, "bayes")
        clear = known & ~cloud
        counts += [(cloud & flagged).sum(), cloud.sum(), (clear & flagged).sum(), clear.sum()]
    hits, cloudy, false_alarms, clear_pixels = counts
    # Cloud about .7, flags about .8; the provider misses little and flags half of what is clear.
    assert 0.55 < cloudy / (cloudy + clear_pixels) < 0.85
    assert 0.70 < (hits + false_alarms) / (cloudy + clear_pixels) < 0.92
    assert hits / cloudy > 0.92
    assert 0.25 < false_alarms / clear_pixels < 0.70


# The provider


def test_flags_follow_the_probability_of_clear_sky() -> None:
    # P(clear) = 1 / (1 + exp(log odds)): .9 at -2.197, .5 at 0.
    log_odds = np.array([-2.3, -2.1, -0.1, 0.1])
    np.testing.assert_array_equal(is_cloud(log_odds, 0.9), [0, 1, 1, 1])
    np.testing.assert_array_equal(is_cloud(log_odds, 0.5), [0, 0, 0, 1])


def test_local_spread_by_hand() -> None:
    values = np.full((5, 5), 280, np.float32)
    values[2, 2] = 289
    # Eight at 0 and one at 9: mean 1, mean square 9, deviation sqrt(8).
    spread = local_spread(values)
    assert spread[0, 0] == 0
    assert spread[2, 2] == pytest.approx(math.sqrt(8), rel=1e-4)


def test_smoothing_keeps_a_slope() -> None:
    slope = np.tile(np.arange(200, dtype=np.float32), (120, 1))
    middle = smoothed(slope, 14.0)[:, 60:140]
    np.testing.assert_allclose(middle, slope[:, 60:140], atol=1.5)


# Data sets


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made")
    simulate_dataset(out, scenes=5, size=SMALL, seed=2)
    return out


def test_a_data_set_is_laid_out_as_the_benchmarks(made: Path) -> None:
    paths = [path.relative_to(made) for path in find_scenes(made)]
    assert {path.parts[0] for path in paths} == {"one-day", "ssts"}
    assert {path.parts[1] for path in paths} == {"day", "night"}
    assert len(find_scenes(made / "ssts")) == 1
    for path in paths:
        name = parse_product_name(path)
        assert name is not None
        assert name.duration_s == 179
        scene = read_scene(made / path)
        assert ("S1" in scene) == (path.parts[1] == "day")
        assert "truth" in scene
        assert "bayes" in scene


def test_the_manifest_says_how_scenes_were_made(made: Path) -> None:
    manifest = json.loads((made / "manifest.json").read_text())
    assert (manifest["seed"], manifest["rows"], manifest["columns"]) == (2, *SMALL)
    assert manifest["complete"]
    assert set(manifest["versions"]) == {"slstr-cloudmask", "numpy", "scipy"}
    entry = manifest["scenes"][0]
    stored = read_scene(made / entry["path"])
    again = simulate_scene(entry["seed"], SMALL, night=entry["kind"] == "night")
    np.testing.assert_array_equal(stored["S8"].values, again["S8"].values)
    cloud, known = label(stored, "truth")
    assert entry["cloud_fraction"] == pytest.approx(cloud[known].mean(), abs=1e-6)


def test_the_number_of_jobs_changes_nothing(made: Path, tmp_path: Path) -> None:
    simulate_dataset(tmp_path, scenes=5, size=SMALL, seed=2, jobs=2)
    for path in find_scenes(made):
        assert (tmp_path / path.relative_to(made)).read_bytes() == path.read_bytes()
    assert (tmp_path / "manifest.json").read_text() == (made / "manifest.json").read_text()


def test_a_second_run_finishes_the_first(made: Path, tmp_path: Path) -> None:
    simulate_dataset(tmp_path, scenes=3, size=SMALL, seed=2, test_scenes=1)
    kept, broken, *_ = find_scenes(tmp_path)
    before = kept.stat().st_mtime_ns
    broken.write_bytes(b"cut short")
    simulate_dataset(tmp_path, scenes=5, size=SMALL, seed=2)
    assert kept.stat().st_mtime_ns == before
    for path in find_scenes(made):
        assert (tmp_path / path.relative_to(made)).read_bytes() == path.read_bytes()


def test_other_scenes_are_not_mixed_in(tmp_path: Path) -> None:
    simulate_dataset(tmp_path, scenes=1, test_scenes=0, size=SMALL, seed=2)
    with pytest.raises(OutputExistsError, match="another seed, size"):
        simulate_dataset(tmp_path, scenes=1, test_scenes=0, size=SMALL, seed=3)
    with pytest.raises(OutputExistsError, match="another seed, size"):
        simulate_dataset(tmp_path, scenes=1, test_scenes=0, size=(40, 40), seed=2)
    simulate_dataset(tmp_path, scenes=1, test_scenes=0, size=SMALL, seed=3, overwrite=True)
    assert len(find_scenes(tmp_path)) == 1


def test_real_scenes_are_never_replaced(tmp_path: Path) -> None:
    real = tmp_path / "one-day" / "day" / "S3A_SL_1_RBT____real.hdf"
    real.parent.mkdir(parents=True)
    real.write_bytes(b"precious")
    with pytest.raises(OutputExistsError, match="not simulated"):
        simulate_dataset(tmp_path, scenes=1, size=SMALL, overwrite=True)
    assert real.read_bytes() == b"precious"


def test_a_plan_is_the_beginning_of_a_larger_one() -> None:
    large = plan_dataset(100, 20, seed=1)
    assert set(plan_dataset(50, 10, seed=1)) <= set(large)
    assert len({plan.path for plan in large}) == 100
    assert len({plan.seed for plan in large}) == 100
    assert sum(plan.night for plan in large) == 45
    assert {plan.seed for plan in large}.isdisjoint(p.seed for p in plan_dataset(100, 20, seed=2))


@pytest.mark.parametrize(
    ("scenes", "test_scenes", "seed"), [(0, None, 1), (2, 3, 1), (2, -1, 1), (2, 1, -1)]
)
def test_numbers_that_cannot_be(scenes: int, test_scenes: int | None, seed: int) -> None:
    with pytest.raises(InputError, match=f"found {scenes} scenes"):
        plan_dataset(scenes, test_scenes, seed)


def test_the_command(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="slstr_cloudmask"):
        simulate(tmp_path, scenes=2, size="48x64", seed=4)
    assert "1 scenes to train on" in caplog.text
    assert "true cloud" in caplog.text
    assert len(find_scenes(tmp_path)) == 2


def test_sizes_as_people_write_them() -> None:
    assert parse_size("1200x1500") == (1200, 1500)
    assert parse_size("256 X 320") == (256, 320)
    for text in ("1200", "axb", "-5x7", ""):
        with pytest.raises(InputError, match="rows x columns"):
            parse_size(text)
