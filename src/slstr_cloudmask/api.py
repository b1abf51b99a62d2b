"""What a user needs from Python: open a scene, mask it."""

from pathlib import Path

import xarray as xr

from slstr_cloudmask.detectors import get_detector
from slstr_cloudmask.detectors.extended import check_classes, with_classes
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.operational import carry
from slstr_cloudmask.scene import check_scene


def predict(
    scene: xr.Dataset | str | Path,
    *,
    detector: str = "default",
    model: str | Path | None = None,
    threshold: str | float = "balanced",
    device: str = "auto",
    precision: str = "auto",
    engine: str = "auto",
    classes: str = "binary",
) -> xr.Dataset:
    """Mask a scene.

    Parameters
    ----------
    scene
        A product's path, or a Scene: any data set with some of the bands (reflectance with unit 1,
        brightness temperature in K) on dims ``("rows", "columns")`` and, where known, the
        coordinate ``solar_zenith_angle`` in degrees.
    detector
        One of `list_detectors`, or ``default``.
    model
        Folder of a model file.
    threshold
        Cloud where the probability is at least this: a number, or the name of a preset.
    device, precision
        Where and how a network runs.
    engine
        What runs it: auto, eager, compiled, onnx or openvino.
    classes
        ``binary``, cloud or clear; or ``extended``, with snow and ice, contaminated pixels and
        cloud shadow, as `slstr_cloudmask.detectors.extended`.

    Returns
    -------
    xarray.Dataset
        ``cloud_probability``, ``cloud_mask`` (0 clear, 1 cloud, 255 unknown), ``regime``, and the
        product's own masks by name with their ``agreement``, as `slstr_cloudmask.operational`;
        with extended classes ``cloud_mask_extended`` and, where it can be known, ``cloud_shadow``.

    Raises
    ------
    CloudMaskError
        The product cannot be read, or does not fit the detector.
    """
    check_classes(classes)
    scene = check_scene(scene) if isinstance(scene, xr.Dataset) else open_scene(scene)
    chosen = get_detector(
        detector,
        model=None if model is None else Path(model),
        threshold=threshold,
        device=device,
        precision=precision,
        engine=engine,
    )
    return carry(with_classes(chosen.predict(scene), scene, classes), scene)
