"""Workers, memory, watchers and reports that fail: T13, T14, T19 of the scorecard."""

from __future__ import annotations

import json
import math
import os
import re
import resource
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from driving import altered, digest, go_on, start, steps
from forked import Child, run
from toy import TOY, ToyBatches, toy_data

from fathom.core.errors import WorkerError
from fathom.core.experiment import Experiment
from fathom.core.recipe import Recipe
from fathom.data.workers import WorkerBatches
from fathom.engine import fit
from fathom.engine.loop import Record
from fathom.engine.runs import killed_before, open_run


def with_batches(change: Any, split: str = "train") -> Recipe:
    """The toy whose batches call `change(epoch, number)` before each is given."""

    class Batches(ToyBatches):
        def epoch(self, seed: int, epoch: int, first: int = 0) -> Iterator[Any]:
            for number, batch in enumerate(super().epoch(seed, epoch, first), first):
                change(epoch, number)
                yield batch

    return altered(lambda toy: replace(toy, **{split: Batches(**vars(getattr(toy, split)))}))


def worker_dies(epoch: int, number: int) -> None:
    if (epoch, number) == (1, 4):
        raise WorkerError("worker 1", "died (signal 9) while reading samples 80-83", "see log")


@pytest.mark.parametrize("every", [1, None])
def test_t13_a_worker_that_fails_leaves_a_saved_state(quick, undisturbed, every):
    def rarely() -> None:
        start(quick / "run", with_batches(worker_dies), save_every=every)

    outcome = run(rarely)
    assert outcome.status == 6
    assert outcome.error == "error: worker 1: died (signal 9) while reading samples 80-83; see log"
    assert "saved step 12" in outcome.output
    assert list(steps(quick / "run"))[-1] == 12
    papers = json.loads((quick / "run" / "run.json").read_text())
    assert papers["status"] == "failed"
    assert "worker 1" in papers["error"]
    assert "Traceback" in (quick / "run" / "log.txt").read_text()
    assert run(go_on, quick / "run").status == 0
    assert digest(quick / "run") == undisturbed[0]


def test_t13_a_worker_that_fails_in_validation(quick, undisturbed):
    calls = []

    def dies(epoch: int, number: int) -> None:
        calls.append(number)
        if len(calls) == 4:
            raise WorkerError("worker 0", "hangs since 3 s", "see log")

    assert run(start, quick / "run", with_batches(dies, "valid")).status == 6
    assert list(steps(quick / "run"))[-1] == 16
    assert run(go_on, quick / "run").status == 0
    assert digest(quick / "run") == undisturbed[0]


@dataclass(frozen=True)
class Read:
    """The toy's samples, one by one; `trouble` is asked before each. Inputs are bytes here."""

    trouble: Any = None
    split = "train"
    shape = (6,)

    @property
    def labels(self) -> torch.Tensor:
        return toy_data()[1]

    def __len__(self) -> int:
        return 48

    def read(self, index: int) -> torch.Tensor:
        if self.trouble is not None:
            self.trouble(index)
        return (toy_data()[0][index] * 40 + 120).to(torch.uint8)

    def fingerprint(self) -> str:
        return "read"


def read_by(workers: int, trouble: Any = None) -> Recipe:
    batches = WorkerBatches(Read(trouble), batch_size=6, workers=workers)
    return altered(lambda toy: replace(toy, train=batches))


def test_t18_any_number_of_workers_gives_the_same_run(quick):
    found = set()
    for workers in (0, 2, 3):
        outcome = run(start, quick / str(workers), read_by(workers))
        assert outcome.status == 0, outcome.output
        found.add(digest(quick / str(workers)))
    assert len(found) == 1


def test_t13_a_worker_that_is_killed(quick):
    """The rest is done by another number of workers, and gives the undisturbed run's bits."""
    marker = quick / "met once"

    def dies(index: int) -> None:
        if index == 30 and marker.exists():
            os.kill(os.getpid(), signal.SIGKILL)
        if index == 30:
            marker.touch()

    outcome = run(start, quick / "run", read_by(2, dies))
    assert outcome.status == 6, outcome.output
    assert "died (signal 9) while reading samples" in outcome.error
    saved = list(steps(quick / "run"))[-1]
    assert f"saved step {saved}" in outcome.output
    assert run(go_on, quick / "run", read_by(3)).status == 0
    assert run(start, quick / "whole", read_by(0)).status == 0
    assert digest(quick / "run") == digest(quick / "whole")


def test_t04_a_signal_for_workers_too(quick):
    """A shell or a scheduler ends the whole group: that is a stop, not the death of a worker."""
    marker = quick / "met once"

    def ended(index: int) -> None:
        if index == 30 and marker.exists():
            os.kill(os.getppid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)
        if index == 30:
            marker.touch()

    outcome = run(start, quick / "run", read_by(2, ended))
    assert outcome.status == 143, outcome.output
    assert re.search(r"saved step \d+; continue with", outcome.error)
    assert run(go_on, quick / "run", read_by(2)).status == 0
    assert run(start, quick / "whole", read_by(0)).status == 0
    assert digest(quick / "run") == digest(quick / "whole")


def test_t20_workers_that_outlive_their_parent_hold_no_lock(quick):
    """They notice within seconds that they are alone; the folder is free at once."""
    ready = quick / "ready"

    def hangs(index: int) -> None:
        if index == 40:
            ready.touch()
            time.sleep(5)

    child = Child(start, quick / "run", read_by(2, hangs))
    while not ready.exists():
        time.sleep(0.005)
    child.kill()
    assert child.wait().status == 137
    found = open_run(str(quick / "run"))
    found.lock()
    found.unlock()


def greedy(much: int) -> Recipe:
    """The toy whose fifth update asks for that many bytes."""

    def asks(epoch: int, number: int) -> None:
        if number == 4:
            torch.empty(much, dtype=torch.uint8)

    return with_batches(asks)


def start_in_little_room(folder: Path) -> None:
    size = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
    resource.setrlimit(resource.RLIMIT_AS, (size + 2**28, size + 2**28))
    start(folder, greedy(2**30))


@pytest.mark.parametrize("how", ["limit", "absurd"])
def test_t14_a_refused_allocation(quick, how):
    if how == "limit":
        outcome = run(start_in_little_room, quick / "run")
    else:
        outcome = run(start, quick / "run", greedy(2**48))
    assert outcome.status == 7, outcome.output
    expected = "error: step 5: not enough memory on cpu for batches of 6; try --batch-size "
    assert outcome.error.startswith(expected)
    assert int(outcome.error.removeprefix(expected)) < 6
    assert list(steps(quick / "run"))[-1] == 4


def test_t14_a_model_too_large_to_build(quick):
    def builds(toy: Experiment) -> Experiment:
        torch.empty(2**48, dtype=torch.uint8)
        return toy

    outcome = run(start, quick / "run", altered(builds))
    assert outcome.status == 7, outcome.output
    assert "not enough memory" in outcome.error
    assert "try a smaller" in outcome.error


def test_t14_killed_by_the_system(quick, monkeypatch, undisturbed):
    """A process that was killed says nothing; its papers do, at the next start."""
    monkeypatch.setenv("FATHOM_RUNS", str(quick))

    def killed(epoch: int, number: int) -> None:
        if (epoch, number) == (1, 4):
            os.kill(os.getpid(), signal.SIGKILL)

    folder = quick / "toy" / "001"
    assert killed_before("toy") is None
    assert run(start, folder, with_batches(killed)).status == 137
    found = killed_before("toy")
    assert found is not None
    assert found.folder == folder
    outcome = run(go_on, folder)
    assert "the last process was killed (out of memory?); going on" in outcome.output
    assert "going on from step 12" in outcome.output
    assert killed_before("toy") is None
    assert digest(folder) == undisturbed[0]
    outcome = run(go_on, folder)
    assert "killed" not in outcome.output


def with_watcher(folder: Path, watch: Any) -> None:
    """Train with one more watcher, between the others."""
    whole = fit._watchers

    def more(*given: Any) -> Any:
        others = list(whole(*given).items())
        return dict([*others[:2], ("mine", watch), *others[2:]])

    fit._watchers = more
    start(folder, save_every=None)


def watcher(hook: str) -> Any:
    """One that raises at the start, at a step, at an epoch's end, when done or when closed."""

    def watch(records: Iterable[Record]) -> Iterator[Record]:
        fail(hook == "start")
        try:
            for record in records:
                fail(hook == "step" and record.step == 13)
                fail(hook == "epoch" and record.ends_epoch and record.epoch == 2)
                yield record
        finally:
            fail(hook == "end")

    return watch


def fail(now: bool) -> None:
    if now:
        raise RuntimeError(f"a wire is loose\nand more {math.pi}")


@pytest.mark.parametrize(("hook", "step"), [("start", 0), ("step", 13), ("epoch", 16), ("end", 24)])
def test_t19_a_watcher_that_raises(quick, undisturbed, hook, step):
    folder = quick / "run"
    outcome = run(with_watcher, folder, watcher(hook))
    assert outcome.status == 1, outcome.output
    told = f"RuntimeError in the watcher 'mine' after step {step}: a wire is loose; this is a bug"
    assert told in outcome.error
    assert f"saved step {step}" in outcome.output
    assert list(steps(folder)) == [step]
    assert "and more 3.14" in (folder / "log.txt").read_text()
    assert run(go_on, folder).status == 0
    assert digest(folder) == undisturbed[0]


def test_t19_a_metric_that_raises_or_is_nan(quick):
    def bad(outputs: Any, targets: Any) -> Any:
        raise KeyError("no such class")

    recipe = altered(lambda toy: replace(toy, metrics={"odd": bad}))
    outcome = run(start, quick / "raises", recipe)
    assert outcome.status == 1
    assert "KeyError: 'no such class'; this is a bug: please report it" in outcome.error
    assert "in bad" in (quick / "raises" / "log.txt").read_text()

    recipe = altered(lambda toy: replace(toy, metrics={"odd": lambda o, t: o.sum() * math.nan}))
    outcome = run(start, quick / "nan", recipe)
    assert outcome.status == 0, outcome.output
    assert "odd nan" in outcome.output
    final = json.loads((quick / "nan" / "run.json").read_text())["final"]
    assert final["train"]["odd"] is None
    assert math.isfinite(final["train"]["loss"])


def test_t19_a_report_that_raises(quick, undisturbed):
    def report(model: Any) -> Any:
        raise ValueError("no attention to show")

    recipe = altered(lambda toy: replace(toy, report=report))
    outcome = run(start, quick / "run", recipe)
    assert outcome.status == 1
    assert "ValueError in the recipe's report: no attention to show" in outcome.error
    assert digest(quick / "run") == undisturbed[0]


def test_t19_a_journal_that_is_gone(quick, undisturbed):
    """Said once; training goes on, and a resume writes the journal anew."""
    folder = quick / "run"

    def vanishes(epoch: int, number: int) -> None:
        if (epoch, number) == (1, 4):
            (folder / "metrics.jsonl").unlink()
            (folder / "metrics.jsonl").mkdir()

    outcome = run(start, folder, with_batches(vanishes))
    assert outcome.status == 0, outcome.output
    assert outcome.output.count("error: metrics.jsonl: Is a directory; training goes on") == 1
    (folder / "metrics.jsonl").rmdir()
    assert run(go_on, folder).status == 0
    assert digest(folder) == undisturbed[0]
    assert open_run(str(folder)).facts["status"] == "done"


def test_the_toy_is_what_it_says():
    assert TOY.name == "toy"
