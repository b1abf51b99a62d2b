"""Adam as Keras reckons it, in which the published runs trained.

    optimiser = KerasAdam(network.parameters(), 1e-3)

Kingma and Ba 2015 give two forms. PyTorch adds epsilon to the corrected second moment's root (their
algorithm 1), Keras to the uncorrected one (their section 2, last paragraph). At first that is
1/√(1 − β2) = 32 times the epsilon, and weights with gradients below some 1e-5 go slower; the two
forms are one after some thousand steps.
"""

import math
from collections.abc import Callable
from typing import Any

import torch

EPSILON = 1e-7  # Keras' default


class KerasAdam(torch.optim.Adam):
    """PyTorch's Adam with the epsilon of every step such that the step is Keras'.

    Parameters
    ----------
    parameters, learning_rate, **options
        As `torch.optim.Adam` takes them, but for ``eps``, which is Keras' default.
    """

    def __init__(self, parameters: Any, learning_rate: float, **options: Any) -> None:
        super().__init__(parameters, learning_rate, eps=EPSILON, **options)
        for group in self.param_groups:
            group["steps"] = 0  # in the state that a checkpoint keeps

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step."""
        for group in self.param_groups:
            group["steps"] += 1
            group["eps"] = EPSILON / math.sqrt(1 - group["betas"][1] ** group["steps"])
        return super().step(closure)
