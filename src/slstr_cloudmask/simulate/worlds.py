"""The worlds that can be simulated: the standard one, and one that differs in what is uncertain.

Training and testing in one simulated world flatters a mask: it has learnt that world's constants.
The shifted world has other optical constants, surfaces, cloud mixtures, provider's errors and
seeds, so a score there says more about how a mask generalises.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from slstr_cloudmask.errors import InputError


@dataclass(frozen=True, slots=True)
class World:
    """What differs from world to world; factors multiply."""

    name: str
    salt: int  # makes the same seed give other scenes
    depth_factor: float = 1.0  # optical depths of cloud
    vapour_factor: float = 1.0
    brightness_factor: float = 1.0  # reflectances of the ground
    noise_factor: float = 1.0
    forecast_error_factor: float = 1.0
    provider_threshold: float = 0.0  # added to the log odds of cloud
    particles: Mapping[str, str] = field(default_factory=dict)  # seen in place of others
    weathers: Mapping[str, float] = field(default_factory=dict)  # factors of their shares


# Effective radii, contents of vapour and albedos differ by this much from one climatology to
# another, so these are not extremes.
WORLDS: dict[str, World] = {
    world.name: world
    for world in (
        World("standard", salt=0),
        World(
            "shifted",
            salt=1,
            depth_factor=0.8,
            vapour_factor=1.2,
            brightness_factor=0.88,
            noise_factor=1.4,
            forecast_error_factor=1.35,
            provider_threshold=-0.4,
            particles={
                "water6": "water5",
                "water8": "water10",
                "water10": "water14",
                "water12": "water17",
                "water14": "water20",
                "ice15": "ice12",
                "ice20": "ice25",
                "ice25": "ice40",
                "ice30": "ice55",
            },
            weathers={"overcast": 0.7, "broken": 1.6, "high": 1.6, "trades": 0.7, "fog": 1.8},
        ),
    )
}


def find_world(name: str) -> World:
    """Look a world up.

    Raises
    ------
    InputError
        There is no such world.
    """
    if name not in WORLDS:
        raise InputError(f"Expected a world of {', '.join(WORLDS)}, found {name!r}.")
    return WORLDS[name]
