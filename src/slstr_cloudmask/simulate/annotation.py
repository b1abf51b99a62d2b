"""What is written beside a scene's bands: the provider's flags, the truth's strata."""

import numpy as np
import numpy.typing as npt
import xarray as xr

from slstr_cloudmask.flags import DIMS, UNKNOWN, flag_variable, value_flag_variable
from slstr_cloudmask.io.benchmark_hdf import BAYES_MASKS
from slstr_cloudmask.simulate.basic_tests import (
    CLOUD_MASKS,
    CONFIDENCE_MASKS,
    Flags,
    cloud_flags,
    confidence_flags,
)
from slstr_cloudmask.simulate.catalogue import KIND_NUMBERS
from slstr_cloudmask.simulate.clear import Bands, glint_reflectance
from slstr_cloudmask.simulate.clouds import thickest_kind
from slstr_cloudmask.simulate.fractal import Field
from slstr_cloudmask.simulate.ground import Ground
from slstr_cloudmask.simulate.instrument import Gaps
from slstr_cloudmask.simulate.provider import Oblique, Verdict
from slstr_cloudmask.simulate.stage import Stage


def provider_labels(
    verdict: Verdict, bands: Bands, stage: Stage, gaps: Gaps, oblique: Oblique | None
) -> dict[str, xr.Variable]:
    """Make flags of what the provider says; copies are not judged, and not flagged."""
    bayes = np.where(gaps.cosmetic, 0, verdict.bayes).astype(np.uint8)
    bayes[~gaps.seen] = UNKNOWN
    probability = np.where(gaps.seen & ~gaps.cosmetic, verdict.cloud_probability, np.nan)
    cloud, confidence = basic_labels(bands, stage, gaps, oblique)
    summary = (confidence & CONFIDENCE_MASKS["summary_cloud"]) != 0
    return {
        "bayes": flag_variable(bayes, BAYES_MASKS, fill=UNKNOWN, long_name="Bayesian cloud flags"),
        "cloud": flag_variable(cloud, CLOUD_MASKS, long_name="basic cloud tests"),
        "confidence": flag_variable(confidence, CONFIDENCE_MASKS, long_name="what a pixel is"),
        "summary_cloud": value_flag_variable(
            np.where(gaps.seen, summary, UNKNOWN),
            {"clear": 0, "cloud": 1},
            long_name="summary cloud flag",
        ),
        "cloud_probability_provider": _measure(probability, "provider's probability of cloud", "1"),
    }


def basic_labels(
    bands: Bands, stage: Stage, gaps: Gaps, oblique: Oblique | None = None
) -> tuple[Flags, Flags]:
    """Make the flags ``cloud`` and ``confidence``; copies take what their neighbour has."""
    cloud = np.where(gaps.seen, cloud_flags(bands, stage, oblique), 0).astype(np.uint16)
    copied = gaps.cosmetic[:, 1:]
    cloud[:, 1:][copied] = cloud[:, :-1][copied]
    return cloud, confidence_flags(cloud, bands, stage, gaps)


def strata(stage: Stage, depth: Field, seen: npt.NDArray[np.bool_]) -> dict[str, xr.Variable]:
    """Make variables of what is there, for scores apart."""
    kinds = np.where(seen, thickest_kind(stage.layers, depth.shape), UNKNOWN)
    ground = {kind.name.lower(): int(kind) for kind in Ground}
    return {
        "optical_depth": _measure(depth, "optical depth of cloud at 0.55 um", "1"),
        "cloud_kind": value_flag_variable(kinds, KIND_NUMBERS, long_name="kind of thickest cloud"),
        "surface_kind": value_flag_variable(
            stage.surface.ground, ground, long_name="kind of surface"
        ),
        "glint_reflectance": _measure(
            glint_reflectance(stage), "reflectance of sun glint at 0.87 um", "1"
        ),
        "coast_distance": _measure(
            stage.surface.coast_distance_km, "distance from the nearest coast, at most 64", "km"
        ),
        "dust_optical_depth": _measure(
            stage.air.dust_depth, "optical depth of desert dust at 0.55 um", "1"
        ),
        "smoke_optical_depth": _measure(
            stage.air.smoke_depth, "optical depth of smoke at 0.55 um", "1"
        ),
        "cloud_shadow": _measure(
            1 - stage.light, "share of the sunlight that clouds keep from the ground", "1"
        ),
    }


def _measure(values: npt.ArrayLike, long_name: str, units: str) -> xr.Variable:
    array = np.asarray(values, np.float32)
    return xr.Variable(DIMS, array, {"long_name": long_name, "units": units})
