"""For all tests: one thread, no network, folders of their own."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
# A busy machine is no fault, and a test that failed fails again.
settings.register_profile("fathom", deadline=None, derandomize=True)
settings.load_profile("fathom")


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """Runs and cache of a test go to its own folder, whatever the user has set."""
    monkeypatch.setenv("FATHOM_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("FATHOM_CACHE", str(tmp_path / "cache"))
