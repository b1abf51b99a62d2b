"""Hardware and software as found, not as typed."""

import platform
import subprocess
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import torch

from slstr_cloudmask import __version__
from slstr_cloudmask.io.remote import without_secrets
from slstr_cloudmask.training.distribution import Ranks

PACKAGES = ("torch", "numpy", "h5py", "xarray", "safetensors", "mlperf-logging")


def hardware(device: torch.device, ranks: Ranks) -> dict[str, Any]:
    """Return processor, memory, accelerators, processes and nodes of this run."""
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": psutil.cpu_count(logical=False),
        "threads": torch.get_num_threads(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "device": device.type,
        "accelerator": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "accelerators_per_node": ranks.local_world_size if device.type == "cuda" else 0,
        "ranks": ranks.world_size,
        "nodes": max(1, ranks.world_size // ranks.local_world_size),
    }


def gpu_uuids(device: torch.device, ranks: Ranks) -> list[str]:
    """Return which GPUs of this machine the run is on: one for each of its processes here."""
    if device.type != "cuda":
        return []
    alone = [torch.cuda.current_device() if device.index is None else device.index]
    numbers = range(ranks.local_world_size) if ranks.local_world_size > 1 else alone
    return [str(torch.cuda.get_device_properties(number).uuid) for number in numbers]


def software() -> dict[str, Any]:
    """Return versions of the package, of what it stands on, and the commit it was run from."""
    versions = {name: metadata.version(name) for name in PACKAGES}
    return {
        "slstr-cloudmask": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "system": platform.platform(),
        **versions,
    }


def _processor() -> str:
    """Return the processor's name as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    """Return the commit of the source tree that runs, or ``None`` where it is no checkout."""
    here = Path(__file__)
    try:
        # Installed into another project's environment, this file is not tracked there.
        _git("ls-files", "--error-unmatch", here.name, folder=here.parent)
        return _git(
            "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*", folder=here.parent
        )
    except (OSError, subprocess.SubprocessError):
        return None


def repository(commit: str | None) -> dict[str, str | None]:
    """Return where the source tree comes from: ``repo``, ``branch``, and ``tag`` of a commit.

    What is not told is None. A user or a token in the address is left out.
    """
    asked = {
        "repo": ("remote", "get-url", "origin"),
        "branch": ("branch", "--show-current"),
        "tag": ("describe", "--tags", "--exact-match", str(commit)),
    }
    found: dict[str, str | None] = dict.fromkeys(asked)
    if _commit() is None:
        return found
    for key, arguments in asked.items():
        with suppress(OSError, subprocess.SubprocessError):
            found[key] = without_secrets(_git(*arguments, folder=Path(__file__).parent)) or None
    return found


def _git(*arguments: str, folder: Path) -> str:
    answer = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True
    )
    return answer.stdout.strip()
