"""Describe files of a product: those of a folder, and those that only an exported product has.

    variables, sizes = product_file(folder / "S8_BT_in.nc")
    source, variables, sizes = absent_file("S1_radiance_an.nc", folder, export)

A description holds type, dimensions, fill value and attributes of each variable, and the sizes of
the file's own dimensions. Used by `product_format_maker` alone.
"""

import re
from pathlib import Path
from typing import Any

import h5py
from scipy.io import netcdf_file

Variables = dict[str, dict[str, Any]]
Sizes = dict[str, int]

# Sizes of these depend on the scene, all others on the file.
IMAGE_DIMENSIONS = ("rows", "columns", "orphan_pixels")
_INT32_FILL = -2147483648


def product_file(path: Path) -> tuple[Variables, Sizes]:
    """Describe a file of the product: its variables, and the sizes of its own dimensions."""
    variables: Variables = {}
    sizes: Sizes = {}
    with h5py.File(path) as file:
        for name, item in file.items():
            if b"not a netCDF variable" in item.attrs.get("NAME", b""):
                if name not in IMAGE_DIMENSIONS:
                    sizes[name] = item.shape[0]
                continue
            dims = [file[axis[0]].name[1:] for axis in item.attrs["DIMENSION_LIST"]]
            attributes = {
                key: _attribute(value) for key, value in item.attrs.items() if not key.isupper()
            }
            text = item.dtype.kind == "O"
            variables[name] = {
                "dtype": "text" if text else item.dtype.name,
                "dims": dims,
                "fill": None if text else _number(item.fillvalue),
                "attributes": attributes,
            }
    return variables, sizes


def _attribute(value: Any) -> Any:
    """Keep the type: text is a scalar, numbers are arrays, NaN is null."""
    if isinstance(value, bytes):
        return value.decode()
    return {value.dtype.name: [_number(item) for item in value]}


def _number(value: Any) -> int | float | None:
    plain: int | float = value.item()
    return None if plain != plain else plain


def absent_file(name: str, folder: Path, export: Path) -> tuple[str, Variables, Sizes]:
    """Describe a file that the product's folder lacks."""
    kind = name.split("_")[0] if "radiance" not in name else "radiance"
    grid = name.removesuffix(".nc").rpartition("_")[2]
    if kind == "cartesian":
        model = "cartesian_io.nc"
        variables, _ = product_file(folder / model)
        return (
            f"like {model}",
            {key.replace("_io", f"_{grid}"): v for key, v in variables.items()},
            {},
        )
    with netcdf_file(export, "r", mmap=False) as file:
        exported = {key: dict(vars(item)["_attributes"]) for key, item in file.variables.items()}
    if kind == "radiance":
        model = f"S7_BT_i{grid[1]}.nc"
        like, _ = product_file(folder / model)
        return "export+", _radiance(name, grid, like, exported), {}
    if kind == "geodetic":
        return "export+", _geodetic(grid, exported), {}
    return "export+", *_met(exported)


def _radiance(name: str, grid: str, like: Variables, exported: dict[str, Any]) -> Variables:
    """Radiances: packing of the export, the rest after the brightness temperatures."""
    band = name[:2]
    said = exported[f"{band}_radiance_{grid}"]
    long_name = re.sub(r" \(500 m\)$", "", said["long_name"].decode())
    variables: Variables = {}
    for key, item in like.items():
        variable = key.replace("S7_BT", f"{band}_radiance").replace("S7", band)
        variable = variable.rpartition("_")[0] + f"_{grid}"
        attributes = dict(item["attributes"])
        attributes["standard_name"] = "toa_radiance_status_flag"
        if "radiance" in variable:
            words = "TOA radiances for orphaned pixels for" if "orphan" in variable else None
            attributes |= {
                "add_offset": {"float64": [0.0]},
                "long_name": long_name.replace("TOA radiance for", words) if words else long_name,
                "scale_factor": {"float64": [float(said["scale_factor"])]},
                "standard_name": "toa_upwelling_spectral_radiance",
                "units": said["units"].decode(),
            }
        variables[variable] = item | {"attributes": attributes}
    return variables


def _geodetic(grid: str, exported: dict[str, Any]) -> Variables:
    """Positions; products have no F1 grid of their own in the export, its words are general."""
    variables: Variables = {}
    for quantity in ("elevation", "latitude", "longitude"):
        said = exported[f"{quantity}_in"]
        whole = quantity == "elevation"
        dtype, fill = ("int16", -32768) if whole else ("int32", _INT32_FILL)
        attributes: dict[str, Any] = {
            "_FillValue": {dtype: [fill]},
            "add_offset": {"float64": [0.0]},
            "long_name": re.sub(r" \(1 km\)$", "", said["long_name"].decode()),
            "scale_factor": {"float64": [float(said.get("scale_factor", 1.0))]},
            "units": said["units"].decode(),
        }
        if not whole:
            attributes["standard_name"] = quantity
        for variable, last in ((quantity, "columns"), (f"{quantity}_orphan", "orphan_pixels")):
            variables[f"{variable}_{grid}"] = {
                "dtype": dtype,
                "dims": ["rows", last],
                "fill": fill,
                "attributes": dict(sorted(attributes.items())),
            }
    return variables


def _met(exported: dict[str, Any]) -> tuple[Variables, Sizes]:
    """Meteorology: SNAP writes each time and pressure level as a variable of its own."""
    variables: Variables = {}
    sizes = {"t_single": 1}
    for key, said in sorted(exported.items()):
        match = re.fullmatch(r"(\w+?_tx)(?:_(time|pressure_level)_(\d+)_tx)?", key)
        if match is None or key in ("x_tx", "y_tx", "latitude_tx", "longitude_tx"):
            continue
        name, series, number = match.groups()
        axes = {"time": ["t_series"], "pressure_level": ["t_single", "p_atmos"]}
        dims = axes.get(series or "", ["t_single"])
        if series:
            sizes[dims[-1]] = max(sizes.get(dims[-1], 0), int(number))
        variables[name] = {
            "dtype": "float32",
            "dims": [*dims, "rows", "columns"],
            "fill": None,
            "attributes": {
                "_FillValue": {"float32": [None]},
                "long_name": said["long_name"].decode(),
                **({"units": said["units"].decode()} if "units" in said else {}),
            },
        }
    return variables, sizes
