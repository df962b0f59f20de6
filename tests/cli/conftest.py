"""For the tests of verbs: a folder of their own, and two small runs to look at."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from calling import UNMEASURED, done


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FATHOM_RUNS", "runs")
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory) -> Path:
    """`runs/linear-regression/001` and `002`, of other learning rates."""
    folder = tmp_path_factory.mktemp("two")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FATHOM_RUNS", str(folder / "runs"))
        for lr in (0.03, 0.1):
            done("try", "linear-regression", "--lr", lr, "--quiet", *UNMEASURED)
    return folder / "runs"


@pytest.fixture
def runs(two_runs, tmp_path) -> Path:
    """The same, to be changed."""
    shutil.copytree(two_runs, tmp_path / "runs")
    return tmp_path / "runs"
