"""The ways to mask a scene, one protocol.

``get_detector`` makes one by name; ``list_detectors`` names what there is. A new detector is a line
in ``DETECTORS``; it is imported when it is asked for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from slstr_cloudmask.detectors.protocol import Detector
from slstr_cloudmask.errors import InputError

__all__ = ["DETECTORS", "Detector", "get_detector", "list_detectors"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A detector that needs no model: what it is, where it is, and its thresholds by name.

    The class is called with ``threshold``, the probability from which on a pixel is cloud.
    """

    description: str
    module: str
    class_name: str
    presets: Mapping[str, float] = field(default_factory=lambda: {"balanced": 0.5})

    def make(self, threshold: str | float) -> Detector:
        """Make the detector.

        Raises
        ------
        InputError
            It has no threshold of that name.
        """
        if isinstance(threshold, str):
            if threshold not in self.presets:
                raise InputError(
                    f"Unknown threshold {threshold!r}: expected a number or "
                    f"{', '.join(self.presets)}."
                )
            threshold = self.presets[threshold]
        module = import_module(f"slstr_cloudmask.detectors.{self.module}")
        detector: Detector = getattr(module, self.class_name)(threshold)
        return detector


DETECTORS: dict[str, Entry] = {
    "thresholds": Entry(
        "the classical tests on each pixel; needs no training",
        "thresholds",
        "Thresholds",
    ),
    "thresholds-operational": Entry(
        "all tests of the operational family, as published; more false alarms than thresholds",
        "thresholds",
        "OperationalThresholds",
    ),
    "scda": Entry(
        "rules that tell cloud from snow by day (SCDA v2); unknown at night",
        "scda",
        "Scda",
    ),
    "bayesian": Entry(
        "cloud probability against a clear sky found in the scene; needs no training",
        "bayesian",
        "Bayesian",
        {"balanced": 0.5, "sst": 0.1, "lst": 0.3},
    ),
    "clusters": Entry(
        "clusters of the scene's own pixels, named by physics; needs no training and no label",
        "clusters",
        "Clusters",
    ),
    "kim2020": Entry(
        "differentiable feature clustering of one scene, the literature's baseline; slow",
        "kim2020",
        "Kim2020",
    ),
}
# Detectors that run a network: what each is. Without a model they run the shipped one of that name.
NETWORKS = {
    "network": "a U-Net trained on simulated truth, or on whatever --model was (the default)",
    "selftaught": "a U-Net that learnt from `clusters` and itself, without any label",
}
DEFAULT, DEFAULT_MODEL = "network", "default"


def list_detectors() -> dict[str, str]:
    """Return what each detector is, by name."""
    return NETWORKS | {name: entry.description for name, entry in DETECTORS.items()}


def get_detector(
    name: str = "default",
    *,
    model: str | Path | None = None,
    threshold: str | float = "balanced",
    device: str = "auto",
    precision: str = "auto",
    engine: str = "auto",
    scenes: int = 1,
    companions: Callable[[str], Detector] | None = None,
) -> Detector:
    """Make a detector.

    Parameters
    ----------
    name
        One of `list_detectors`, or ``default``: ``network``.
    model
        For a network: folder of a model file, or name of a shipped one; by default the shipped one.
    threshold
        Cloud where the probability is at least this: a number, or the name of a preset.
    device, precision
        Where and how a network runs.
    engine, scenes
        What runs it, and for how many scenes: see ``network.engine``.
    companions
        Makes the detector of a name that a network is weighed with; by default this function.

    Raises
    ------
    InputError
        An unknown name or preset, a threshold outside 0 to 1, or a model for what takes none.
    MissingFileError
        There is no such model.
    """
    name = DEFAULT if name == "default" else name
    threshold = _check_threshold(threshold)
    if name in DETECTORS:
        if model is not None:
            raise InputError(f"The detector {name!r} takes no model: leave --model out.")
        return DETECTORS[name].make(threshold)
    if name not in NETWORKS:
        raise InputError(
            f"Unknown detector {name!r}: expected one of {', '.join(list_detectors())}."
        )
    from slstr_cloudmask.detectors.network import Network
    from slstr_cloudmask.network.shipped import find_model

    network = Network(
        find_model(model or (DEFAULT_MODEL if name == DEFAULT else name)),
        threshold=threshold,
        device=device,
        precision=precision,
        engine=engine,
        scenes=scenes,
        companions=companions or get_detector,
    )
    network.name = name
    return network


def _check_threshold(threshold: str | float) -> str | float:
    """Return the threshold as a number where it is one."""
    try:
        value = float(threshold)
    except ValueError:
        return threshold
    if not 0.0 <= value <= 1.0:
        raise InputError(f"Threshold {value:g} is no probability: expected 0 to 1.")
    return value
