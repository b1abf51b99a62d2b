"""What is known of the real data set, and of real scenes: the other side of the comparison.

    SHARES["mean"].real, SHARES["mean"].accepted

Numbers of the real data set were read out of published notebooks and pictures, with the errors that
this brings. Typical values of classes are those that AVHRR, MODIS and SLSTR scenes are known by;
literature was not checked again for them. Where nothing is known ``real`` is None.
"""

from dataclasses import dataclass
from functools import cache

from slstr_cloudmask.simulate.published_scenes import published_scenes

NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Known:
    """One quantity: its value in real data and the range in which a simulation may lie.

    Attributes
    ----------
    real
        Value in the real data set or in the literature; None where it is not known.
    accepted
        Lowest and highest value of a simulation that passes; None where nothing is asked.
    note
        Where this comes from, in a few words.
    """

    real: float | None = None
    accepted: tuple[float, float] | None = None
    note: str = ""


_NOTEBOOK = "published accuracy of a mask that is all cloud, 100 test scenes"
_READ_OFF = "the same, scene by scene; the range is assumed"
# Share of pixels flagged by the provider, full frame, borders counted as clear. The mean is that of
# the notebook analyze-inference.ipynb in laszewsk/mlcommons; day and night are after the published
# pictures of the masks, scaled to that mean.
SHARES: dict[str, Known] = {
    "mean": Known(0.809, (0.78, 0.84), _NOTEBOOK),
    "sd": Known(0.113, (0.10, 0.16), _NOTEBOOK),
    "min": Known(0.475, (0.30, 0.62), _READ_OFF),
    "p25": Known(0.742, (0.68, 0.80), _READ_OFF),
    "p50": Known(0.836, (0.79, 0.88), _READ_OFF),
    "p75": Known(0.902, (0.86, 0.95), _READ_OFF),
    "max": Known(0.963, (0.92, 1.0), _READ_OFF),
    "day": Known(0.779, (0.739, 0.819), "published pictures of the masks, scaled to that mean"),
    "night": Known(0.846, (0.806, 0.886), "published pictures of the masks, scaled to that mean"),
    "swath": Known(
        0.809,
        None,
        "the other reading of the same number; this project holds to the full frame",
    ),
}
# The same number as the mean of scenes, which is judged.
ALL_CLOUD = Known(0.809, None, "accuracy of a mask that is all cloud, full frame")
# Poulsen et al. (2020), doi 10.1016/j.rse.2020.111999: Kuipers skill of the operational
# Bayesian mask against CALIOP in polar regions.
_POULSEN = "0.28 against CALIOP: Poulsen et al. (2020)"
# The other ranges are those that this project asks of its simulator.
SKILL: dict[str, Known] = {
    "cloudy": Known(None, (0.66, 0.74), "global climatologies, weighted to the test scenes"),
    "ambiguous": Known(None, (0.0, 0.12), "optical depth 0.02 to 0.3, share of the swath"),
    "recall": Known(None, (0.95, 0.998), "clear-conservative masks"),
    "false_detection_rate": Known(None, (0.35, 0.50), "clear-conservative masks"),
    "polar kuipers": Known(0.28, (0.2, 0.5), _POULSEN),
}
SHAPE: dict[str, Known] = {
    "ocean split spread": Known(None, (0.0, 0.3), "moisture varies slowly over the sea"),
    "desert saturated": Known(None, (0.02, 1.0), "S7 saturates near 312 K over hot ground"),
    # Davis et al. (1996), J. Atmos. Sci. 53, 1538, and others: slopes of 5/3 to 2 along a line,
    # which is one less than of the spectrum averaged over directions.
    "S8 slope": Known(None, (-3.4, -2.3), "-5/3 to -2 along a line: one more over directions"),
    "S1 slope": Known(None, (-3.4, -2.2), "-5/3 to -2 along a line: one more over directions"),
    "coast step": Known(
        note="sea to land, 2 to 10 km off; the real mask calls snowy land clear beside cloudy sea"
    ),
}

# Range of the median by class: reflectance (unit 1), S8 and differences in K; "?" is not known.
# Where only one value is known (clear ocean in S5, S6), the range is about half to twice that.
_TYPICAL = """
class                |S1       |S3       |S4       |S5       |S6       |S8       |S7-S8    |S8-S9
clear ocean, day     |.06/.11  |.02/.05  |0/.004   |.004/.02 |.001/.012|271/298  |1/4      |.3/2
ocean glint, day     |.16/.8   |.12/.9   |.005/.03 |.1/.8    |.1/.7    |271/298  |14/45    |.3/1.3
clear ocean, night   |?        |?        |?        |?        |?        |271/298  |-.5/.2   |.3/2
vegetation, day      |.1/.15   |.25/.38  |0/.005   |.13/.23  |.06/.1   |275/305  |2/5      |.1/1
desert, day          |.2/.25   |.32/.42  |0/.01    |.38/.52  |.34/.45  |290/325  |8/15     |0/.8
snow, day            |.55/.8   |.55/.8   |.003/.03 |.08/.13  |.06/.1   |245/276  |1.5/5    |.1/.5
sea ice, day         |.3/.63   |.25/.55  |.003/.02 |.05/.1   |.03/.07  |245/271  |1/4      |.1/.2
snow or ice, night   |?        |?        |?        |?        |?        |240/271  |-.5/.05  |.1/.3
stratus, day         |.35/.93  |.35/.94  |0/.02    |.31/.77  |.27/.63  |255/288  |20/40    |0/1
stratus or fog, night|?        |?        |?        |?        |?        |250/285  |-4/-1    |0/1
broken cumulus, day  |.16/.8   |.13/.8   |0/.02    |.13/.64  |.1/.55   |262/288  |15/40    |.1/1.9
altocumulus, day     |.34/.9   |.34/.9   |.01/.2   |.3/.78   |.28/.62  |246/277  |28/52    |0/1.7
cirrus, day          |.12/.5   |.1/.5    |.03/.3   |.08/.4   |.07/.35  |225/272  |15/45    |.9/2.5
cirrus, night        |?        |?        |?        |?        |?        |225/272  |5/25     |.8/2.5
storms or fronts, day|.75/1.1  |.75/1.1  |.15/.7   |.27/.6   |.26/.6   |203/255  |25/60    |0/.7
dust over ocean, day |.1/.25   |.12/.3   |0/.01    |.1/.25   |.08/.2   |?        |2/8      |-1/.3
"""


def _typical(text: str) -> dict[str, dict[str, tuple[float, float]]]:
    head, *lines = [[cell.strip() for cell in line.split("|")] for line in text.split("\n")[1:-1]]
    return {
        name: {
            band: (float(low), float(high))
            for band, cell in zip(head[1:], cells, strict=True)
            if cell != "?"
            for low, high in [cell.split("/")]
        }
        for name, *cells in lines
    }


TYPICAL = _typical(_TYPICAL)


@cache
def real_shares() -> dict[str, float]:
    """Read the share flagged, full frame, of the real test scenes.

    It is the mean grey of the published picture of the mask, and 0.03 too low on average: some
    flagged pixels are not quite white.

    Returns
    -------
    dict
        Shares by start time, written as scenes have it: ``2019-10-01T11:32:21Z``.
    """
    return {
        f"{scene.overpass.start:%Y-%m-%dT%H:%M:%SZ}": scene.flagged for scene in published_scenes()
    }
