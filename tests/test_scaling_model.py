"""The model of an epoch: every term by hand, machines as files, and what limits."""

import math
from pathlib import Path

import pytest

from slstr_cloudmask.benchmark.scaling_machine import (
    Link,
    Machine,
    Quantity,
    StepTime,
    load_machine,
    machine_names,
)
from slstr_cloudmask.benchmark.scaling_model import Workload, all_reduce_seconds, predict
from slstr_cloudmask.benchmark.scaling_published import published_rows
from slstr_cloudmask.errors import ConfigError, InputError, MissingFileError


def quantity(value: float) -> Quantity:
    return Quantity(value=value, basis="assumed", note="for a test")


def link(latency: float, rate: float) -> Link:
    return Link(latency_seconds=quantity(latency), bytes_per_second=quantity(rate))


# Four ranks a node; a message within takes 1 s, between 10 s; 100 and 50 bytes a second.
MACHINE = Machine(
    name="slow", ranks_per_node=4, within_node=link(1, 100), between_nodes=link(10, 50)
)
STEP = StepTime(seconds_per_patch=3, overhead_seconds=5)
WORKLOAD = Workload(patches=100, batch_size=8, gradient_bytes=200, patch_bytes=10)


def test_one_rank_computes_and_sends_nothing() -> None:
    # 100 patches in batches of 8: 12 whole ones and one of 4. 13 steps of 5 s, 100 patches of 3 s.
    alone = predict(MACHINE, STEP, WORKLOAD, ranks=1)
    assert alone.seconds == 13 * 5 + 100 * 3
    assert alone.efficiency == 1
    assert alone.limit == "compute"
    assert alone.loss == "fixed overhead"


def test_strong_scaling_shares_a_batch_and_leaves_ranks_idle() -> None:
    # Three ranks: 8 patches are 3, 3, 2, and the last 4 are 2, 1, 1. The slowest has 12·3 + 2 = 38,
    # an even share is 100/3. Ring of 3: 4 messages of 1 s; 4/3 of 200 bytes at 100 a second.
    found = predict(MACHINE, STEP, WORKLOAD, ranks=3)
    assert found.terms == pytest.approx(
        {
            "compute": 100,
            "idle ranks": 38 * 3 - 100,
            "fixed overhead": 13 * 5,
            "all-reduce latency": 13 * 4,
            "all-reduce bandwidth": 13 * 4 / 3 * 200 / 100,
            "input": 0,
        }
    )
    total = 38 * 3 + 13 * (5 + 4 + 8 / 3)
    assert found.efficiency == pytest.approx((13 * 5 + 300) / (3 * total))
    assert found.speed_up == pytest.approx(3 * found.efficiency)


def test_weak_scaling_gives_each_rank_a_batch() -> None:
    # Four ranks, batches of 32: three of 8 a rank, and 4 patches left for one each. 4 steps.
    found = predict(MACHINE, STEP, WORKLOAD, ranks=4, mode="weak")
    assert found.terms["fixed overhead"] == 4 * 5
    assert found.terms["compute"] == 25 * 3
    assert found.terms["idle ranks"] == 0  # 3·8 + 1 = 25, as the even share


def test_more_ranks_than_patches_in_a_batch_bring_nothing() -> None:
    # Every batch of 8 takes as long as one patch, on 8 ranks as on 16; the rest are idle.
    eight, sixteen = (predict(MACHINE, STEP, WORKLOAD, ranks=n) for n in (8, 16))
    for found in (eight, sixteen):
        assert found.terms["compute"] + found.terms["idle ranks"] == pytest.approx(13 * 3)
    assert sixteen.seconds > eight.seconds


def test_nodes_exchange_by_ring_or_by_trees() -> None:
    # Within a node of 4: 6 messages of 1 s, 6/4 · 200/100 = 3 s. Two nodes by ring: 2 messages of
    # 10 s and 2/2 · 200/50 = 4 s, 24 s; by trees 2 of 10 s and 2 · 200/50 = 8 s, 28 s: the ring.
    assert all_reduce_seconds(MACHINE, 8, 200) == pytest.approx((6 + 20, 3 + 4))
    # Sixteen nodes by ring: 30 messages, 300 s, and 7.5 s; by trees 2·4 messages, 80 s, and 8 s.
    assert all_reduce_seconds(MACHINE, 64, 200) == pytest.approx((6 + 80, 3 + 8))
    assert all_reduce_seconds(MACHINE, 1, 200) == (0, 0)


def test_input_is_limited_by_nodes_and_then_by_the_file_system() -> None:
    machine = MACHINE.model_copy(
        update={
            "input_bytes_per_second_per_node": quantity(1),
            "input_bytes_per_second": quantity(1.5),
        }
    )
    # 100 patches of 10 bytes: one node reads 1 byte a second; two would read 2 and are given 1.5.
    one, two = (predict(machine, STEP, WORKLOAD, ranks=n) for n in (4, 8))
    assert one.terms["input"] == 1000
    assert two.terms["input"] == pytest.approx(1000 / 1.5)
    assert two.limit == two.loss == "input"


def test_a_step_is_the_line_through_two_measurements() -> None:
    # 4 patches in 17 s and 8 in 29 s: 3 s a patch and 5 s for each step.
    assert StepTime.through((4, 17.0), (8, 29.0)) == STEP
    # Noise: less than nothing at no patches, or faster with more. Then there is no overhead.
    assert StepTime.through((4, 10.0), (8, 24.0)) == StepTime(3, 0)
    assert StepTime.through((4, 30.0), (8, 24.0)) == StepTime(3, 0)


@pytest.mark.parametrize("name", machine_names())
def test_machines_that_ship_say_where_numbers_come_from(name: str) -> None:
    machine = load_machine(name)
    step = machine.step_time or StepTime(1e-3, 1e-3)
    found = predict(machine, step, Workload(), ranks=machine.ranks_per_node)
    assert 0 < found.efficiency <= 1


def test_gradients_in_a_node_of_h200_take_what_is_expected_of_them() -> None:
    # 50 to 100 µs for 7.8 MB (performance.md, 6); 0.2 to 0.5 ms over nodes.
    machine = load_machine("h200-infiniband")
    assert 50e-6 < sum(all_reduce_seconds(machine, 8, Workload().gradient_bytes)) < 100e-6
    for ranks in (16, 1024):
        assert 2e-4 < sum(all_reduce_seconds(machine, ranks, Workload().gradient_bytes)) < 6e-4


def test_one_node_has_no_more_ranks_than_it_has() -> None:
    machine = load_machine("two-cores")
    assert machine.most_ranks() == 2
    with pytest.raises(InputError, match="3 ranks cannot be predicted"):
        predict(machine, STEP, WORKLOAD, ranks=3)
    assert math.isinf(MACHINE.most_ranks())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a list", "holds no keys"),
        ("{", "is not YAML"),
        ("name: a\nranks_per_nod: 2\n", "did you mean ranks_per_node"),
        ("name: a\nranks_per_node: 0\n", "ranks_per_node"),
        (
            "name: a\nranks_per_node: 1\nwithin_node:\n"
            "  latency_seconds: {value: .nan, basis: assumed, note: x}\n"
            "  bytes_per_second: {value: 1, basis: guessed, note: x}\n",
            "within_node.latency_seconds.value",
        ),
        (
            "name: a\nranks_per_node: 1\nwithin_node:\n"
            "  latency_seconds: {value: 1, basis: assumed, note: x}\n"
            "  bytes_per_second: {value: 1, basis: assumed, note: x}\n"
            "seconds_per_patch: {value: 1, basis: assumed, note: x}\n",
            "go together",
        ),
    ],
)
def test_a_machine_that_cannot_be_is_said(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "machine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_machine(path)


def test_an_unknown_machine_names_those_there_are() -> None:
    with pytest.raises(MissingFileError, match="h200-infiniband, two-cores"):
        load_machine("abacus")


def test_the_published_curve_ends_at_37_per_cent() -> None:
    last = published_rows()[-1]
    # 530 s through 45 s is 11.8 times as fast, on 32 GPUs: 0.368.
    assert last["ranks"] == 32
    assert last["efficiency"] == pytest.approx(0.368, abs=5e-4)
