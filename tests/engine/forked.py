"""A child process for each case: forked from one parent that has torch loaded already.

Loading torch takes seconds, forking a process that has loaded it milliseconds: this is what makes
a hundred kills affordable. `torch._dynamo` is loaded too, as the optimisers would do in each
child. A child that outlives its time writes the stacks of all its threads and is ended.
"""

from __future__ import annotations

import faulthandler
import math
import os
import pickle
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch._dynamo

from fathom.core.errors import FathomError

torch.set_num_threads(1)


@dataclass(frozen=True)
class Outcome:
    """`status` as a shell has it: 128 + the signal where one ended the child."""

    status: int
    output: str
    result: Any

    @property
    def error(self) -> str:
        """The last line, which must be an error; there is no traceback."""
        assert "Traceback" not in self.output, self.output
        last = self.output.rstrip().splitlines()[-1]
        assert last.startswith("error: "), self.output
        return last


class Child:
    """A running function; its standard output and error go to one file."""

    def __init__(self, function: Callable[..., Any], *args: Any, timeout: float = 60.0) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `wait`
        self._result = tempfile.TemporaryFile()  # noqa: SIM115
        self.began = time.monotonic()
        self.deadline = self.began + timeout + 5
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._be_child(function, args, timeout)

    def _be_child(self, function: Callable[..., Any], args: Any, timeout: float) -> None:
        status = 1
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            for descriptor in (1, 2):
                os.dup2(self._output.fileno(), descriptor)
            sys.stdout = sys.stderr = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
            faulthandler.dump_traceback_later(timeout, exit=True, file=sys.stderr)
            pickle.dump(function(*args), self._result)
            self._result.flush()
            status = 0
        except FathomError as error:  # as the command line does
            sys.stdout.write(f"error: {error}\n")
            status = error.exit_status
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)

    def seconds(self) -> float:
        """Of work, infinite when done; on Linux those of the processor, whatever else runs."""
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return math.inf
        if sys.platform != "linux":
            return time.monotonic() - self.began
        return time.clock_gettime((~self.pid << 3) | 2)  # the clock of that process

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)

    def wait(self) -> Outcome:
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > self.deadline:
                self.kill()
            time.sleep(0.002)
        code = os.waitstatus_to_exitcode(status)
        self._output.seek(0)
        output = self._output.read().decode(errors="replace")
        self._result.seek(0)
        raw = self._result.read()
        self._output.close()
        self._result.close()
        return Outcome(
            code if code >= 0 else 128 - code, output, pickle.loads(raw) if raw else None
        )


def run(function: Callable[..., Any], *args: Any, timeout: float = 60.0) -> Outcome:
    """Call the function in a child and wait for it."""
    return Child(function, *args, timeout=timeout).wait()


def fast_folder() -> Path | None:
    """Storage in memory, where the system has it."""
    shared = Path("/dev/shm")
    return shared if os.access(shared, os.W_OK) else None
