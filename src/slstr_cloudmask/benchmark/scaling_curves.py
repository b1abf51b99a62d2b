"""How training scales with ranks: as published, and as ``cloudmask scaling`` measured.

    curve = published_curve()
    curve.efficiency(32)        # 0.37

A curve is of one system, data set and batch. Efficiency is a share of what the curve's own fewest
ranks do, so curves may be drawn beside each other; their rates are not compared.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slstr_cloudmask.benchmark.published_runs import published_scaling
from slstr_cloudmask.errors import BrokenFileError

SCALING_NAME = "scaling.json"
_MODES = {"strong": "one global batch", "weak": "one batch per rank"}


@dataclass(frozen=True)
class Curve:
    """Rates by ranks.

    Attributes
    ----------
    name, mode
        What was measured, and how the batch grew.
    rates
        Training per second by ranks, in any unit; fewest ranks first.
    source, note
        Where it stands, and what is to be known of it.
    published
        Whether others published it.
    """

    name: str
    mode: str
    rates: dict[int, float]
    source: str
    note: str = ""
    published: bool = False

    def speed_up(self, ranks: int) -> float:
        """Return how much faster than one rank; the fewest ranks are taken as perfect."""
        first = min(self.rates)
        return first * self.rates[ranks] / self.rates[first]

    def efficiency(self, ranks: int) -> float:
        """Return the speed-up through the ranks."""
        return self.speed_up(ranks) / ranks

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        points = [
            {"ranks": n, "speed_up": self.speed_up(n), "efficiency": self.efficiency(n)}
            for n in self.rates
        ]
        return {
            "name": self.name,
            "mode": self.mode,
            "published": self.published,
            "points": points,
            "source": self.source,
            "note": self.note,
        }


def published_curve() -> Curve:
    """Return the only curve that was published."""
    rows = published_scaling()
    return Curve(
        rows[0].system,
        "20 epochs; how the batch grew is not told",
        {row.gpus: 1 / row.seconds_per_epoch for row in rows},
        rows[0].source,
        rows[0].note,
        published=True,
    )


def read_curves(folder: Path) -> list[Curve]:
    """Read what ``cloudmask scaling`` measured of training; nothing where it only predicted.

    Raises
    ------
    BrokenFileError
        It cannot be read.
    """
    path = folder / SCALING_NAME
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        rates: dict[str, dict[int, float]] = {}
        for row in document.get("training", ()):
            rates.setdefault(row["mode"], {})[int(row["ranks"])] = float(row["patches_per_second"])
        machine = document.get("settings", {}).get("machine", "")
        differs = document.get("same_function", {}).get("same") is False
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenFileError(
            f"{path} cannot be read ({type(error).__name__}: {error}): expected what cloudmask "
            "scaling writes."
        ) from error
    note = "the ranks did not train the same function" if differs else ""
    name = f"{folder.resolve().name}, {machine}" if machine else folder.resolve().name
    return [
        Curve(name, _MODES.get(mode, mode), dict(sorted(found.items())), str(path), note)
        for mode, found in rates.items()
        if all(rate > 0 for rate in found.values())
    ]
