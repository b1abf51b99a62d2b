"""Scenes as the 500 m grid has them, from simulated scenes of 1 km.

    python recipes/half_kilometre.py SCENES OUT

SCENES are a folder that ``cloudmask simulate`` made. Each pixel is taken for one of 500 m: what it
shows of the sun stays, and the thermal bands are means of 2 x 2 pixels, which all four then have.
Clouds and coasts are so half as large as they were drawn, with structure down to the pixel; angles
change half as fast as they should, and the noise of thermal means is half that of a pixel. Writes
NetCDF scenes for ``cloudmask evaluate OUT --grid 500m``, to be scored beside SCENES themselves.
"""

import argparse
from pathlib import Path

import numpy as np
import xarray as xr

from slstr_cloudmask import channels
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.find_scenes import find_scenes
from slstr_cloudmask.io.geolocation import Grid, coarser
from slstr_cloudmask.io.regrid import to_half_kilometre, to_kilometre
from slstr_cloudmask.io.scene_file import write_scene_file
from slstr_cloudmask.progress import track


def main() -> None:
    """Write the scenes; those that are there stay."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scenes", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    paths = find_scenes(given.scenes)
    if not paths:
        parser.error(f"no scene lies in {given.scenes}")
    for path in track(paths, "halving", len(paths)):
        target = given.output / f"{path.stem}.nc"
        if not target.exists():
            write_scene_file(target, halved(open_scene(path, strata=True).load()))


def halved(scene: xr.Dataset) -> xr.Dataset:
    """Return a Scene with pixels of 500 m whose thermal bands are of 1 km."""
    fine = scene.assign_attrs(grid="500m")
    fine_grid = Grid(scene.sizes["rows"], scene.sizes["columns"], 0, 0, 500, 500)
    grid = coarser(fine_grid)
    for name in channels.THERMAL_NAMES:
        if name in fine:
            means = to_kilometre(fine[name].values, fine_grid, grid)
            fine[name] = fine[name].copy(data=to_half_kilometre(means, grid, fine_grid, np.nan))
    return fine


if __name__ == "__main__":
    main()
