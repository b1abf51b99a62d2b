"""How much of the host's memory is left for a set of patches.

    available = available_bytes()

A batch system or a container may allow a job less than the machine has; the limit is that of the
control group (cgroup v2) or of any around it.
"""

from collections.abc import Iterator
from pathlib import Path

import psutil

_ROOT = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def available_bytes(root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> int:
    """Return the bytes that this process may still take.

    Parameters
    ----------
    root, membership
        Where the system keeps limits, and which group this process is in.
    """
    free = int(psutil.virtual_memory().available)
    return max(0, min([free, *_left(root, membership)]))


def _left(root: Path, membership: Path) -> Iterator[int]:
    """Yield what the group of this process and those around it have left, as far as is known."""
    try:
        # "0::/system.slice/job": the one line of version 2.
        lines = membership.read_text().splitlines()
        inner = next(line[3:] for line in lines if line.startswith("0::"))
    except (OSError, StopIteration):
        return
    group = root / inner.lstrip("/")
    while group.is_relative_to(root):
        try:
            limit, used = (group / f"memory.{what}" for what in ("max", "current"))
            reclaimable = _inactive_file(group / "memory.stat")
            yield int(limit.read_text()) - int(used.read_text()) + reclaimable
        except (OSError, ValueError):  # no limit ("max"), or none of its own
            pass
        group = group.parent


def _inactive_file(path: Path) -> int:
    """Return the bytes of cached files, which the system gives back."""
    fields = dict(line.split() for line in path.read_text().splitlines())
    return int(fields.get("inactive_file", 0))
