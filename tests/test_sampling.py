"""Meters on real files and the real machine; samples, their phases and what they sum up to.

Of NVML only our side is tested, with a stand-in for the driver's library: no GPU is at hand.
"""

import csv
import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from slstr_cloudmask.benchmark.meters import Gpus, Host, Rapl, find_meters
from slstr_cloudmask.benchmark.sampling import (
    COLUMNS,
    SAMPLES_NAME,
    Sampler,
    read_samples,
    summarise_samples,
)
from slstr_cloudmask.errors import BrokenFileError, InputError, MissingFileError
from slstr_cloudmask.events import Event

LIMIT_UJ = 262_143_328_850  # of an Intel server's package


def make_zone(root: Path, zone: str, name: str, energy_uj: int, limit: int = LIMIT_UJ) -> Path:
    """Make a zone as Linux shows it (Documentation/power/powercap)."""
    folder = root / zone
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "max_energy_range_uj").write_text(f"{limit}\n")
    (folder / "energy_uj").write_text(f"{energy_uj}\n")
    return folder / "energy_uj"


@pytest.fixture
def powercap(tmp_path: Path) -> Path:
    root = tmp_path / "powercap"
    make_zone(root, "intel-rapl:0", "package-0", 1_000_000)
    make_zone(root, "intel-rapl:0:0", "core", 500_000)
    make_zone(root, "intel-rapl:0:1", "dram", 2_000_000)
    make_zone(root, "intel-rapl:1", "package-1", 3_000_000)
    make_zone(root, "intel-rapl:2", "psys", 9_000_000)
    make_zone(root, "intel-rapl-mmio:0", "package-0", 1_000_000)
    (root / "intel-rapl").mkdir()
    return root


def test_packages_and_memory_are_added_up_once(powercap: Path) -> None:
    meter = Rapl(powercap)
    assert meter.about == "RAPL: package-0, dram, package-1"
    make_zone(powercap, "intel-rapl:0", "package-0", 6_000_000)  # 5 J
    make_zone(powercap, "intel-rapl:0:0", "core", 4_500_000)  # within the package
    make_zone(powercap, "intel-rapl:0:1", "dram", 2_500_000)  # 0.5 J
    make_zone(powercap, "intel-rapl:2", "psys", 90_000_000)  # all of it once more
    make_zone(powercap, "intel-rapl-mmio:0", "package-0", 6_000_000)  # the package once more
    assert meter.read() == {"processor_j": pytest.approx(5.5)}
    assert meter.read() == {"processor_j": 0}


def test_a_counter_that_begins_anew(powercap: Path) -> None:
    make_zone(powercap, "intel-rapl:0", "package-0", LIMIT_UJ - 2_000_000)
    meter = Rapl(powercap)
    make_zone(powercap, "intel-rapl:0", "package-0", 999_999)
    # 2 J up to the end, one step to 0, and 999 999 µJ from there.
    assert meter.read()["processor_j"] == pytest.approx(3.0, abs=1e-9)


def test_what_rapl_does_not_tell_is_said(powercap: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"There is no RAPL counter in .*nothing"):
        Rapl(tmp_path / "nothing")
    (powercap / "intel-rapl:1" / "energy_uj").write_text("many\n")
    with pytest.raises(BrokenFileError, match=r"cannot be read.*many"):
        Rapl(powercap)
    meters, not_told = find_meters(pid=os.getpid(), gpus=(), powercap=tmp_path / "nothing")
    assert [type(meter) for meter in meters] == [Host]
    assert list(not_told) == ["processor_j"]
    assert "There is no RAPL counter" in not_told["processor_j"]


def test_counters_of_root_alone_say_how_to_open_them(powercap: Path) -> None:
    """As any other user, who may not read what root has closed."""
    (powercap / "intel-rapl:0" / "energy_uj").chmod(0)
    for folder in (powercap, *powercap.parents):
        if os.access(folder, os.W_OK) and folder.stat().st_uid == os.getuid():
            folder.chmod(folder.stat().st_mode | 0o055)
    program = (
        "import os, sys; from pathlib import Path\n"
        "from slstr_cloudmask.benchmark.meters import Rapl\n"
        "from slstr_cloudmask.errors import BrokenFileError\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "try: Rapl(Path(sys.argv[1]))\n"
        "except BrokenFileError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(powercap)], capture_output=True, text=True, check=True
    )
    assert "energy_uj may be read by root alone" in done.stdout
    assert "chmod a+r" in done.stdout


class NvmlError(Exception):
    """What the driver's library raises."""


def fake_nvml(**changes: Any) -> Any:
    """Stand in for the module ``pynvml``: two GPUs, of which the second has no energy counter."""
    state = {"mj": 5_000, "mw": 250_000}

    def energy(handle: str) -> int:
        if handle == "GPU-b":
            raise NvmlError("Not Supported")
        return state["mj"]

    functions = {
        "NVMLError": NvmlError,
        "nvmlInit": lambda: None,
        "nvmlDeviceGetHandleByUUID": lambda uuid: uuid,
        "nvmlDeviceGetTotalEnergyConsumption": energy,
        "nvmlDeviceGetPowerUsage": lambda _handle: state["mw"],
        "nvmlDeviceGetMemoryInfo": lambda _handle: SimpleNamespace(used=1_000),
        "nvmlDeviceGetUtilizationRates": lambda handle: SimpleNamespace(
            gpu=90 if handle == "GPU-a" else 40
        ),
        "state": state,
    }
    return SimpleNamespace(**{**functions, **changes})


def test_energy_of_gpus_by_counter_or_by_power() -> None:
    nvml = fake_nvml()
    counted, added = Gpus(nvml, ["GPU-a"]), Gpus(nvml, ["b"])
    nvml.state["mj"] = 12_500
    # From 5 000 to 12 500 mJ.
    assert counted.read() == {"gpu_j": 7.5, "gpu_bytes": 1000.0, "gpu_percent": 90.0}
    time.sleep(0.02)
    # 250 W over the time since it was made.
    assert 250 * 0.02 <= added.read()["gpu_j"] < 250 * 10
    both = Gpus(nvml, ["a", "b"]).read()
    assert (both["gpu_bytes"], both["gpu_percent"]) == (2000.0, 65.0)


def test_a_driver_that_was_loaded_anew_has_no_negative_energy() -> None:
    nvml = fake_nvml()
    meter = Gpus(nvml, ["a"])
    nvml.state["mj"] = 10
    assert meter.read()["gpu_j"] >= 0
    nvml.state["mj"] = 1_010
    assert meter.read()["gpu_j"] == 1


def test_what_a_gpu_does_not_tell_is_left_out() -> None:
    def refuse(*_: object) -> None:
        raise NvmlError("Not Supported")

    silent = fake_nvml(
        nvmlDeviceGetTotalEnergyConsumption=refuse,
        nvmlDeviceGetPowerUsage=refuse,
        nvmlDeviceGetUtilizationRates=refuse,
    )
    assert Gpus(silent, ["a"]).read() == {"gpu_bytes": 1000.0}
    with pytest.raises(InputError, match="NVML: Not Supported"):
        Gpus(fake_nvml(nvmlInit=refuse), ["a"])


def test_without_a_driver_or_its_library_it_is_said() -> None:
    """On a machine without GPUs, with the extra installed or not."""
    meters, not_told = find_meters(pid=os.getpid(), gpus=["GPU-none"])
    assert all(not isinstance(meter, Gpus) for meter in meters)
    assert "NVML" in not_told["gpu_j"] or "slstr-cloudmask[gpu]" in not_told["gpu_j"]


def test_memory_of_a_process_and_its_children() -> None:
    # A child that holds 50 MB beside what Python itself takes.
    program = "held = bytearray(50_000_000); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        alone, together = Host(child.pid).read(), Host(os.getpid()).read()
        child.communicate(b"\n")
    assert 50e6 < alone["process_bytes"] < together["process_bytes"]
    assert together["process_bytes"] < together["system_bytes"]


class Steady:
    """A meter of our own: so much energy at every reading."""

    about = "steady"

    def __init__(self, joules: float) -> None:
        self.joules = joules

    def read(self) -> dict[str, float]:
        return {"processor_j": self.joules, "process_bytes": 100.0}


def test_energy_by_phase(tmp_path: Path) -> None:
    path = tmp_path / SAMPLES_NAME
    meter = Steady(2.0)
    with Sampler(path, [meter], interval_s=60) as sampler:
        for name in ("staging_start", "staging_stop", "run_start", "epoch_start"):
            sampler(Event(name))
        meter.joules = 30.0
        for name in ("inference_start", "inference_stop", "run_stop"):
            sampler(Event(name))
    # Each bound of a phase ends a row; an epoch is none.
    rows = [(row["phase"], row["processor_j"]) for row in read_samples(path)]
    assert rows == [
        ("other", 2.0),
        ("staging", 2.0),
        ("other", 2.0),
        ("training", 30.0),
        ("inference", 30.0),
        ("other", 30.0),
        ("other", 30.0),
    ]
    summary = summarise_samples(path)
    assert summary is not None
    training = summary["phases"]["training"]
    assert training["energy_j"] == {"processor": 30.0, "gpu": None}
    assert training["energy_kwh"]["processor"] == pytest.approx(30 / 3_600_000)
    assert training["mean_power_w"]["processor"] == pytest.approx(30 / training["seconds"])
    assert summary["phases"]["other"]["energy_j"]["processor"] == 64
    assert summary["peak"] == {"process_bytes": 100, "system_bytes": None, "gpu_bytes": None}


def test_samples_come_by_themselves_and_go_on_in_another_sitting(tmp_path: Path) -> None:
    path = tmp_path / SAMPLES_NAME
    for _ in range(2):
        with Sampler(path, [Host(os.getpid())], interval_s=0.01):
            deadline = time.monotonic() + 10
            while len(read_samples(path)) < 5 and time.monotonic() < deadline:
                time.sleep(0.01)
        # As a process that is killed while it writes a line.
        with path.open("a") as file:
            file.write("17959490")
    rows = read_samples(path)
    assert len(rows) >= 7
    assert all(row["process_bytes"] > 1e6 for row in rows)
    assert path.read_text().splitlines().count(",".join(COLUMNS)) == 1


def test_energy_that_is_known_in_part_is_not_known(tmp_path: Path) -> None:
    class Failing(Steady):
        def read(self) -> dict[str, float]:
            if self.joules > 2:
                raise BrokenFileError("the counter has gone")
            self.joules += 1
            return super().read()

    path = tmp_path / SAMPLES_NAME
    with Sampler(path, [Failing(0.0), Host(os.getpid())], interval_s=60) as sampler:
        for name in ("staging_start", "run_start", "inference_start", "inference_stop"):
            sampler(Event(name))
    summary = summarise_samples(path)
    assert summary is not None
    told = {name: row["energy_j"]["processor"] for name, row in summary["phases"].items()}
    # Read at the start, for "other" and for staging, which is still told; then no more.
    assert told == {"other": None, "staging": 3.0, "training": None, "inference": None}
    assert summary["peak"]["process_bytes"] > 1e6  # the other meter is read on


def test_a_full_disk_or_a_folder_in_the_way_does_not_stop_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / SAMPLES_NAME).mkdir()
    with Sampler(tmp_path / SAMPLES_NAME, [Steady(1)], interval_s=0.01) as sampler:
        sampler(Event("run_start"))
    assert "The run goes on unsampled" in caplog.text
    caplog.clear()
    # Everything that is written there fails as on a full disk.
    with Sampler(Path("/dev/full"), [Steady(1)], interval_s=0.01) as sampler:
        sampler(Event("run_start"))
        sampler(Event("inference_start"))
    assert caplog.text.count(os.strerror(errno.ENOSPC)) == 1


def test_no_samples_have_no_summary(tmp_path: Path) -> None:
    assert summarise_samples(tmp_path / SAMPLES_NAME) is None
    (tmp_path / SAMPLES_NAME).write_bytes(b"\xff\x00nonsense\n1,2,3\n")
    assert summarise_samples(tmp_path / SAMPLES_NAME) is None
    with (tmp_path / SAMPLES_NAME).open("w", newline="") as file:
        csv.writer(file).writerow(COLUMNS)
    assert summarise_samples(tmp_path / SAMPLES_NAME) is None
