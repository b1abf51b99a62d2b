"""The ways to mask a scene, one protocol.

``get_detector`` makes one by name; ``list_detectors`` names what there is.
"""

from pathlib import Path

from slstr_cloudmask.detectors.protocol import Detector
from slstr_cloudmask.errors import InputError

__all__ = ["DETECTORS", "Detector", "get_detector", "list_detectors"]

DETECTORS = {
    "thresholds": "the classical tests on each pixel; needs no training (the default)",
    "network": "a trained U-Net; needs a model file",
}
DEFAULT = "thresholds"
PRESETS = {"balanced": 0.5}  # of detectors that carry no thresholds of their own


def list_detectors() -> dict[str, str]:
    """Return what each detector is, by name."""
    return dict(DETECTORS)


def get_detector(
    name: str = "default",
    *,
    model: Path | None = None,
    threshold: str | float = "balanced",
    device: str = "auto",
    precision: str = "auto",
    engine: str = "auto",
    scenes: int = 1,
) -> Detector:
    """Make a detector.

    Parameters
    ----------
    name
        One of `list_detectors`, or ``default``: ``network`` where a model is given, else
        ``thresholds``.
    model
        Folder of a model file; for ``network``.
    threshold
        Cloud where the probability is at least this: a number, or the name of a preset.
    device, precision
        Where and how a network runs.
    engine, scenes
        What runs it, and for how many scenes: see ``network.engine``.

    Raises
    ------
    InputError
        An unknown name or preset, a threshold outside 0 to 1, or no model for ``network``.
    """
    if name == "default":
        name = "network" if model is not None else DEFAULT
    threshold = _check_threshold(threshold)
    if name == "network":
        if model is None:
            raise InputError("The detector 'network' needs a model: pass --model FOLDER.")
        from slstr_cloudmask.detectors.network import Network

        return Network(
            model,
            threshold=threshold,
            device=device,
            precision=precision,
            engine=engine,
            scenes=scenes,
        )
    if name == "thresholds":
        if model is not None:
            raise InputError("The detector 'thresholds' takes no model: leave --model out.")
        from slstr_cloudmask.detectors.thresholds import Thresholds

        return Thresholds(_preset(threshold))
    raise InputError(f"Unknown detector {name!r}: expected one of {', '.join(DETECTORS)}.")


def _check_threshold(threshold: str | float) -> str | float:
    """Return the threshold as a number where it is one."""
    try:
        value = float(threshold)
    except ValueError:
        return threshold
    if not 0.0 <= value <= 1.0:
        raise InputError(f"Threshold {value:g} is no probability: expected 0 to 1.")
    return value


def _preset(threshold: str | float) -> float:
    if not isinstance(threshold, str):
        return threshold
    if threshold not in PRESETS:
        raise InputError(
            f"Unknown threshold {threshold!r}: expected a number or {', '.join(PRESETS)}."
        )
    return PRESETS[threshold]
