"""Timers read off events, and the lines that the university runs' notebooks read."""

import csv
import io
from pathlib import Path

import pytest

from slstr_cloudmask.benchmark.timers import csv_lines, timer_rows, write_timers
from slstr_cloudmask.events import Event


def at(second: float, name: str, **data: object) -> Event:
    return Event(name, data, time_ns=int(second * 1e9))


SITTING = [
    at(0, "facts"),
    at(1, "staging_start"),
    at(4, "staging_stop", status="success"),
    at(5, "training_block_start"),
    at(5, "training_start"),
    at(7, "epoch_start", epoch=1),
    at(7, "compile_start"),
    at(8, "compile_stop"),
    at(12, "epoch_stop", epoch=1),
    at(12, "evaluation_start", epoch=1),
    at(13, "evaluation", epoch=1),
    at(13, "epoch_start", epoch=2),
    at(16, "epoch_stop", epoch=2),
    at(16, "evaluation_start", epoch=2),
    at(18, "evaluation", epoch=2),
    at(18, "training_stop", status="success"),
    at(19, "training_block_stop", status="success"),
    at(20, "result"),
]


def seconds(events: list[Event]) -> dict[str, tuple[int, float, float]]:
    rows = timer_rows(events)
    return {row["name"]: (row["count"], row["last_s"], row["sum_s"]) for row in rows}


def test_laps_by_hand() -> None:
    assert seconds(SITTING) == {
        "total": (1, 20, 20),
        "staging": (1, 3, 3),
        "training block": (1, 14, 14),
        "training": (1, 13, 13),
        "loaddata": (1, 2, 2),  # from the start of training to its first epoch
        "compile": (1, 1, 1),
        "epoch": (2, 3, 8),  # 5 s and 3 s
        "validation": (2, 2, 3),  # 1 s and 2 s
    }


def test_a_killed_sitting_counts_as_far_as_it_was_told() -> None:
    """Killed in its second epoch, gone on with an hour later."""
    killed = [at(-1, "sitting_start"), *SITTING[:12]]
    again = [
        at(3600, "sitting_start"),
        *(
            at(3600 + event.time_ns / 1e9, event.name, **event.data)
            for event in SITTING
            if event.data.get("epoch") != 1
        ),
    ]
    found = seconds(killed + again)
    # −1 to 13 s, and 3600 to 3620 s: the hour between is nobody's.
    assert found["total"] == (2, 20, 34)
    assert found["staging"] == (2, 3, 6)
    # The first sitting's whole training has no end; its loading and its one epoch do.
    assert found["training"] == (1, 13, 13)
    assert found["loaddata"] == (2, 8, 10)
    assert found["epoch"] == (2, 3, 8)


def test_what_failed_says_so() -> None:
    rows = timer_rows([at(0, "run_start"), at(2, "run_stop", status="aborted")])
    assert [(row["name"], row["status"]) for row in rows] == [("total", "ok"), ("run", "failed")]


def test_scenes_have_percentiles() -> None:
    # Reads of 1, 2, … 101 s: the median is 51 s, 90 % lie at 91 s and 99 % at 100 s.
    scenes = [{"read": float(n), "predict": 2.0, "write": 0.5} for n in range(1, 102)]
    rows = {row["name"]: row for row in timer_rows([], scenes)}
    assert list(rows) == ["read files", "predict scene", "write mask", "whole scene"]
    read = rows["read files"]
    spread = [read[f"{name}_s"] for name in ("min", "median", "p90", "p99", "max")]
    assert spread == pytest.approx([1, 51, 91, 100, 101])
    assert (read["count"], read["sum_s"]) == (101, sum(range(1, 102)))
    assert rows["whole scene"]["median_s"] == pytest.approx(53.5)


def test_lines_are_read_as_the_university_notebooks_do(tmp_path: Path) -> None:
    write_timers(timer_rows(SITTING), tmp_path / "timers.csv", tag="a tag, with a comma")
    content = "some output before\n" + (tmp_path / "timers.csv").read_text()
    lines = [line for line in content.splitlines() if "# csv" in line]
    header = lines[0].split(",")
    assert header == [
        *["# csv", "timer", "status", "time", "sum", "start", "tag", "msg"],
        *["uname.node", "user", "uname.system", "platform.version"],
    ]
    # Split at every comma, as cloudmesh's StopWatch.load does, and as pandas reads it.
    assert {len(line.split(",")) for line in lines} == {len(header)}
    rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
    times = {row["timer"]: float(row["time"]) for row in rows}
    assert (times["total"], times["training block"], times["epoch"]) == (20, 14, 3)
    assert {row["sum"] for row in rows if row["timer"] == "epoch"} == {"8.0"}
    assert rows[0]["start"] == "1970-01-01 00:00:00"
    assert rows[0]["tag"] == "a tag  with a comma"


def test_a_run_without_events_has_a_header_alone() -> None:
    assert len(csv_lines(timer_rows([]), "")) == 1
