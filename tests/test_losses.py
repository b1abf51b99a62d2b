"""What a wrong probability costs, with labels that err."""

import math

import pytest
import torch

from slstr_cloudmask.errors import InputError
from slstr_cloudmask.network.unet import UNet
from slstr_cloudmask.training.losses import (
    PixelLoss,
    early_learning,
    easiest,
    provider_shares,
)
from slstr_cloudmask.training.step import Objective, near_edges

LOGIT = math.log(0.8 / 0.2)  # of a probability of cloud of 0.8


def cost(name: str, label: float, **options: object) -> float:
    loss = PixelLoss(name, **options)  # type: ignore[arg-type]
    return float(loss(torch.full((1, 1, 1), LOGIT), torch.full((1, 1, 1), label)))


@pytest.mark.parametrize(
    ("name", "of_cloud", "of_clear"),
    [
        # -ln .8 and -ln .2
        ("cross_entropy", 0.22314, 1.60944),
        # (1 - .8^.7) / .7 = (1 - .85539) / .7, (1 - .2^.7) / .7 = (1 - .32413) / .7
        ("generalised", 0.20659, 0.96553),
        # .1 * .22314 + 4 * .2, .1 * 1.60944 + 4 * .8
        ("symmetric", 0.82231, 3.36094),
        # Of the targets .8 + .2 * .8 = .96 and .2 * .8 = .16.
        ("bootstrapped", 0.96 * 0.22314 + 0.04 * 1.60944, 0.16 * 0.22314 + 0.84 * 1.60944),
    ],
)
def test_costs_by_hand(name: str, of_cloud: float, of_clear: float) -> None:
    assert cost(name, 1.0) == pytest.approx(of_cloud, abs=2e-5)
    assert cost(name, 0.0) == pytest.approx(of_clear, abs=2e-5)


def test_a_probability_as_label_costs_the_mean() -> None:
    for name in ("cross_entropy", "generalised"):
        mean = 0.3 * cost(name, 1.0) + 0.7 * cost(name, 0.0)
        assert cost(name, 0.3) == pytest.approx(mean, abs=1e-5)


def test_smoothing_draws_labels_to_one_half() -> None:
    # A tenth of the way from 1 to .5 is .95.
    assert cost("cross_entropy", 1.0, smoothing=0.1) == pytest.approx(
        cost("cross_entropy", 0.95), abs=1e-6
    )


def test_forward_learns_cloud_from_flags_that_are_often_false() -> None:
    """Of clear pixels 40 % are flagged, of cloud all: the best answer is cloud's own share."""
    confusion = ((6000, 4000, 0, 10000),) * 4
    shares = provider_shares(confusion)
    torch.testing.assert_close(shares, torch.tensor([[0.4] * 4, [1.0] * 4]))
    logits = torch.zeros((1, 1, 1), requires_grad=True)
    loss = PixelLoss("forward", flagged_KS=shares)
    flagged = torch.full((1, 1, 1), 0.7)  # half cloud: .5 * 1 + .5 * .4
    loss(logits, flagged, torch.zeros((1, 1, 1))).sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert float(logits.grad) == pytest.approx(0.0, abs=1e-6)


def test_a_stratum_that_is_hardly_known_errs_as_all_do() -> None:
    confusion = ((600, 400, 0, 1000), (1, 0, 0, 0), (1400, 600, 1000, 1000), (0, 0, 0, 0))
    shares = provider_shares(confusion)
    # Clear by the masks: 2001 and 1000 of a total of 3001; flagged of it: 400 + 600 = 1000.
    assert shares[0].tolist() == pytest.approx([0.4, 1000 / 3001, 0.3, 1000 / 3001])
    # Cloud: 1000 of 1000, and 1000 of 2000; of all 2000 of 3000.
    assert shares[1].tolist() == pytest.approx([1.0, 2 / 3, 0.5, 2 / 3])
    with pytest.raises(InputError, match="strata=true"):
        provider_shares(None)


def test_early_learning_rewards_what_was_said_before() -> None:
    logits = torch.full((1, 1, 1), LOGIT)
    # p.t = .8 * .9 + .2 * .1 = .74; 3 ln .26
    found = early_learning(logits, torch.full((1, 1, 1), 0.9))
    assert float(found) == pytest.approx(3 * math.log(0.26), abs=1e-5)


def test_the_easiest_pixels_are_those_of_least_loss_that_have_a_label() -> None:
    loss = torch.tensor([[[5.0, 1.0], [3.0, 0.0]]])
    valid = torch.tensor([[[True, True], [True, False]]])
    # Two thirds of three.
    assert easiest(loss, valid, 0.67).tolist() == [[[False, True], [True, False]]]
    assert not easiest(loss, torch.zeros_like(valid), 0.9).any()


def test_near_edges() -> None:
    label = torch.tensor([[[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]]])
    assert near_edges(label, 1).tolist() == [[[False, False, True, True, False, False]]]
    assert not near_edges(torch.ones(1, 4, 4), 2).any()


def test_edges_count_in_validation_and_not_in_training() -> None:
    torch.manual_seed(0)
    objective = Objective(UNet(9, (4, 8)), "fp32", pad=False, ignore_edges_px=1)
    x, valid = torch.randn(1, 9, 4, 6), torch.ones(1, 4, 6) > 0
    label = (torch.arange(6) >= 3).float().expand(1, 4, 6)
    trained, _ = objective.train()(x, label, valid)
    all_pixels, _ = objective.eval()(x, label, valid)
    inner = valid & ~near_edges(label, 1)
    inner_alone, _ = objective.eval()(x, label, inner)
    torch.testing.assert_close(trained, inner_alone)
    assert bool(all_pixels > trained)


def test_the_average_follows_slowly_and_is_not_trained() -> None:
    torch.manual_seed(0)
    network, companion = UNet(9, (4, 8)), UNet(9, (4, 8)).requires_grad_(False)
    before = companion.head.weight.clone()
    objective = Objective(
        network, "fp32", pad=False, loss=PixelLoss("early_learning"), companion=companion
    )
    loss, _ = objective(torch.randn(1, 9, 8, 8), torch.ones(1, 8, 8), torch.ones(1, 8, 8) > 0)
    loss.backward()
    assert companion.head.weight.grad is None
    objective.follow()
    expected = 0.99 * before + 0.01 * network.head.weight
    torch.testing.assert_close(companion.head.weight, expected)


def test_two_networks_choose_for_each_other() -> None:
    torch.manual_seed(0)
    network, companion = UNet(9, (4, 8)), UNet(9, (4, 8))
    objective = Objective(
        network, "fp32", pad=False, loss=PixelLoss("co_teaching"), companion=companion
    )
    x, valid = torch.randn(1, 9, 8, 8), torch.ones(1, 8, 8) > 0
    label = (x[:, 0] > 0).float()
    loss, logits = objective(x, label, valid)
    plain = PixelLoss()
    mine, others = (plain(n(x)[:, 0], label) for n in (network, companion))
    # 57 of 64 pixels, each network those that are easiest for the other.
    by_other = mine.flatten()[others.flatten().argsort()[:57]].sum()
    by_mine = others.flatten()[mine.flatten().argsort()[:57]].sum()
    torch.testing.assert_close(loss, by_other + by_mine)
    torch.testing.assert_close(logits, network(x)[:, 0])
