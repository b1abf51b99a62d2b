"""What a machine tells of its energy, memory and load: meters, which are read every second.

    meters, silent = find_meters(pid=os.getpid(), gpus=())
    for meter in meters:
        meter.read()  # {"processor_j": 12.3} since it was read last, {"process_bytes": …} now

Energy is told by RAPL for processors (Linux's ``/sys/class/powercap``) and by NVML for NVIDIA's
GPUs (extra ``gpu``). What is not told is named with its reason, and is nowhere taken as zero.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import psutil

from slstr_cloudmask.errors import (
    BrokenFileError,
    CloudMaskError,
    InputError,
    MissingFileError,
)
from slstr_cloudmask.extras import require

POWERCAP = Path("/sys/class/powercap")
# Processes come and go seldom, and finding them reads a file for each process of the machine.
LOOK_AGAIN_S = 30.0
# The system counts its processors' time in steps of a hundredth of a second.
SHORTEST_LOAD_S = 0.2


class Meter(Protocol):
    """Something that is read every second.

    Attributes
    ----------
    about
        What it is, for the result.
    """

    about: str

    def read(self) -> dict[str, float]:
        """Return values by name: ``…_j`` since the last reading, all else as it is now.

        What is not known this time is left out.
        """
        ...


class Rapl:
    """Energy of the processors and of their memory, from the counters that Linux shows.

    Zones whose name begins with ``package`` are added up, and ``dram`` zones within them, which
    are none of a package's own energy; ``core`` and ``uncore`` are, and ``psys`` is the whole
    board where there is one.

    Parameters
    ----------
    root
        The folder of zones.

    Raises
    ------
    MissingFileError
        There is no counter.
    BrokenFileError
        It may not be read.
    """

    def __init__(self, root: Path = POWERCAP) -> None:
        self._zones: dict[Path, int] = {}  # to the energy in µJ at which the counter starts anew
        names = []
        # `intel-rapl` is AMD's too; `intel-rapl-mmio` shows the same packages again.
        for zone in sorted(root.glob("intel-rapl:*")):
            with suppress(OSError):
                name = (zone / "name").read_text().strip()
                if name.startswith(("package", "dram")):
                    self._zones[zone] = int((zone / "max_energy_range_uj").read_text())
                    names.append(name)
        if not self._zones:
            raise MissingFileError(f"There is no RAPL counter in {root}.")
        self.about = f"RAPL: {', '.join(names)}"
        self._last = self._counters()

    def read(self) -> dict[str, float]:
        """Return the energy since the last reading, in J."""
        now = self._counters()
        # A counter that has passed its end goes on from 0. One of 262 kJ, which is usual, does so
        # every quarter of an hour at 300 W: many readings apart.
        spent = [
            (now[zone] - self._last[zone]) % (limit + 1) for zone, limit in self._zones.items()
        ]
        self._last = now
        return {"processor_j": sum(spent) / 1e6}

    def _counters(self) -> dict[Path, int]:
        try:
            return {zone: int((zone / "energy_uj").read_text()) for zone in self._zones}
        except PermissionError as error:
            raise BrokenFileError(
                f"{error.filename} may be read by root alone: an administrator can allow it to "
                "all with chmod a+r."
            ) from error
        except (OSError, ValueError) as error:
            raise BrokenFileError(f"The RAPL counters cannot be read: {error}.") from error


class Gpus:
    """Energy, memory and load of NVIDIA's GPUs.

    Where a GPU has no counter of energy (older than Volta, or a part of one) its power is added up.

    Parameters
    ----------
    nvml
        The module ``pynvml``, or what has its functions.
    uuids
        Which of the machine's GPUs.

    Raises
    ------
    InputError
        There is no driver, or no such GPU.
    """

    def __init__(self, nvml: Any, uuids: Sequence[str]) -> None:
        self._nvml = nvml
        try:
            nvml.nvmlInit()
            self._handles = [
                nvml.nvmlDeviceGetHandleByUUID(u if u.startswith(("GPU-", "MIG-")) else f"GPU-{u}")
                for u in uuids
            ]
        except nvml.NVMLError as error:
            raise InputError(f"NVML: {error}.") from error
        self.about = f"NVML: {len(self._handles)} GPUs"
        self._counters: list[int | None] = [self._counter(handle) for handle in self._handles]
        self._time = time.monotonic()

    def read(self) -> dict[str, float]:
        """Return energy since the last reading, and memory in use and load as they are now."""
        now = time.monotonic()
        passed_s, self._time = now - self._time, now
        values = {}
        with suppress(self._nvml.NVMLError):
            values["gpu_j"] = sum(
                self._energy(number, passed_s) for number in range(len(self._handles))
            )
        with suppress(self._nvml.NVMLError):
            used = [self._nvml.nvmlDeviceGetMemoryInfo(h).used for h in self._handles]
            values["gpu_bytes"] = float(sum(used))
        with suppress(self._nvml.NVMLError):
            load = [self._nvml.nvmlDeviceGetUtilizationRates(h).gpu for h in self._handles]
            values["gpu_percent"] = sum(load) / len(load)
        return values

    def _energy(self, number: int, passed_s: float) -> float:
        """Energy of one GPU since the last reading, J."""
        handle, before = self._handles[number], self._counters[number]
        if before is None:
            return float(self._nvml.nvmlDeviceGetPowerUsage(handle)) / 1e3 * passed_s  # mW
        after = self._counter(handle)
        if after is None or after < before:  # the driver was loaded anew
            self._counters[number] = after
            return float(self._nvml.nvmlDeviceGetPowerUsage(handle)) / 1e3 * passed_s
        self._counters[number] = after
        return (after - before) / 1e3  # mJ

    def _counter(self, handle: Any) -> int | None:
        try:
            return int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
        except self._nvml.NVMLError:
            return None


class Host:
    """Memory of a process and its children, and memory and load of the whole machine.

    Pages that processes share, a store mapped into memory say, count in each of them.

    Parameters
    ----------
    pid
        The process.
    """

    about = "psutil: the run's processes, the machine's memory and processors"

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._family: list[psutil.Process] = []
        self._looked = -LOOK_AGAIN_S
        self._loaded = time.monotonic()
        psutil.cpu_percent()  # the next call tells the load since this one

    def read(self) -> dict[str, float]:
        """Return what is in use now, and the load since the last reading."""
        now = time.monotonic()
        if now - self._looked >= LOOK_AGAIN_S:
            self._family, self._looked = self._root.children(recursive=True), now
        resident = 0
        for process in (self._root, *self._family):
            with suppress(psutil.Error):  # one that has ended
                resident += process.memory_info().rss
        memory = psutil.virtual_memory()
        values = {
            "process_bytes": float(resident),
            "system_bytes": float(memory.total - memory.available),
        }
        if now - self._loaded >= SHORTEST_LOAD_S:
            values["cpu_percent"], self._loaded = psutil.cpu_percent(), now
        return values


def find_meters(
    *, pid: int, gpus: Sequence[str], powercap: Path = POWERCAP
) -> tuple[list[Meter], dict[str, str]]:
    """Find what this machine tells.

    Parameters
    ----------
    pid
        The process whose memory, with its children's, is told.
    gpus
        UUIDs of the GPUs that are run on; none for a run on processors.
    powercap
        Where RAPL's counters are.

    Returns
    -------
    tuple
        The meters; and by ``processor_j`` and ``gpu_j`` why one of them is not told.
    """
    meters: list[Meter] = [Host(pid)]
    silent = {}
    try:
        meters.append(Rapl(powercap))
    except CloudMaskError as reason:
        silent["processor_j"] = str(reason)
    if gpus:
        try:
            meters.append(Gpus(require("pynvml", extra="gpu"), gpus))
        except CloudMaskError as reason:
            silent["gpu_j"] = str(reason)
    return meters, silent
