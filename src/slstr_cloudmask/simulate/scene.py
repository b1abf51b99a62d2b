"""One simulated scene, with the truth that no real scene has.

    scene = simulate_scene(7, (256, 320), night=False)

Physics are simple and the statistics plausible: good for tests, for teaching and for training
where no data are at hand, not for judging a mask's skill on real scenes.
"""

import numpy as np
import xarray as xr

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.flags import UNKNOWN, flag_variable, value_flag_variable
from slstr_cloudmask.scene import build_scene
from slstr_cloudmask.simulate.catalogue import climate_of
from slstr_cloudmask.simulate.clear import Bands
from slstr_cloudmask.simulate.clouds import column_optical_depth, draw_clouds
from slstr_cloudmask.simulate.geometry import Geometry, Overpass, draw_overpass, scene_geometry
from slstr_cloudmask.simulate.instrument import draw_seen, measured
from slstr_cloudmask.simulate.observe import observe
from slstr_cloudmask.simulate.provider import BITS, provider_flags
from slstr_cloudmask.simulate.surface import draw_surface

SMALLEST_PX = 32
LARGEST_PX = 3000  # five times the pixels, and the memory, of a full scene
FULL_SIZE = (1200, 1500)
# A pixel is truly cloudy from this optical depth on; about what a lidar study calls cloud.
CLOUD_OPTICAL_DEPTH = 0.3


def simulate_scene(
    seed: int, size: tuple[int, int] = FULL_SIZE, *, night: bool = False
) -> xr.Dataset:
    """Simulate a scene.

    Parameters
    ----------
    seed
        The same seed, size and ``night`` give the same scene, to the bit.
    size
        Rows and columns; one pixel is 1 km, and the columns always span the whole swath's angles.
    night
        A night scene, without reflectances.

    Returns
    -------
    xarray.Dataset
        A Scene with ``truth`` (optical depth of 0.3 or more; 255 outside the swath), the
        provider's ``bayes`` and ``summary_cloud``, and all coordinates.

    Raises
    ------
    InputError
        The size is below 32 or above 3000 pixels in a direction.
    """
    check_size(size)
    overpass = scene_overpass(seed, night=night)
    rng = np.random.default_rng([seed, 1])
    geometry = scene_geometry(overpass, size)
    surface = draw_surface(rng, geometry)
    layers = draw_clouds(rng, climate_of(overpass.latitude_deg), surface)
    bands = measured(rng, observe(geometry, surface, layers, night=night))
    truth = column_optical_depth(layers, size) >= CLOUD_OPTICAL_DEPTH
    bayes = provider_flags(rng, bands, truth, geometry, surface)
    seen = draw_seen(rng, geometry.in_swath)
    bayes[~seen] = UNKNOWN
    summary = np.where(seen, (bayes & BITS["single_moderate"]) > 0, UNKNOWN)
    return build_scene(
        {name: np.where(seen, bands[name], np.nan) for name in sorted(bands)},
        coordinates=_coordinates(geometry),
        flags={
            "bayes": flag_variable(bayes, BITS, fill=UNKNOWN, long_name="Bayesian cloud flags"),
            "summary_cloud": value_flag_variable(
                summary, {"clear": 0, "cloud": 1}, long_name="summary cloud flag"
            ),
        },
        truth=np.where(seen, truth, UNKNOWN),
        attributes=_attributes(overpass, seed),
    )


def check_size(size: tuple[int, int]) -> None:
    """Refuse a size that is too small or too large.

    Raises
    ------
    InputError
        Fewer than 32 rows or columns, or more than 3000.
    """
    if min(size) < SMALLEST_PX:
        raise InputError(
            f"Expected a size of at least {SMALLEST_PX}x{SMALLEST_PX} pixels, "
            f"found {size[0]}x{size[1]}. Cloud has no shape in less."
        )
    if max(size) > LARGEST_PX:
        raise InputError(
            f"Expected a size of at most {LARGEST_PX}x{LARGEST_PX} pixels, "
            f"found {size[0]}x{size[1]}. The instrument's scenes are "
            f"{FULL_SIZE[0]}x{FULL_SIZE[1]}; simulate more of them instead."
        )


def scene_overpass(seed: int, *, night: bool) -> Overpass:
    """Place and time of the scene that `simulate_scene` makes of this seed."""
    return draw_overpass(np.random.default_rng([seed, 0]), night=night)


def _coordinates(geometry: Geometry) -> Bands:
    return {
        "latitude": geometry.latitude_deg,
        "longitude": geometry.longitude_deg,
        "solar_zenith_angle": geometry.solar_zenith_deg,
        "satellite_zenith_angle": geometry.view_zenith_deg,
    }


def _attributes(overpass: Overpass, seed: int) -> dict[str, str]:
    return {
        "platform": "Sentinel-3A (simulated)",
        "start_time": f"{overpass.start:%Y-%m-%dT%H:%M:%SZ}",
        "view": "nadir",
        "grid": "1km",
        "baseline": "004",
        "radiometry": "as_distributed",
        "source": f"simulated, seed {seed}",
    }
