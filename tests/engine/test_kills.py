"""A run that is stopped at any instant goes on bit for bit: T1 to T4 and T17 of the scorecard."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from driving import STEPS, altered, digest, finish, go_on, leftovers, start, steps
from forked import Child, run
from toy import TOY, ToyBatches

from fathom.core import paths
from fathom.core.experiment import Experiment
from fathom.core.recipe import Recipe
from fathom.engine import manifest
from fathom.engine.checkpoint import Checkpoints
from fathom.engine.manifest import verify

KILLED = 128 + signal.SIGKILL


def end() -> None:
    """As the system does it: no handler, no `finally`, no flush."""
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.timeout(300)
def test_t01_fifty_kills_at_random_times(quick, undisturbed):
    expected, seconds = undisturbed
    chance = random.Random(1)
    killed = equal = 0
    for number in range(50):
        folder = quick / str(number)
        child = Child(start, folder)
        moment = chance.uniform(0.02, 0.95) * seconds
        while child.seconds() < moment:
            time.sleep(0.0005)
        child.kill()
        killed += child.wait().status == KILLED
        outcome = run(finish, folder)
        assert outcome.status == 0, outcome.output
        assert not leftovers(folder)
        equal += digest(folder) == expected
        shutil.rmtree(folder)
    assert equal == 50
    assert killed >= 35, "most kills came too late to test anything"


class Bytes:
    """Stands in for `open` while checkpoints are written: ends the process after so many bytes."""

    def __init__(self, last: int | None) -> None:
        self.last, self.seen = last, 0

    def open(self, path: Path, mode: str = "r", **words: Any) -> Any:
        file = open(path, mode, buffering=0 if "w" in mode else -1, **words)  # noqa: SIM115
        return Pen(self, file) if "w" in mode else file


class Pen:
    def __init__(self, bytes_: Bytes, file: Any) -> None:
        self.bytes, self.file = bytes_, file

    def write(self, data: Any) -> int:
        data = bytes(data)
        allowed = len(data) if self.bytes.last is None else self.bytes.last - self.bytes.seen
        self.file.write(data[:allowed])
        self.bytes.seen += len(data)
        if self.bytes.last is not None and self.bytes.seen > self.bytes.last:
            end()
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def __enter__(self) -> Pen:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()


def start_and_die(folder: Path, place: str | float, save: int) -> None:
    """Train, and end inside the save of that number at that place."""
    whole = Checkpoints.save
    saves = 0

    def counted(kept: Checkpoints, training: Any) -> Path | None:
        nonlocal saves
        if not (kept.folder / f"step-{training.clock.step:08d}").exists():
            saves += 1
            if saves == save:
                _arm(place, len_of_save(folder))
        return whole(kept, training)

    Checkpoints.save = counted  # type: ignore[method-assign]
    start(folder, save_every=2)


def _arm(place: str | float, size: int) -> None:
    if place == "fsync":
        os.fsync = lambda descriptor: end()
    elif place == "rename":
        os.replace = lambda *names: end()
    elif place == "prune":
        Checkpoints._prune = lambda *given: end()  # type: ignore[method-assign]
    else:
        manifest.open = Bytes(int(size * float(place))).open  # type: ignore[attr-defined]


def len_of_save(folder: Path) -> int:
    """Bytes of a checkpoint; the first one of a run is not yet there to be measured."""
    for path in steps(folder).values():
        return sum(file.stat().st_size for file in path.iterdir())
    return 10_000


@pytest.mark.parametrize("save", [1, 6, 12])
@pytest.mark.parametrize("place", [0.0, "one byte", 0.5, 0.99, "fsync", "rename", "prune"])
def test_t02_kill_inside_a_save(quick, undisturbed, place, save):
    if place == "one byte":
        place = 1 / 5000
    folder = quick / "run"
    assert run(start_and_die, folder, place, save).status == KILLED
    assert len(steps(folder)) >= min(save - 1, 3) + (place == "prune")
    for path in steps(folder).values():
        verify(path)
    outcome = run(finish, folder)
    assert outcome.status == 0, outcome.output
    assert not leftovers(folder)
    assert digest(folder) == undisturbed[0]


@pytest.mark.parametrize("write", [1, 3, 5])
def test_t02_kill_inside_the_papers(quick, undisturbed, write):
    """`run.json` and the weights are files of their own, written outside of checkpoints."""

    def dying(folder: Path) -> None:
        replaced, count = os.replace, 0

        def counted(*names: Any) -> None:
            nonlocal count
            count += not str(names[1]).rpartition("/")[2].startswith("step-")
            end() if count == write else replaced(*names)

        paths.os.replace = counted
        start(folder)

    folder = quick / "run"
    assert run(dying, folder).status == KILLED
    assert leftovers(folder)
    assert run(finish, folder).status == 0
    assert not leftovers(folder)
    assert digest(folder) == undisturbed[0]


def test_t03_order_of_system_calls(quick):
    """A kill does not test a power cut; only the order of the calls does."""
    calls = run(calls_of_a_run, quick / "run").result
    (commit,) = [i for i, call in enumerate(calls) if call == "rename step-00000024"]
    opened = max(i for i in range(commit) if calls[i] == "write model.safetensors")
    assert calls[opened : commit + 2] == [
        "write model.safetensors",
        "fsync model.safetensors",
        "write trainer.pt",
        "fsync trainer.pt",
        "write manifest.json",
        "fsync manifest.json",
        "fsync step-00000024.tmp",
        "rename step-00000024",
        "fsync checkpoints",
    ]
    pruned = [i for i, call in enumerate(calls) if call.startswith("rmtree")]
    assert [i for i in pruned if i > commit + 1]
    assert not [i for i in pruned if opened < i < commit + 2]
    assert calls.index("fsync run") < calls.index("write model.safetensors")


def calls_of_a_run(folder: Path) -> list[str]:
    calls: list[str] = []
    fsync, rename, rmtree = os.fsync, os.replace, shutil.rmtree

    def short(path: object) -> str:
        name, _, temporary = str(path).rpartition("/")[2].partition(".tmp-")
        return name + (".tmp" if temporary else "")

    def noted(word: str, function: Callable[..., Any], which: int) -> Callable[..., Any]:
        def call(*given: Any, **words: Any) -> Any:
            path = given[which]
            if isinstance(path, int):
                path = os.readlink(f"/proc/self/fd/{path}")
            calls.append(f"{word} {short(path)}")
            return function(*given, **words)

        return call

    os.fsync = noted("fsync", fsync, 0)
    os.replace = noted("rename", rename, 1)
    shutil.rmtree = noted("rmtree", rmtree, 0)  # type: ignore[assignment]

    def opened(path: Path, mode: str = "r", **words: Any) -> Any:
        if "w" in mode:
            calls.append(f"write {short(path)}")
        return open(path, mode, **words)

    manifest.open = opened  # type: ignore[attr-defined]
    start(folder)
    return calls


def signalled(at: int, *numbers: int) -> Any:
    """The toy; its process gets these signals while batch `at` is being fetched."""

    class Signalling(ToyBatches):
        sent = False

        def epoch(self, seed: int, epoch: int, first: int = 0) -> Any:
            for count, batch in enumerate(super().epoch(seed, epoch, first), 1 + first):
                if epoch * len(self) + count == at and not Signalling.sent:
                    Signalling.sent = True
                    for number in numbers:
                        os.kill(os.getpid(), number)
                yield batch

    return altered(
        lambda experiment: replace(experiment, train=Signalling(**vars(experiment.train)))
    )


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("at", [1, 13, 16, STEPS])
def test_t04_a_signal_saves_first(quick, undisturbed, number, status, at):
    folder = quick / "run"
    outcome = run(start_rarely_saved, folder, signalled(at, number))
    assert outcome.status == status, outcome.output
    assert f"saved step {at}; continue with `fathom resume {folder}`" in outcome.error
    assert list(steps(folder))[-1] == at
    assert run(finish, folder).status == 0
    assert digest(folder) == undisturbed[0]


def start_rarely_saved(folder: Path, recipe: Any) -> None:
    start(folder, recipe, save_every=None)


def test_t04_a_second_signal_ends_at_once(quick, undisturbed):
    folder = quick / "run"
    outcome = run(start, folder, signalled(13, signal.SIGINT, signal.SIGINT))
    assert outcome.status == 130
    assert "saved" not in outcome.output
    assert list(steps(folder))[-1] == 12
    assert run(finish, folder).status == 0
    assert digest(folder) == undisturbed[0]


def test_t17_resume_at_every_step(quick, undisturbed):
    assert run(start_and_keep_all, quick / "all", 1).status == 0
    assert run(start_and_keep_all, quick / "fifth", 5).status == 0
    for source, at in [("all", step) for step in range(STEPS + 1)] + [("fifth", 8), ("fifth", 16)]:
        folder = quick / "one"
        shutil.copytree(quick / source, folder)
        for step, path in steps(folder).items():
            if step != at:
                shutil.rmtree(path)
        outcome = run(go_on, folder)
        assert outcome.status == 0, outcome.output
        assert digest(folder) == undisturbed[0], f"resumed from step {at}"
        shutil.rmtree(folder)


def start_and_keep_all(folder: Path, every: int, recipe: Recipe = TOY) -> None:
    Checkpoints.__init__.__kwdefaults__["keep"] = 99
    start(folder, recipe, save_every=every)


def test_t17_resume_with_a_schedule_by_epoch(quick):
    """Within an epoch the schedule does not know how many of its updates are done."""

    def change(toy: Experiment) -> Experiment:
        halving = torch.optim.lr_scheduler.StepLR(toy.optimizer, 1, 0.5)
        return replace(toy, schedule=halving, schedule_per="epoch", patience=9, clip=0.5)

    recipe = altered(change)
    assert run(start_and_keep_all, quick / "all", 1, recipe).status == 0
    expected = digest(quick / "all")
    for at in (3, 8, 13, 20):
        folder = quick / "one"
        shutil.copytree(quick / "all", folder)
        for step, path in steps(folder).items():
            if step != at:
                shutil.rmtree(path)
        outcome = run(go_on, folder, recipe)
        assert outcome.status == 0, outcome.output
        assert digest(folder) == expected, f"resumed from step {at}"
        shutil.rmtree(folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_t17_resume_from_within_validation(quick, undisturbed, number):
    folder = quick / "run"

    class Signalling(ToyBatches):
        seen = 0

        def epoch(self, seed: int, epoch: int, first: int = 0) -> Any:
            for batch in super().epoch(seed, epoch, first):
                Signalling.seen += 1
                if Signalling.seen == 3:  # the second epoch's evaluation
                    os.kill(os.getpid(), number)
                yield batch

    recipe = altered(lambda toy: replace(toy, valid=Signalling(**vars(toy.valid))))
    outcome = run(start, folder, recipe)
    assert outcome.status == 128 + number, outcome.output
    assert list(steps(folder))[-1] == 16
    assert run(go_on, folder).status == 0
    assert digest(folder) == undisturbed[0]


def test_t17_nothing_to_do_after_the_last_step(quick, undisturbed):
    folder = quick / "run"
    assert run(start, folder).status == 0
    outcome = run(go_on, folder)
    assert outcome.status == 0
    assert "nothing to do" in outcome.output
    assert digest(folder) == undisturbed[0]


def test_t17_a_run_that_stopped_early_stays_stopped(quick):
    """Resuming it must not train another epoch before its patience is looked at."""
    constant = altered(lambda toy: replace(toy, patience=1, epochs=9, objective=flat_objective))
    folder = quick / "run"
    assert run(start, folder, constant).status == 0
    before = digest(folder)
    assert list(steps(folder))[-1] == 16
    outcome = run(go_on, folder, constant)
    assert outcome.status == 0, outcome.output
    assert digest(folder) == before


def flat_objective(outputs: Any, targets: Any) -> Any:
    return (outputs * 0).sum() + 1
