"""Optimisers and the schedule of the learning rate."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from slstr_cloudmask.network.unet import UNet
from slstr_cloudmask.training.muon import Muon
from slstr_cloudmask.training.optimiser import MuonAndAdam, Optimiser, Schedule, make_optimiser

WIDTHS = (8, 16)


def network() -> UNet:
    torch.manual_seed(0)
    return UNet(9, WIDTHS).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def learn(net: UNet, optimiser: Optimiser, steps: int) -> list[float]:
    """Fit the sign of the first channel; return the losses."""
    x = torch.randn(4, 9, 16, 16, generator=torch.Generator().manual_seed(1))
    wanted = (x[:, :1] > 0).float()
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(x), wanted)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    return losses


def weights(net: UNet) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in net.parameters()])


@pytest.mark.parametrize("name", ["adam", "muon"])
def test_every_weight_is_trained(name: str) -> None:
    net = network()
    before = [weight.detach().clone() for weight in net.parameters()]
    losses = learn(net, make_optimiser(name, net, 1e-2), 20)  # type: ignore[arg-type]
    assert losses[-1] < 0.8 * losses[0]
    for old, new in zip(before, net.parameters(), strict=True):
        assert not torch.equal(old, new)


def test_muon_moves_filters_in_orthogonal_directions() -> None:
    net = network()
    weight = net.get_parameter("encoder.0.2.weight")  # 8 filters of 8 channels, 72 weights each
    before = weight.detach().clone()
    learn(net, make_optimiser("muon", net, 0.01), 1)
    moved = (weight.detach() - before).flatten(1)
    # Of a matrix whose singular values are all one, 8 rows are orthonormal; scaled by the rate and
    # by .2 √72, which makes the root mean square of the 8×72 numbers .2 × the rate. Five steps of
    # Newton and Schulz bring the singular values to between .7 and 1.2 only.
    singular = torch.linalg.svdvals(moved) / (0.01 * 0.2 * 72**0.5)
    assert singular.max() < 1.3
    assert singular.min() > 0.4
    assert moved.square().mean().sqrt() == pytest.approx(0.01 * 0.2, rel=0.25)


def test_muon_is_pytorchs() -> None:
    generator = torch.Generator().manual_seed(3)
    start = [torch.randn(shape, generator=generator) for shape in ((8, 40), (40, 8), (16, 16))]
    ours, theirs = ([nn.Parameter(value.clone()) for value in start] for _ in range(2))
    optimisers = (
        Muon(ours, 0.01),
        torch.optim.Muon(theirs, 0.01, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
    )
    for _ in range(3):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator)
            other.grad = mine.grad.clone()
        for optimiser in optimisers:
            optimiser.step()  # type: ignore[no-untyped-call]
    for mine, other, before in zip(ours, theirs, start, strict=True):
        moved = (other - before).norm()
        assert (mine - other).norm() < 0.02 * moved  # theirs is in bf16


def test_muon_goes_on_from_its_state() -> None:
    whole, halves = network(), network()
    learn(whole, make_optimiser("muon", whole, 1e-2), 6)
    first = make_optimiser("muon", halves, 1e-2)
    learn(halves, first, 3)
    second = make_optimiser("muon", halves, 1e-2)
    second.load_state_dict(first.state_dict())
    learn(halves, second, 3)
    assert torch.equal(weights(whole), weights(halves))


def test_muon_refuses_filters_that_it_would_copy() -> None:
    with pytest.raises(ValueError, match="channels last"):
        MuonAndAdam(UNet(9, WIDTHS), 1e-2)


def test_one_cycle_goes_up_and_down() -> None:
    schedule = Schedule(make_optimiser("adam", network(), 1.0), "one_cycle", steps=10, warm_up=0.4)
    shares = [schedule.share(step) for step in range(10)]
    # Four steps up, then seven numbers from 1 down to 1/7, the last step's: the first of them is
    # the top, which the fourth step has already.
    expected = [1 / 4, 2 / 4, 3 / 4, 1, 6 / 7, 5 / 7, 4 / 7, 3 / 7, 2 / 7, 1 / 7]
    assert shares == pytest.approx(expected)
    assert schedule.share(10) == 0.0


@pytest.mark.parametrize("steps", [1, 2, 3, 50])
@pytest.mark.parametrize("warm_up", [0.0, 0.1, 0.9])
def test_one_cycle_is_never_zero_while_there_are_steps(steps: int, warm_up: float) -> None:
    schedule = Schedule(
        make_optimiser("adam", network(), 1.0), "one_cycle", steps=steps, warm_up=warm_up
    )
    shares = [schedule.share(step) for step in range(steps)]
    assert all(0 < share <= 1 for share in shares)
    assert max(shares) == pytest.approx(1.0)
    top = shares.index(max(shares))
    assert all(a < b for a, b in pairwise(shares[: top + 1]))
    assert all(a > b for a, b in pairwise(shares[top:]))


@pytest.mark.parametrize("name", ["adam", "muon"])
def test_the_rate_is_set_for_all_weights(name: str) -> None:
    optimiser = make_optimiser(name, network(), 0.5)  # type: ignore[arg-type]
    schedule = Schedule(optimiser, "one_cycle", steps=4, warm_up=0.5)
    schedule.set(0)
    assert [group["lr"] for group in optimiser.param_groups] == [0.25] * len(optimiser.param_groups)
    constant = Schedule(optimiser, "constant", steps=4, warm_up=0.5)
    constant.set(3)
    assert {group["lr"] for group in optimiser.param_groups} == {0.25}
