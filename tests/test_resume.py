"""Runs that are killed at any point, stopped, started twice, or short of disk; and their folder."""

import json
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from slstr_cloudmask import __version__
from slstr_cloudmask.benchmark.config import load_config
from slstr_cloudmask.benchmark.event_log import EVENTS_NAME, EventLog, read_events
from slstr_cloudmask.benchmark.mlperf_log import MlperfLog
from slstr_cloudmask.benchmark.result_file import read_result
from slstr_cloudmask.benchmark.run import resume_benchmark, run_benchmark
from slstr_cloudmask.benchmark.run_folder import read_config, read_record
from slstr_cloudmask.benchmark.sittings import seconds_of, take
from slstr_cloudmask.errors import (
    BrokenFileError,
    ConfigError,
    InputError,
    MissingFileError,
    OutputExistsError,
    WriteError,
)
from slstr_cloudmask.events import Event
from slstr_cloudmask.network.model_file import load_model
from slstr_cloudmask.simulate.dataset import simulate_dataset
from slstr_cloudmask.simulate.plan import DatasetConfig
from tests.killing import Victim, happened, scenes_packed
from tests.test_benchmark import CPU, log_lines, small_config
from tests.test_benchmark_log import check_compliance

EPOCHS, TEST_SCENES = 3, 4


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    simulate_dataset(folder, DatasetConfig(scenes=10, test_scenes=TEST_SCENES, size=(64, 80)))
    return folder


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing befell."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    run_benchmark(small_config(data, out, epochs=EPOCHS), device=CPU)
    return out


def copy_of(whole: Path, folder: Path, *, without: tuple[str, ...] = ("result.json",)) -> Path:
    """A run that was stopped before it wrote some of its files."""
    shutil.copytree(whole, folder, ignore=shutil.ignore_patterns(*without))
    return folder


def assert_same(run: Path, whole: Path) -> None:
    """Weights and scores to the bit, the same files, and one log that passes the checker."""
    one, other = (load_model(folder / "model").checksum for folder in (run, whole))
    assert one == other
    documents = [read_result(folder) for folder in (run, whole)]
    for key in ("scores", "scenes"):
        assert documents[0][key] == documents[1][key]
    losses = [[e["validation_loss"] for e in d["training"]["history"]] for d in documents]
    assert losses[0] == losses[1]
    assert sorted(p.name for p in run.iterdir()) == sorted(p.name for p in whole.iterdir())
    logs = [log_lines(folder / "mlperf.log") for folder in (run, whole)]
    said = [[(line["key"], line["metadata"].get("epoch_num")) for line in log] for log in logs]
    assert said[0] == said[1]
    times = [line["time_ms"] for line in logs[0]]
    assert times == sorted(times)
    checked = check_compliance(run / "mlperf.log")
    assert checked.returncode == 0, checked.stderr


@pytest.mark.slow
def test_a_run_killed_at_every_stage_ends_as_an_unbroken_one(
    data: Path, whole: Path, tmp_path: Path
) -> None:
    """One run is killed again and again, each time further on, and then finished."""
    out = tmp_path / "run"
    config = small_config(data, out, epochs=EPOCHS)
    points: dict[str, Callable[[], bool]] = {
        "packing": scenes_packed(out / "store", 2),
        "staged": happened(out, "staging_stop"),
        "in the first epoch": happened(out, "epoch_start", epoch=1),
        "before its checkpoint": happened(out, "evaluation", epoch=1),
        "in the third epoch": happened(out, "epoch_stop", epoch=3),
        "trained": happened(out, "inference_start"),
        "two masks": lambda: len(list((out / "scores" / "network").glob("*.json"))) == 2,
        "at the end": happened(out, "run_stop"),
        "before the result": happened(out, "result"),
    }
    kept: dict[str, Any] = {}
    for name, point in points.items():
        assert Victim(config).end(signal.SIGKILL, point) == -signal.SIGKILL
        assert not (out / "result.json").exists()
        if name == "packing":
            kept["store"] = (out / "store.packing" / "inputs.f16").stat().st_ino
        if name == "two masks":
            kept["masks"] = scored_masks(out)
    resumed = resume_benchmark(out, device=CPU)

    assert resumed["training"]["resumed_after_epoch"] == EPOCHS
    assert_same(out, whole)
    # What was finished was not made again.
    assert (out / "store" / "inputs.f16").stat().st_ino == kept["store"]
    assert kept["masks"].items() <= scored_masks(out).items()
    assert len(read_record(out)["sittings"]) == len(points) + 1
    # A scene's time is of the sitting that masked it, the run's of all of them.
    assert len(resumed["seconds_by_scene"]) == TEST_SCENES
    assert resumed["seconds"]["run"] > resumed["seconds"]["training"]


def scored_masks(out: Path) -> dict[str, int]:
    """Times of change of the masks whose scores are kept."""
    scored = [Path(path.stem).stem for path in (out / "scores" / "network").glob("*.json")]
    return {name: (out / "masks" / f"{name}.nc").stat().st_mtime_ns for name in scored}


def test_a_run_stopped_by_the_scheduler_goes_on(data: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    config = small_config(data, out, epochs=EPOCHS)
    assert Victim(config).end(signal.SIGTERM, happened(out, "epoch_stop", epoch=2)) == 143
    lines = log_lines(out / "mlperf.log")
    assert [x["metadata"]["status"] for x in lines if x["key"] == "run_stop"] == ["aborted"]
    resume_benchmark(out, device=CPU)
    assert_same(out, whole)


def test_a_second_run_into_one_folder_is_refused(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    config = small_config(data, out)
    victim = Victim(config)

    def refused() -> bool:
        if not happened(out, "epoch_start", epoch=1)():
            return False
        words = rf"Process {victim.process.pid} on \S+ is writing to \S+run: wait for it"
        for overwrite in (False, True):
            with pytest.raises(OutputExistsError, match=words):
                run_benchmark(config, device=CPU, overwrite=overwrite)
        return True

    # The refused ones changed nothing, and the lock of the killed one holds nobody back.
    assert victim.end(signal.SIGKILL, refused) == -signal.SIGKILL
    assert len(read_record(out)["sittings"]) == 1
    assert run_benchmark(config, device=CPU)["training"]["epochs"] == 2


def test_a_finished_run_is_resumed_into_itself(whole: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*")}
    assert resume_benchmark(whole, device=CPU) == read_result(whole)
    assert before == {path: path.stat().st_mtime_ns for path in whole.rglob("*")}


def test_the_folder_tells_how_the_run_came_about(whole: Path, data: Path) -> None:
    record = read_record(whole)
    assert record["seed"] == 1234
    assert record["version"] == __version__
    (sitting,) = record["sittings"]
    assert sitting["command"] == sys.argv
    assert sitting["pid"] == os.getpid()
    assert sitting["hardware"]["ranks"] == 1
    assert "torch" in sitting["software"]
    # Every default is written out, and the file is a configuration itself.
    content = yaml.safe_load((whole / "config.yaml").read_text())
    assert content["train"]["learning_rate"] == 0.001
    assert load_config(whole / "config.yaml") == small_config(data, whole, epochs=EPOCHS)
    events = read_events(whole)
    assert [e.data["validation_loss"] for e in events if e.name == "evaluation"] == [
        e["validation_loss"] for e in read_result(whole)["training"]["history"]
    ]


def test_a_folder_that_was_moved_goes_on(whole: Path, tmp_path: Path) -> None:
    moved = copy_of(whole, tmp_path / "elsewhere")
    assert read_config(moved).output_dir == moved
    resume_benchmark(moved, device=CPU)
    assert_same(moved, whole)
    with pytest.raises(MissingFileError, match=r"holds no config\.yaml"):
        resume_benchmark(tmp_path, device=CPU)


def test_another_configuration_is_refused(data: Path, whole: Path, tmp_path: Path) -> None:
    out = copy_of(whole, tmp_path / "run")
    other = small_config(data, out, epochs=EPOCHS, learning_rate=0.01)
    with pytest.raises(ConfigError, match=r"train\.learning_rate was 0\.001, and is 0\.01"):
        run_benchmark(other, device=CPU)
    assert load_config(out / "config.yaml").train.learning_rate == 0.001
    # Longer, and with more said of it, is the same run.
    longer = small_config(data, out, epochs=EPOCHS + 1)
    document = run_benchmark(longer, device=CPU)
    assert document["training"]["epochs"] == EPOCHS + 1
    assert load_config(out / "config.yaml").train.epochs == EPOCHS + 1
    epochs = [
        x["metadata"]["epoch_num"]
        for x in log_lines(out / "mlperf.log")
        if x["key"] == "epoch_start"
    ]
    assert epochs == [1, 2, 3, 4]
    assert [x["key"] for x in log_lines(out / "mlperf.log")].count("run_stop") == 1


def test_a_mask_or_scene_that_changed_is_made_again(whole: Path, tmp_path: Path) -> None:
    out = copy_of(whole, tmp_path / "run")
    first, second, third, _ = sorted((out / "masks").iterdir())
    before = {path: path.stat().st_mtime_ns for path in (out / "masks").iterdir()}
    first.unlink()
    (out / "scores" / "network" / f"{second.stem}.hdf.json").write_text("{")
    (out / "scores" / "network" / f"{third.stem}.hdf.json").unlink()
    resume_benchmark(out, device=CPU)
    after = {path: path.stat().st_mtime_ns for path in (out / "masks").iterdir()}
    assert {path for path in after if after[path] != before[path]} == {first, second, third}
    assert_same(out, whole)


def test_a_log_that_the_user_named_is_added_to_once(data: Path, tmp_path: Path) -> None:
    mine, plain, out = tmp_path / "mine.log", tmp_path / "plain.log", tmp_path / "run"
    for path in (mine, plain):
        path.write_text("earlier\n")
    named = {"mlperf_logfile": mine, "log_file": plain}
    config = small_config(data, out, epochs=1).model_copy(update=named)
    run_benchmark(config, device=CPU)
    log = (out / "mlperf.log").read_text()
    assert mine.read_text() == "earlier\n" + log
    two = plain.read_text()
    assert len(two.splitlines()) == 3
    # Killed after that, before the result was there.
    (out / "result.json").unlink()
    run_benchmark(config, device=CPU)
    assert mine.read_text() == "earlier\n" + log
    assert plain.read_text() == two


# -- scenes that cannot be read ----------------------------------------------------------------


def broken(data: Path, folder: Path, part: str) -> Path:
    """A copy of the data whose first scene of a part cannot be read."""
    shutil.copytree(data, folder)
    path = sorted((folder / part).rglob("*.hdf"))[0]
    path.write_bytes(path.read_bytes()[:500])
    return path


def test_a_scene_that_cannot_be_read_stops_the_run_where_that_is_asked_for(
    data: Path, tmp_path: Path
) -> None:
    path = broken(data, tmp_path / "data", "ssts")
    config = small_config(tmp_path / "data", tmp_path / "run", epochs=1)
    stop = config.model_copy(update={"on_failed_scene": "stop"})
    with pytest.raises(InputError, match=rf"{path.name} could not be masked: .*on_failed_scene"):
        run_benchmark(stop, device=CPU)
    assert not (tmp_path / "run" / "result.json").exists()
    # Mended, the run goes on and trains no more.
    path.write_bytes(next(data.rglob(path.name)).read_bytes())
    document = resume_benchmark(tmp_path / "run", device=CPU)
    assert document["training"]["resumed_after_epoch"] == 1
    assert document["data"]["inference_failed"] == {}


@pytest.mark.parametrize("on_failed_scene", ["go_on", "stop"])
def test_so_does_one_of_the_training_scenes(
    data: Path, tmp_path: Path, on_failed_scene: str
) -> None:
    path = broken(data, tmp_path / "data", "one-day")
    config = small_config(tmp_path / "data", tmp_path / "run", epochs=1)
    config = config.model_copy(update={"on_failed_scene": on_failed_scene})
    if on_failed_scene == "go_on":
        assert list(run_benchmark(config, device=CPU)["data"]["training_skipped"]) == [path.name]
        return
    with pytest.raises(InputError, match=f"1 of the training scenes .* {path.name}"):
        run_benchmark(config, device=CPU)


# -- a full disk -------------------------------------------------------------------------------


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)


def test_events_that_could_not_be_written_are_written_when_there_is_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = EventLog(tmp_path / EVENTS_NAME)
    mlperf = MlperfLog(tmp_path / "mlperf.log")
    events = [Event("epoch_start", {"epoch": number}) for number in range(1, 6)]

    def hear(event: Event) -> None:
        log(event)
        mlperf(event)

    hear(events[0])
    with files_at_most((tmp_path / EVENTS_NAME).stat().st_size + 10):
        hear(events[1])
        hear(events[2])
        with pytest.raises(WriteError, match=r"events\.jsonl: No space left"):
            log.settle()
        with pytest.raises(WriteError, match=r"mlperf\.log: File too large"):
            mlperf.settle()
        # Half a line was written, and is no event.
        assert read_events(tmp_path) == events[:1]
    assert len(caplog.records) == 2  # one for each file, not for each event
    hear(events[3])
    assert read_events(tmp_path) == events[:4]
    assert (tmp_path / "mlperf.log").read_text() == mlperf.text
    assert len(log_lines(tmp_path / "mlperf.log")) == 4
    hear(events[4])
    log.close()
    assert read_events(tmp_path) == events


def test_a_run_on_a_full_disk_stops_in_words_and_goes_on(
    data: Path, whole: Path, tmp_path: Path
) -> None:
    """The model, 20 kB, finds room; the masks, 40 kB and more, do not."""
    out = copy_of(whole, tmp_path / "run", without=("result.json", "masks", "scores"))
    smallest = min(path.stat().st_size for path in (whole / "masks").iterdir())
    model = sum(path.stat().st_size for path in (whole / "model").iterdir())
    assert model < smallest - 1
    with files_at_most(smallest - 1), pytest.raises(WriteError, match=r"masks.*File too large"):
        resume_benchmark(out, device=CPU)
    assert not (out / "result.json").exists()
    resume_benchmark(out, device=CPU)
    assert_same(out, whole)


# -- events of several sittings ------------------------------------------------------------------


def events_of(*words: str) -> list[Event]:
    """Events a second apart: ``epoch_start:2`` for one of an epoch, ``!`` for what was aborted."""
    events = []
    for second, word in enumerate(words):
        name, _, epoch = word.rstrip("!").partition(":")
        data: dict[str, Any] = {"epoch": int(epoch)} if epoch else {}
        if name.startswith("inference"):
            data["set"] = "test"
        if name.endswith("_stop") and not epoch:
            data["status"] = "aborted" if word.endswith("!") else "success"
        events.append(Event(name, data, second * 1_000_000_000))
    return events


def told(events: list[Event]) -> list[int]:
    """The seconds of the events that are told of."""
    kept: list[Event] = []
    for event in events:
        kept = take(kept, event)
    return [event.time_ns // 1_000_000_000 for event in kept]


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        # Killed within the second epoch: it is told of as it was run in the end.
        (
            "sitting_start run_start epoch_start:1 epoch_stop:1 epoch_start:2 "
            "sitting_start run_start epoch_start:2 epoch_stop:2 run_stop",
            [1, 2, 3, 7, 8, 9],
        ),
        # Killed between the end of an epoch and its checkpoint.
        (
            "sitting_start run_start epoch_start:1 epoch_stop:1 "
            "sitting_start run_start epoch_start:1 sitting_start run_start epoch_start:1",
            [1, 9],
        ),
        # Stopped, then ended.
        ("sitting_start run_start run_stop! sitting_start run_start run_stop", [1, 5]),
        # Killed in the inference: it began when it began first.
        (
            "sitting_start run_start inference_start:1 "
            "sitting_start run_start inference_start:1 inference_stop:1",
            [1, 2, 6],
        ),
        # More epochs were asked for afterwards.
        (
            "sitting_start epoch_start:1 inference_start:1 run_stop "
            "sitting_start epoch_start:2 inference_start:2 run_stop",
            [1, 5, 6, 7],
        ),
    ],
)
def test_sittings_are_told_as_one_run(words: str, seconds: list[int]) -> None:
    assert told(events_of(*words.split())) == seconds


def test_the_seconds_of_a_stage_are_of_all_sittings() -> None:
    # 1 to 3, where it was killed; 5 to 6.
    words = "sitting_start run_start epoch_start:1 x sitting_start run_start run_stop result"
    events = events_of(*words.split())
    assert seconds_of("run", events) == 2 + 1
    assert seconds_of("staging", events) == 0


def test_what_is_left_of_a_line_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / EVENTS_NAME
    log = EventLog(path)
    log(Event("epoch_start", {"epoch": 1}))
    log.close()
    path.write_bytes(path.read_bytes() + b'{"name": "epoch_st')
    assert [event.name for event in read_events(tmp_path)] == ["epoch_start"]
    again = EventLog(path)
    again(Event("epoch_stop", {"epoch": 1}))
    again.close()
    assert [event.name for event in read_events(tmp_path)] == ["epoch_start", "epoch_stop"]
    assert [json.loads(line)["name"] for line in path.read_text().splitlines()] == [
        "epoch_start",
        "epoch_stop",
    ]


@pytest.mark.parametrize("content", [b"hello\n", b"{}\n", b"[1]\n", b"\xff\xfe\n"])
def test_a_file_that_holds_no_events_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / EVENTS_NAME).write_bytes(content)
    with pytest.raises(BrokenFileError, match="no event"):
        EventLog(tmp_path / EVENTS_NAME)
    assert (tmp_path / EVENTS_NAME).read_bytes() == content
    # Unless it is to be replaced, as the words say.
    log = EventLog(tmp_path / EVENTS_NAME, anew=True)
    log(Event("epoch_start", {"epoch": 1}))
    log.close()
    assert [event.name for event in read_events(tmp_path)] == ["epoch_start"]
