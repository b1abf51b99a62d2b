"""Where and when scenes are taken: the benchmark's own test scenes, or kinds of places.

    overpass = draw_overpass(np.random.default_rng(seed), "test-set", index=0)
    overpass = draw_overpass(rng, "polar", 0, daytime=False)

All are frames that Sentinel-3A could have taken: of its orbit, at its local time.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.simulate.geometry import FULL_COLUMNS, FULL_ROWS, ROW_SECONDS, across_track
from slstr_cloudmask.simulate.orbit import (
    DAYS_PER_CYCLE,
    FIRST_NODE,
    FRAME_SECONDS,
    ORBIT_SECONDS,
    ORBITS_PER_CYCLE,
    Overpass,
    geodetic,
    ground_track,
    orbits_before,
    overpass_at,
    position_deg,
)
from slstr_cloudmask.simulate.published_scenes import published_scenes
from slstr_cloudmask.sun import seconds_since_2000, solar_angles

LIKE = ("test-set", "global", "polar", "tropics", "night", "hard")

# Solar zenith angle in the middle of the frame up to which S1 to S6 are operated: in the 100 test
# scenes it is at most 81.9 degrees in the day folder and at least 82.7 in the night folder.
REFLECTIVE_MAX_SOLAR_ZENITH_DEG = 82.3

Numbers = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_DAY_SHARE = 0.55  # of the test scenes
_YEAR = (datetime(2019, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC))
# The cycles that begin in September, October and November 2019 (the 2nd, the 29th, the 26th).
_AUTUMN_CYCLES = (49, 51)
# The names of products have three digits for the cycle.
_NAMEABLE = timedelta(days=999 * DAYS_PER_CYCLE)
_NEIGHBOUR_DEG = 20.0  # of longitude
_FRAMES = FRAME_SECONDS * np.arange(34)  # of an orbit; the last reaches into the next
_BATCH, _BATCHES = 256, 40

# Kinds of hard places and how often. Coasts, cloud and ice are for the surface to draw.
_HARD = {"twilight": 0.4, "polar": 0.3, "glint": 0.3}


@dataclass(frozen=True, slots=True)
class _Places:
    """Candidates, all arrays of one shape: orbits since the first of cycle 1, frame, middle."""

    orbit: Numbers
    frame: Numbers
    latitude_deg: npt.NDArray[np.float64]
    longitude_deg: npt.NDArray[np.float64]
    solar_zenith_deg: npt.NDArray[np.float32]

    @property
    def reflective(self) -> BoolArray:
        return np.asarray(self.solar_zenith_deg <= REFLECTIVE_MAX_SOLAR_ZENITH_DEG)

    def overpass(self, index: int) -> Overpass:
        cycle, orbit = divmod(int(self.orbit[index]), ORBITS_PER_CYCLE)
        frame, reflective = int(self.frame[index]), bool(self.reflective[index])
        return overpass_at(cycle + 1, orbit + 1, frame, reflective=reflective)


_KINDS: dict[str, Callable[[_Places], BoolArray]] = {
    "global": lambda places: np.ones(places.frame.shape, bool),
    "polar": lambda places: np.abs(places.latitude_deg) > 60,
    "tropics": lambda places: np.abs(places.latitude_deg) < 25,
    "night": lambda places: places.solar_zenith_deg > 90,
    "twilight": lambda places: np.abs(places.solar_zenith_deg - 85) <= 7,
    # A sun this high is mirrored within the swath.
    "glint": lambda places: (np.abs(places.latitude_deg) < 35) & (places.solar_zenith_deg < 50),
}
_NEVER_BY_DAY, _NEVER_BY_NIGHT = ("night",), ("glint",)


def draw_overpass(
    rng: np.random.Generator,
    like: str,
    index: int,
    *,
    daytime: bool | None = None,
    day: date | None = None,
) -> Overpass:
    """Draw where and when a scene is taken.

    Parameters
    ----------
    rng
        Decides all that ``index`` does not.
    like
        ``test-set``: the benchmark's test scenes, exactly, day and night in turn (55 to 45); from
        scene 100 on other passes over the same regions in autumn 2019. ``global``: any frame of
        2019. ``polar``, ``tropics``: beyond 60 and within 25 degrees of latitude. ``night``: the
        sun is down. ``hard``: twilight, polar, or with sun glint.
    index
        Number of the scene, from 0; matters for the test set alone.
    daytime
        Only frames whose reflective bands are operated, or only others; of the test set, that
        folder's scenes.
    day
        Only orbits that begin on this day; not for the test set, which has its own days.

    Returns
    -------
    Overpass

    Raises
    ------
    InputError
        An unknown name, a negative index, daylight asked for where the sun is down, a day for
        the test set or before the satellite's first.
    """
    if like not in LIKE:
        raise InputError(f"Expected one of {', '.join(LIKE)}, found {like!r}: choose one of them.")
    if index < 0:
        raise InputError(f"Expected a scene's number from 0 on, found {index}: count from 0.")
    if daytime and like in _NEVER_BY_DAY:
        raise InputError(
            f"Daylight was asked for in scenes like {like!r}, where the sun is down: "
            "leave out the daylight, or choose 'global' or another place."
        )
    if like == "test-set":
        if day is not None:
            raise InputError(
                f"The test set's scenes have their own days, and {day} was asked for: leave the "
                "day out, or choose 'global' or another place."
            )
        return _of_test_set(rng, index, daytime)
    kind = _hard_kind(rng, daytime) if like == "hard" else like
    return _draw(rng, _orbits_of(day), _FRAMES, _by_daylight(_KINDS[kind], daytime))


def _orbits_of(day: date | None) -> tuple[int, int]:
    """First orbit that begins on a day, or in 2019, and the one after the last."""
    if day is None:
        return orbits_before(_YEAR[0]), orbits_before(_YEAR[1])
    first, last = FIRST_NODE.date(), (FIRST_NODE + _NAMEABLE).date()
    if not first < day < last:
        raise InputError(f"Expected a day after {first} and before {last}, found {day}.")
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return orbits_before(start), orbits_before(start + timedelta(days=1))


@functools.cache
def benchmark_scenes() -> tuple[Overpass, ...]:
    """List the benchmark's 100 test scenes, day and night in turn."""
    scenes = [scene.overpass for scene in published_scenes()]
    day = iter([scene for scene in scenes if scene.reflective])
    night = iter([scene for scene in scenes if not scene.reflective])
    return tuple(next(day if _is_day(index) else night) for index in range(len(scenes)))


def _is_day(index: int) -> bool:
    """Spread day scenes evenly: the running count is the rounded share."""
    return int((index + 1) * _DAY_SHARE + 0.5) > int(index * _DAY_SHARE + 0.5)


def _of_test_set(rng: np.random.Generator, index: int, daytime: bool | None) -> Overpass:
    scenes = [scene for scene in benchmark_scenes() if daytime in (None, scene.reflective)]
    if index < len(scenes):
        return scenes[index]
    return _neighbour(rng, scenes[index % len(scenes)])


def _neighbour(rng: np.random.Generator, scene: Overpass) -> Overpass:
    """Another pass over the region of a test scene, in the same light."""
    _, longitude, _ = _middles(np.array([_orbit(scene)]), np.array([scene.frame]))
    taken = [_orbit(other) for other in benchmark_scenes() if other.frame == scene.frame]

    def wanted(places: _Places) -> BoolArray:
        apart = (places.longitude_deg - longitude + 180) % 360 - 180
        near = (np.abs(apart) < _NEIGHBOUR_DEG) & ~np.isin(places.orbit, taken)
        return np.asarray(near & (places.reflective == scene.reflective))

    first, last = _AUTUMN_CYCLES
    orbits = ((first - 1) * ORBITS_PER_CYCLE, last * ORBITS_PER_CYCLE)
    return _draw(rng, orbits, np.array([scene.frame]), wanted)


def _orbit(overpass: Overpass) -> int:
    return (overpass.cycle - 1) * ORBITS_PER_CYCLE + overpass.relative_orbit - 1


def _hard_kind(rng: np.random.Generator, daytime: bool | None) -> str:
    never = _NEVER_BY_NIGHT if daytime is False else ()
    kinds = [kind for kind in _HARD if kind not in never]
    weights = np.array([_HARD[kind] for kind in kinds])
    return kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]


def _by_daylight(
    wanted: Callable[[_Places], BoolArray], daytime: bool | None
) -> Callable[[_Places], BoolArray]:
    if daytime is None:
        return wanted
    return lambda places: wanted(places) & (places.reflective == daytime)


def _draw(
    rng: np.random.Generator,
    orbits: tuple[int, int],
    frames: Numbers,
    wanted: Callable[[_Places], BoolArray],
) -> Overpass:
    """Draw frames until one is wanted; orbits from the first to before the last."""
    for _ in range(_BATCHES):
        orbit, frame = rng.integers(*orbits, _BATCH), rng.choice(frames, _BATCH)
        places = _Places(orbit, frame, *_middles(orbit, frame))
        found = np.flatnonzero(wanted(places))
        if len(found):
            return places.overpass(int(found[0]))
    raise InputError(
        f"Expected a frame of the kind asked for among {_BATCH * _BATCHES} drawn, found none: "
        "ask for another kind of place or another day, or leave out daylight or night."
    )


def _middles(
    orbit: Numbers, frame: Numbers
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    """Latitude, longitude and solar zenith angle in the middle of frames, degrees."""
    seconds = frame + FULL_ROWS / 2 * ROW_SECONDS
    up, _, left = ground_track(seconds, orbit % ORBITS_PER_CYCLE + 1)
    latitude, longitude = position_deg(geodetic(across_track(up, left, FULL_COLUMNS / 2)))
    time = seconds_since_2000(FIRST_NODE) + orbit * ORBIT_SECONDS + seconds
    zenith, _ = solar_angles(time, latitude, longitude)
    return latitude, longitude, zenith
