"""One process at a time: the lock of an open file, which ends with the process, however it ends.

with path.open("a+b") as file:
    if not take_lock(file):
        ...  # another process has it
"""

from typing import IO


def take_lock(file: IO[bytes]) -> bool:
    """Take the lock of an open file; it is given up when the file is closed.

    Returns
    -------
    bool
        False where another process holds it. True too on a system, or a file system, without
        locks: over NFS they need its lock service.
    """
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
