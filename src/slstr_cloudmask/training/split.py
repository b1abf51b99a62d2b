"""Which scenes are trained on and which validate.

    train, validation = split_scenes(970, 0.8, rule="reference", seed=1234)   # 776 and 194 numbers

Two rules: ``seeded`` by the run's own seed, and ``reference``, which is the reference's
``train_test_split(paths, train_size=0.8, random_state=42)`` without scikit-learn: 42 whatever the
run's seed, over files in the order in which they were packed.
"""

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

from slstr_cloudmask.errors import InputError

SplitRule = Literal["seeded", "reference"]
Numbers = npt.NDArray[np.int64]

# mlcommons/science, benchmarks/cloudmask, data_loader.py
REFERENCE_RANDOM_STATE = 42


def split_scenes(
    count: int, train_share: float, *, rule: SplitRule, seed: int
) -> tuple[Numbers, Numbers]:
    """Return the numbers of the scenes to train on and of those to validate on, each in order.

    Parameters
    ----------
    count
        Scenes in all.
    train_share
        Share of them to train on.
    rule
        ``seeded`` or ``reference``.
    seed
        Of ``seeded``.

    Raises
    ------
    InputError
        Either part would be empty.
    """
    if rule == "reference":
        # scikit-learn, ShuffleSplit: so many are trained on, rounded down, and the first of the
        # permutation validate.
        size = math.floor(train_share * count)
        validation, train = np.split(
            np.random.RandomState(REFERENCE_RANDOM_STATE).permutation(count),
            [count - size],
        )
    else:
        size = round(train_share * count)
        train, validation = np.split(np.random.default_rng(seed).permutation(count), [size])
    if not 0 < size < count:
        raise InputError(
            f"{count} scenes cannot be split {train_share:g} to {1 - train_share:g}: "
            "both training and validation need at least one scene."
        )
    return np.sort(train), np.sort(validation)
