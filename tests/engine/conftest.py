"""For the engine's tests: a folder in memory, and what an undisturbed run of the toy gives."""

from __future__ import annotations

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
    """The digest of an uninterrupted run with a checkpoint each step, and its seconds."""
    with quick_folder() as folder:
        seconds = []
        for name in ("first", "second"):
            began = time.monotonic()
            outcome = run(start, folder / name)
            assert outcome.status == 0, outcome.output
            seconds.append(time.monotonic() - began)
        assert digest(folder / "first") == digest(folder / "second")
        yield digest(folder / "first"), min(seconds)
