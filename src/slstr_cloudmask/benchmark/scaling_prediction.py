"""The model asked: for a machine's file, and for this machine, where a clock can answer too.

    here = measured_model(plan, found)
    describe(load_machine("h200-infiniband"), batch_size=32, here=here)

Step times and all-reduce are each measured by themselves, the step on one rank: what training on
several takes is predicted from the two, and then compared with what it took.
"""

from dataclasses import dataclass, replace
from typing import Any

from slstr_cloudmask.benchmark.scaling import Found
from slstr_cloudmask.benchmark.scaling_machine import Link, Machine, Quantity, StepTime
from slstr_cloudmask.benchmark.scaling_model import MODES, Prediction, Workload, predict
from slstr_cloudmask.benchmark.scaling_plan import Plan
from slstr_cloudmask.benchmark.scaling_task import AllReduce
from slstr_cloudmask.errors import InputError

MOST_RANKS = 1024


@dataclass(frozen=True)
class Here:
    """The machine that this runs on, as it was measured.

    Attributes
    ----------
    step
        What a step costs on one rank.
    machine
        Its link, None where no two ranks were measured.
    gradient_bytes
        Of the network that was trained; None likewise.
    """

    step: StepTime
    machine: Machine | None
    gradient_bytes: int | None


def measured_model(plan: Plan, found: Found) -> Here | None:
    """Return what the measurements say of this machine, None without a step on one rank."""
    alone = next((task for (_, ranks), task in plan.training.items() if ranks == 1), None)
    many, few = found.answer(alone), found.answer(plan.small)
    if alone is None or many is None:
        return None
    batch = alone.train.batch_size
    step = StepTime(many.step_seconds / batch, 0.0)
    if plan.small is not None and few is not None:
        small = plan.small.train.batch_size
        step = StepTime.through((small, few.step_seconds), (batch, many.step_seconds))
    for (_, ranks), task in plan.training.items():
        answer = found.answer(task)
        if answer is not None and answer.all_reduce:
            most = max(count for _, count in plan.training)
            machine = _machine(alone.machine, most, ranks, answer.all_reduce)
            return Here(step, machine, answer.all_reduce[-1].bytes)
    return Here(step, None, None)


def _machine(name: str, most: int, ranks: int, timed: tuple[AllReduce, ...]) -> Machine:
    """Take latency and bandwidth of a ring from the sums of a number and of the gradients."""
    short, long = timed
    messages = 2 * (ranks - 1)
    # No less than a nanosecond, should noise make the long one faster.
    transfer = max(long.seconds - short.seconds, 1e-9)
    latency = short.seconds / messages
    rate = messages / ranks * long.bytes / transfer
    note = f"all-reduce by itself on {ranks} ranks"
    link = Link(
        latency_seconds=Quantity(value=latency, basis="measured", note=note),
        bytes_per_second=Quantity(value=rate, basis="measured", note=note),
    )
    return Machine(name=name, ranks_per_node=most, within_node=link)


def validate(plan: Plan, found: Found, here: Here | None) -> list[dict[str, Any]]:
    """Return what was predicted for every number of ranks beyond one, and what was measured."""
    if here is None or here.machine is None or here.gradient_bytes is None:
        return []
    rows = []
    for (mode, ranks), task in plan.training.items():
        answer = found.answer(task)
        if ranks == 1 or answer is None:
            continue
        batch = task.train.batch_size // (ranks if mode == "weak" else 1)
        workload = Workload(answer.items, batch, here.gradient_bytes)
        predicted = predict(here.machine, here.step, workload, ranks=ranks, mode=mode)
        seconds = predicted.seconds / answer.steps
        rows.append(
            {
                "mode": mode,
                "ranks": ranks,
                "predicted_step_seconds": seconds,
                "measured_step_seconds": answer.step_seconds,
                "predicted_over_measured": seconds / answer.step_seconds,
            }
        )
    return rows


def describe(machine: Machine, *, batch_size: int, here: Here | None) -> dict[str, Any]:
    """Predict the benchmark's epoch on 1, 2, 4 … 1,024 ranks of a machine.

    Parameters
    ----------
    machine
        The machine; where its file says nothing of a step, the one measured here is taken.
    batch_size
        Global batch in strong scaling, a rank's batch in weak scaling.
    here
        What was measured.

    Raises
    ------
    InputError
        Neither the file nor a measurement says how long a step takes.
    """
    workload = Workload(batch_size=batch_size)
    step = machine.step_time
    if step is None:
        if here is None:
            raise InputError(
                f"{machine.name}: how long a step takes is neither in its file nor measured. Name "
                "a store to measure, with 1 among --ranks, or add seconds_per_patch and "
                "step_overhead_seconds."
            )
        step = here.step
        workload = replace(workload, gradient_bytes=here.gradient_bytes or workload.gradient_bytes)
    counts = [2**power for power in range(MOST_RANKS.bit_length())]
    rows = [
        _row(predict(machine, step, workload, ranks=ranks, mode=mode))
        for mode in MODES
        for ranks in counts
        if ranks <= machine.most_ranks()
    ]
    return {
        "machine": machine.model_dump(mode="json"),
        "step_basis": "the machine's file" if machine.step_time else "measured here",
        "seconds_per_patch": step.seconds_per_patch,
        "step_overhead_seconds": step.overhead_seconds,
        "patches": workload.patches,
        "batch_size": batch_size,
        "gradient_bytes": workload.gradient_bytes,
        "rows": rows,
    }


def _row(prediction: Prediction) -> dict[str, Any]:
    return {
        "mode": prediction.mode,
        "ranks": prediction.ranks,
        "nodes": prediction.nodes,
        "epoch_seconds": prediction.seconds,
        "speed_up": prediction.speed_up,
        "efficiency": prediction.efficiency,
        "limit": prediction.limit,
        "loss": prediction.loss,
        "terms_seconds": prediction.terms,
    }
