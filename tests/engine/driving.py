"""Start, kill, resume and compare runs of the toy experiment."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from forked import fast_folder
from toy import TOY, surroundings

from fathom.core.experiment import Experiment
from fathom.core.recipe import Recipe
from fathom.engine import session
from fathom.engine.checkpoint import Checkpoints
from fathom.engine.manifest import verify
from fathom.engine.options import Options
from fathom.engine.runs import Run, open_run
from fathom.engine.weights import load_plain, load_safetensors

STEPS = 24
QUICK = {"precision": "fp32", "threads": "1"}  # nothing is measured


def start(folder: Path, recipe: Recipe = TOY, given: Any = None, **options: Any) -> Run:
    """Train from the beginning, with a checkpoint after each step unless `options` say else."""
    settings = Options(out=str(folder), **{**QUICK, "save_every": 1, **options})
    return session.start(recipe, given or {}, settings, surroundings(sys.stdout)[0])


def go_on(folder: Path, recipe: Recipe = TOY, given: Any = None, **options: Any) -> Run:
    """Resume the run of that folder."""
    around = surroundings(sys.stdout)[0]
    return session.resume(open_run(str(folder)), recipe, given or {}, options, around)


def finish(folder: Path, recipe: Recipe = TOY) -> None:
    """Bring a run that may have been killed at any instant to its end."""
    if (folder / "run.json").exists():
        go_on(folder, recipe)
    else:
        start(folder, recipe)


def altered(change: Callable[[Experiment], Experiment]) -> Recipe:
    """The toy with something about its experiment changed."""

    @functools.wraps(TOY.function)
    def function(**settings: Any) -> Experiment:
        return change(TOY.function(**settings))

    return replace(TOY, function=function)


def digest(folder: Path) -> str:
    """Of the final weights and buffers, optimiser, schedule, chance, and the whole loss list."""
    newest = list(steps(folder).values())[-1]
    verify(newest)
    state = load_plain(newest / "trainer.pt")
    history = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for row in history:
        del row["seconds"]
    found = hashlib.sha256()
    for part in (
        load_safetensors(folder / "model.safetensors"),
        load_safetensors(newest / "model.safetensors"),
        state["optimizer"],
        state["schedule"],
        state["random"],
        history,
    ):
        _add(found, part)
    return found.hexdigest()


def _add(found: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        found.update(f"{value.dtype} {tuple(value.shape)}".encode() + value.numpy().tobytes())
    elif isinstance(value, dict):
        for key in sorted(value, key=str):
            found.update(str(key).encode())
            _add(found, value[key])
    elif isinstance(value, list | tuple):
        found.update(str(len(value)).encode())
        for item in value:
            _add(found, item)
    else:
        found.update(repr(value).encode())


def steps(folder: Path) -> dict[int, Path]:
    """The committed checkpoints of a run."""
    return Checkpoints(folder / "checkpoints", {}, say=print).steps()


def leftovers(folder: Path) -> list[Path]:
    return list(folder.rglob("*.tmp-*"))


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory where there is one: thousands of small files are synced in it."""
    folder = Path(tempfile.mkdtemp(prefix="fathom-test-", dir=fast_folder()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
