"""Labels as people write them, in words or numbers, as clear, cloud or unknown.

    codes = label_codes(["clear", "totally cloudy", "fractional"])  # 0, 1, 255

What a word means can be given; what is not known is asked for, never guessed.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.flags import UNKNOWN

MEANINGS = {"clear": 0, "cloud": 1, "unknown": UNKNOWN}
# Compared without case, blanks, hyphens and underscores. What may be either is unknown, as lidar
# studies leave fractional pixels out.
_WORDS = {
    "clear": "0 clear clearsky cloudfree free nocloud notcloud land water ocean sea snow ice "
    "snowice desert",
    "cloud": "1 cloud cloudy totallycloudy overcast opaque opaquecloud thickcloud thincloud "
    "semitransparent semitransparentcloud cirrus",
    "unknown": "255 nan unknown undefined none nodata fill invalid ambiguous fractional "
    "partlycloudy mixed",
}
KNOWN_WORDS = {word: MEANINGS[name] for name, words in _WORDS.items() for word in words.split()}
NAMED = 5  # unknown words in a message
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")

Codes = npt.NDArray[np.uint8]


def read_pairs(text: str) -> dict[str, str]:
    """Read ``name=value,name=value``.

    Raises
    ------
    InputError
        A pair has no ``=``, or nothing on a side of it.
    """
    pairs: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (part.strip() for part in pair.partition("="))
        if not (name and value):
            raise InputError(f"Cannot read {pair!r}: expected pairs NAME=VALUE, commas between.")
        pairs[name] = value
    return pairs


def read_label_map(text: str) -> dict[str, str]:
    """Read ``word=meaning,word=meaning``.

    Raises
    ------
    InputError
        A pair has no ``=``, or a meaning is not clear, cloud or unknown.
    """
    pairs = read_pairs(text)
    for word, meaning in pairs.items():
        if meaning not in MEANINGS:
            raise InputError(
                f"{word!r} cannot mean {meaning!r}: expected one of {', '.join(MEANINGS)}, such "
                "as shadow=clear,haze=unknown."
            )
    return pairs


def label_codes(
    words: Iterable[object], label_map: Mapping[str, str] | None = None, *, where: str = "labels"
) -> Codes:
    """Turn labels into codes.

    Parameters
    ----------
    words
        Words or numbers; None and NaN are unknown.
    label_map
        ``clear``, ``cloud`` or ``unknown`` by word; it goes before what is known of itself.
    where
        What they are of, for the message.

    Returns
    -------
    numpy.ndarray
        0 clear, 1 cloud, 255 unknown.

    Raises
    ------
    InputError
        A word is not known.
    """
    given = {plain(word): MEANINGS[meaning] for word, meaning in (label_map or {}).items()}
    known = KNOWN_WORDS | given | {"": UNKNOWN}
    written = [plain(word) for word in words]
    if strange := Counter(word for word in written if word not in known):
        most = ", ".join(f"{word!r} ({count})" for word, count in strange.most_common(NAMED))
        raise InputError(
            f"{where}: what {most} means is not known. Say it with --label-map, such as "
            f"'{next(iter(strange))}=cloud'; the meanings are {', '.join(MEANINGS)}."
        )
    return np.array([known[word] for word in written], np.uint8)


def plain(word: object) -> str:
    """Write a label or a name without case, blanks, hyphens and underscores; 1.0 as 1, -1 as -1."""
    if word is None:
        return ""
    text = str(word).strip()
    if isinstance(word, int | float | np.number) or _NUMBER.fullmatch(text):
        return f"{float(text):g}"
    return re.sub(r"[\s_\-./()\[\]]+", "", text).lower()
