"""What changes the weights after each batch: which rule, and how fast as training goes on.

    optimiser = make_optimiser("muon", network, learning_rate=0.01)
    schedule = Schedule(optimiser, "one_cycle", steps=500, warm_up=0.1)
    schedule.set(step)  # before the step of that number, from 0
    optimiser.step()

``adam`` is the reference's, as Keras reckons it. ``muon`` makes the update of each convolution
orthogonal, as a matrix of its filters, so that all directions are learnt at one pace (Jordan et
al. 2024): how many epochs that saves, with ``one_cycle``, is in docs/performance.md.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, Protocol

from torch import Tensor, nn

from slstr_cloudmask.training.keras_adam import KerasAdam
from slstr_cloudmask.training.muon import Muon

OptimiserName = Literal["adam", "muon"]
ScheduleName = Literal["constant", "one_cycle"]


class Optimiser(Protocol):
    """Changes weights by their gradients; what a step needs of ``torch.optim.Optimizer``."""

    param_groups: list[dict[str, Any]]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        ...

    def step(self) -> object:
        """Change the weights."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next step depends on beside weights and gradients."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `state_dict` returned."""
        ...


def make_optimiser(name: OptimiserName, network: nn.Module, learning_rate: float) -> Optimiser:
    """Make an optimiser for a network that is on its device.

    Parameters
    ----------
    name
        ``adam`` or ``muon``.
    network
        Its convolutions are in memory channels last.
    learning_rate
        Of Adam; Muon's updates are scaled to the size of Adam's, so that it means the same.
    """
    if name == "muon":
        return MuonAndAdam(network, learning_rate)
    return _adam(list(network.parameters()), learning_rate)


class MuonAndAdam:
    """Muon for the filters of convolutions, Adam for biases and for the head.

    The head's filters have one row, which has no direction to make orthogonal to another.

    Parameters
    ----------
    network
        See `make_optimiser`.
    learning_rate
        Of both.

    Raises
    ------
    ValueError
        The filters are not in memory channels last.
    """

    def __init__(self, network: nn.Module, learning_rate: float) -> None:
        parameters = list(network.parameters())
        self._filters = [weight for weight in parameters if weight.ndim == 4 and len(weight) > 1]
        # Muon takes matrices: the same memory, one filter a row.
        self._matrices = [nn.Parameter(_matrix(weight.data)) for weight in self._filters]
        if any(
            m.data_ptr() != w.data_ptr() for m, w in zip(self._matrices, self._filters, strict=True)
        ):
            raise ValueError(
                "Muon changes filters in place: expected them channels last in memory."
            )
        others = {id(weight) for weight in parameters} - {id(weight) for weight in self._filters}
        self._muon = Muon(self._matrices, learning_rate)
        self._adam = _adam([w for w in parameters if id(w) in others], learning_rate)
        self.param_groups = self._muon.param_groups + self._adam.param_groups

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for weight in self._filters:
            weight.grad = None
        self._adam.zero_grad(set_to_none)

    def step(self) -> None:
        """Change the weights."""
        for matrix, weight in zip(self._matrices, self._filters, strict=True):
            matrix.grad = None if weight.grad is None else _matrix(weight.grad)
        self._muon.step()
        self._adam.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of both."""
        return {"muon": self._muon.state_dict(), "adam": self._adam.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `state_dict` returned."""
        self._muon.load_state_dict(state_dict["muon"])
        self._adam.load_state_dict(state_dict["adam"])
        self.param_groups = self._muon.param_groups + self._adam.param_groups


def _adam(parameters: Sequence[nn.Parameter], learning_rate: float) -> KerasAdam:
    return KerasAdam(parameters, learning_rate, fused=True)


def _matrix(filters_OIHW: Tensor) -> Tensor:
    """Return filters as a matrix, one a row, in the same memory where that is channels last.

    In which order a row holds its weights makes no difference to Muon.
    """
    return filters_OIHW.permute(0, 2, 3, 1).reshape(len(filters_OIHW), -1)


class Schedule:
    """Sets the learning rate before each step.

    Parameters
    ----------
    optimiser
        Whose rates are set; as they are now they are the highest.
    name
        ``constant``; ``one_cycle``: up in a straight line from zero, down in a straight line to
        zero at the last step (Smith & Topin 2018).
    steps
        Of the whole training.
    warm_up
        Share of them in which the rate goes up.
    """

    def __init__(
        self, optimiser: Optimiser, name: ScheduleName, *, steps: int, warm_up: float
    ) -> None:
        self._optimiser = optimiser
        self._highest = [group["lr"] for group in optimiser.param_groups]
        self._constant = name == "constant"
        self._steps = steps
        self._rising = max(1, math.ceil(warm_up * steps))

    def set(self, step: int) -> None:
        """Set the rate of the step of that number, from 0."""
        if self._constant:
            return
        for group, highest in zip(self._optimiser.param_groups, self._highest, strict=True):
            group["lr"] = highest * self.share(step)

    def share(self, step: int) -> float:
        """Return the rate of a step as a share of the highest."""
        rising = (step + 1) / self._rising
        falling = (self._steps - step) / (self._steps - self._rising + 1)
        return max(0.0, min(1.0, rising, falling))
