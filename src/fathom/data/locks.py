"""Kernel locks on files: let go of by the kernel itself when their holder dies."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: everyone downloads for himself, and the last rename wins
    fcntl = None  # type: ignore[assignment]

LOOK_EVERY = 0.05


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this process alone, or say that somebody else has."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def locks_work(path: Path) -> bool:
    """Whether a lock on the file system of `path`, which exists, keeps a second one out.

    On some network file systems everyone who asks is told yes.
    """
    if fcntl is None:
        return False
    first, second = os.open(path, os.O_RDWR), os.open(path, os.O_RDWR)
    try:
        return try_lock(first) and not try_lock(second)
    finally:
        os.close(second)
        os.close(first)


@contextlib.contextmanager
def waiting_lock(path: Path, *, unless: Callable[[], bool]) -> Iterator[bool]:
    """Holds the lock of `path` in its block; False, without it, as soon as `unless()` is true.

    The file stays: were it removed, two processes could hold locks of two files of that name.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while not (held := try_lock(descriptor)):
            if unless():
                break
            time.sleep(LOOK_EVERY)
        yield held
    finally:
        os.close(descriptor)
