"""Panels of a quicklook that show masks: ours, its probability and regime, and those beside it.

panel = find_panel("esa_bayes_single_moderate", subject)
legend = panel.draw(axes, subject)
"""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.report.drawing import (
    CLEAR,
    CLOUD,
    OUTLINE,
    Array,
    Legend,
    draw_agreement,
    draw_bar,
    draw_codes,
    draw_flag,
    shades_between,
    show,
    step_of,
    write_title,
)
from slstr_cloudmask.report.masks import match_name
from slstr_cloudmask.report.panels import SCENE_PANELS, Panel
from slstr_cloudmask.report.subject import Subject
from slstr_cloudmask.scene import Regime

# Names and colours of the extended mask, and of shadow, which is drawn over it.
EXTENDED = {
    0: ("clear", CLEAR),
    1: ("cloud", CLOUD),
    2: ("cloud contaminated", "#a9b7c6"),
    3: ("snow, ice", "#56c1d6"),
}
SHADOW = {4: ("cloud shadow", "#3b2f4a")}
REGIME_COLOURS = {Regime.NIGHT: "#27304f", Regime.TWILIGHT: "#9a6fb0", Regime.DAY: "#f2c14e"}
MAX_DETECTOR_NAME = 24  # letters that a title has room for
NO_OPERATIONAL = "This file holds no operational mask."


def _needs_mask(subject: Subject) -> str:
    return "" if subject.mask is not None else "No mask was given or made."


def _needs_other(subject: Subject) -> str:
    return "" if subject.against is not None else NO_OPERATIONAL


def _needs_both(subject: Subject) -> str:
    return _needs_mask(subject) or _needs_other(subject)


def _needs_views(subject: Subject) -> str:
    if lack := _needs_mask(subject):
        return lack
    assert subject.mask is not None
    return "" if "cloud_by_view" in subject.mask else "This mask is of one view alone."


def _needs_extended(subject: Subject) -> str:
    if lack := _needs_mask(subject):
        return lack
    assert subject.mask is not None
    if "cloud_mask_extended" in subject.mask:
        return ""
    return "This mask tells cloud from clear alone: make it with --classes extended."


def _values(subject: Subject, name: str) -> Array:
    assert subject.mask is not None
    return subject.mask[name].values


def _draw_mask(axes: Axes, subject: Subject) -> Legend:
    assert subject.mask is not None
    attributes = subject.mask.attrs
    detector = str(attributes.get("detector", "unknown detector"))
    title = f"This mask: {detector[:MAX_DETECTOR_NAME]}"
    if (threshold := attributes.get("threshold")) is not None:
        title += f", cloud from {float(threshold):.2g}"
    return draw_flag(axes, _values(subject, "cloud_mask"), title)


def _draw_probability(axes: Axes, subject: Subject) -> Legend:
    assert subject.mask is not None
    values = _values(subject, "cloud_probability")
    step = step_of(values.shape)
    shades = shades_between(CLEAR, CLOUD)
    image = show(axes, values[::step, ::step], values.shape, cmap=shades, vmin=0, vmax=1)
    write_title(axes, "Probability of cloud")
    bar = draw_bar(axes, image, "")
    if (threshold := subject.mask.attrs.get("threshold")) is None:
        return {}
    bar.ax.axhline(float(threshold), color=OUTLINE, linewidth=2.5)
    return {OUTLINE: "outline and threshold of this mask"}


def _draw_extended(axes: Axes, subject: Subject) -> Legend:
    assert subject.mask is not None
    values, meanings = _values(subject, "cloud_mask_extended"), EXTENDED
    write_title(axes, "Extended mask")
    if "cloud_shadow" in subject.mask:
        meanings = EXTENDED | SHADOW
        values = np.where(_values(subject, "cloud_shadow") == 1, np.uint8(4), values)
    return draw_codes(axes, values, meanings)


def _draw_regime(axes: Axes, subject: Subject) -> Legend:
    write_title(axes, "Illumination, by the solar zenith angle (80° and 90°)")
    meanings = {int(item): (item.name.lower(), REGIME_COLOURS[item]) for item in Regime}
    return draw_codes(axes, _values(subject, "regime"), meanings)


def _draw_disagreement(axes: Axes, subject: Subject) -> Legend:
    assert subject.against is not None
    title = f"This mask against {subject.against}"
    return draw_agreement(axes, subject.agreement(), title, "this mask", subject.against)


def _draw_views(axes: Axes, subject: Subject) -> Legend:
    # The values are those of an agreement: neither, both, the first alone, the second alone.
    values = _values(subject, "cloud_by_view")
    return draw_agreement(axes, values, "Cloud by view, nadir and oblique", "nadir", "oblique")


def _draw_against(axes: Axes, subject: Subject) -> Legend:
    assert subject.against is not None
    return _draw_other(subject.against)(axes, subject)


def _draw_other(name: str) -> Callable[[Axes, Subject], Legend]:
    def draw(axes: Axes, subject: Subject) -> Legend:
        values = np.asarray(subject.others[name].values)
        words = "Simulated truth" if name == "truth" else f"Operational: {name}"
        return draw_flag(axes, values, words)

    return draw


PANELS = SCENE_PANELS | {
    "mask": Panel("This mask", "clear, cloud, unknown", _needs_mask, _draw_mask),
    "probability": Panel(
        "Probability of cloud", "0 to 1, with the mask's threshold", _needs_mask, _draw_probability
    ),
    "extended": Panel(
        "Extended mask",
        "clear, cloud, contaminated, snow and ice, cloud shadow",
        _needs_extended,
        _draw_extended,
    ),
    "regime": Panel("Illumination", "day, twilight, night", _needs_mask, _draw_regime),
    "operational": Panel(
        "Operational mask", "the product's own verdict", _needs_other, _draw_against
    ),
    "disagreement": Panel(
        "Disagreement",
        "where the mask and the operational one differ, and how",
        _needs_both,
        _draw_disagreement,
    ),
    "views": Panel(
        "Cloud by view",
        "cloud in both views, in nadir alone, in the oblique one alone, in neither",
        _needs_views,
        _draw_views,
    ),
}
ALIASES = {"night-fog": "difference-3.7", "difference": "difference-3.7"}


def find_panel(name: str, subject: Subject) -> Panel:
    """Find a panel by its name, or by the name of a mask that the subject carries.

    Raises
    ------
    InputError
        There is no such panel; the message names what there is.
    """
    panel = PANELS.get(ALIASES.get(name, name))
    if panel is not None:
        return panel
    other = match_name(name, subject.others)
    if other is None:
        there = ", ".join([*PANELS, *ALIASES, *subject.others])
        raise InputError(f"There is no panel {name!r}: expected any of {there}.")
    return Panel(other, "", lambda _: "", _draw_other(other))
