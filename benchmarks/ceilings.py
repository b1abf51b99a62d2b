"""What this machine can do at most: matrix multiply, copying memory, reading a file.

ceilings = measure_ceilings(torch.device("cpu"), Path("scratch"), ["fp32"], quick=False)

Nothing here is read off a data sheet. Disks are measured with the pages of the file dropped by
``posix_fadvise``, which needs no rights; the caches of a host or a controller cannot be emptied
from here, so the number is an upper bound of what a cold disk gives.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.timing import Sample, best_of, stopwatch
from slstr_cloudmask.network.device import Precision

DTYPES: dict[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp32": torch.float32}
MATRIX_SIZES = {"cpu": (1024, 2048, 4096), "cuda": (4096, 8192, 16384)}
COPY_BYTES = {"cpu": 1 << 28, "cuda": 1 << 32}
FILE_BYTES, BLOCK_BYTES = 1 << 29, 1 << 23


@dataclass(frozen=True)
class Ceiling:
    """One thing that was measured at its best.

    Attributes
    ----------
    name, unit
        What, and in what it is counted per second: ``FLOP/s`` or ``B/s``.
    best, median
        Rates.
    runs
        How many there were.
    """

    name: str
    unit: str
    best: float
    median: float
    runs: int

    @classmethod
    def of(cls, name: str, unit: str, amount: float, sample: Sample) -> "Ceiling":
        """Return the rate of doing ``amount`` in each of the sample's runs."""
        best, median = amount / min(sample.seconds), amount / sample.median
        return cls(name, unit, best, median, len(sample.seconds))


@dataclass(frozen=True)
class Ceilings:
    """All of them."""

    all: tuple[Ceiling, ...]

    def flops(self, precision: Precision) -> float:
        """Return the best rate of multiplying at that precision, FLOP/s."""
        return max(c.best for c in self.all if c.name.startswith(f"matmul {precision}"))

    @property
    def bandwidth(self) -> float:
        """The best rate of moving memory, bytes read and written, B/s."""
        return max(c.best for c in self.all if c.name.startswith("copy"))

    def describe(self) -> list[dict[str, Any]]:
        """Return what goes into the JSON file."""
        return [asdict(ceiling) for ceiling in self.all]


def measure_ceilings(
    device: torch.device, scratch: Path, precisions: Sequence[Precision], *, quick: bool
) -> Ceilings:
    """Measure what the device and the disk under ``scratch`` can do at most."""
    seconds = 0.3 if quick else 2.0
    kind = "cuda" if device.type == "cuda" else "cpu"
    sizes = MATRIX_SIZES[kind][:2] if quick else MATRIX_SIZES[kind]
    multiply = [_matmul(p, size, device, seconds) for p in precisions for size in sizes]
    copy = _copy(COPY_BYTES[kind], device, seconds)
    file_bytes = FILE_BYTES // 8 if quick else FILE_BYTES
    return Ceilings((*multiply, copy, *_disk(scratch, file_bytes, seconds)))


def _matmul(precision: Precision, size: int, device: torch.device, seconds: float) -> Ceiling:
    a, b = (torch.randn(size, size, device=device).to(DTYPES[precision]) for _ in range(2))
    out = torch.empty_like(a)
    run = partial(torch.mm, a, b, out=out)
    # Each of size² results is size products and as many sums.
    return Ceiling.of(
        f"matmul {precision} {size}", "FLOP/s", 2 * size**3, _best(run, device, seconds)
    )


def _copy(size: int, device: torch.device, seconds: float) -> Ceiling:
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    run = partial(target.copy_, source)
    return Ceiling.of(f"copy {size >> 20} MiB", "B/s", 2 * size, _best(run, device, seconds))


def _best(run: Callable[[], object], device: torch.device, seconds: float) -> Sample:
    with torch.inference_mode():
        return best_of(run, device, seconds)


def _disk(scratch: Path, size: int, seconds: float) -> list[Ceiling]:
    path, cpu = scratch / "disk.bin", torch.device("cpu")
    path.write_bytes(np.random.default_rng(0).bytes(size))
    try:
        with path.open("rb", buffering=0) as file:
            os.fsync(file.fileno())  # only clean pages can be dropped
            warm = best_of(partial(_read, file.fileno()), cpu, seconds)
            names = {"disk read, page cache": warm}
            if hasattr(os, "posix_fadvise"):
                cold = Sample()
                for _ in range(3):
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                    cold.seconds.append(stopwatch(partial(_read, file.fileno()), cpu)())
                names["disk read, pages dropped"] = cold
    finally:
        path.unlink()
    return [Ceiling.of(name, "B/s", size, sample) for name, sample in names.items()]


def _read(descriptor: int) -> None:
    buffer = memoryview(bytearray(BLOCK_BYTES))
    offset = 0
    while count := os.preadv(descriptor, [buffer], offset):
        offset += count
