"""For the engine's tests: a folder in memory, and what an undisturbed run of the toy gives."""

from __future__ import annotations

import sys
import time

import pytest
from driving import digest, quick_folder, start
from forked import run


@pytest.fixture
def quick():
    with quick_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def undisturbed():
    """The digest of an uninterrupted run with a checkpoint each step, and its seconds of work."""
    with quick_folder() as folder:
        seconds = []
        for name in ("first", "second"):
            outcome = run(timed_start, folder / name)
            assert outcome.status == 0, outcome.output
            seconds.append(outcome.result)
        assert digest(folder / "first") == digest(folder / "second")
        yield digest(folder / "first"), min(seconds)


def timed_start(folder):
    clock = time.process_time if sys.platform == "linux" else time.monotonic
    began = 0.0 if sys.platform == "linux" else clock()
    start(folder)
    return clock() - began
