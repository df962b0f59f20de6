"""Run a function in a forked child: quick, and free to be killed or to give up its rights."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path


def start(function, *arguments) -> int:
    """The pid of a child that runs it and exits 0, or 1 after a traceback."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        function(*arguments)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def status(pid: int) -> int:
    """Exit status, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@contextlib.contextmanager
def open_folder():
    """A folder in memory that other users may enter, unlike pytest's."""
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shm if shm.is_dir() else None))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def drop_rights() -> None:
    """In a child of root: become nobody."""
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
