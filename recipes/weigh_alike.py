"""Weigh a network with a detector that needs no model, both alike: no label is looked at.

    python recipes/weigh_alike.py MODEL COMPANION SCENES

With the companion ``none`` the network is left alone, as docs/study.md scores some. The thresholds
are those of `bayesian`; the ranges of the inputs are those of SCENES.
"""

import argparse
from pathlib import Path

from slstr_cloudmask.detectors.network import Network
from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.find_scenes import find_scenes
from slstr_cloudmask.network.model_file import save_config
from slstr_cloudmask.training.calibration import input_ranges

LIGHTS = ("day", "twilight", "night")
THRESHOLDS = {"balanced": 0.5, "sst": 0.1, "lst": 0.3}


def main() -> None:
    """Change the model's config.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("companion")
    parser.add_argument("scenes", type=Path)
    given = parser.parse_args()
    network = Network(given.model)
    ranges, _ = input_ranges(network, find_scenes(given.scenes), read=open_scene)
    companion = None if given.companion == "none" else given.companion
    changes = {
        "companion": companion,
        "companion_weights": {light: (0.5, 0.5, 0.0) for light in LIGHTS if companion},
        "thresholds": THRESHOLDS,
        "ranges": ranges,
    }
    save_config(network.model.config.model_copy(update=changes), given.model)


if __name__ == "__main__":
    main()
