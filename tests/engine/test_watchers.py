"""Watchers look and change nothing: progress, journal, checkpoints, figures, early stopping."""

from __future__ import annotations

import io
import json
import math
from types import SimpleNamespace

import pytest
import torch
from driving import altered, go_on, start, steps
from forked import run
from rich.console import Console
from toy import TOY

from fathom.core.errors import ResourceError
from fathom.engine import watchers
from fathom.engine.loop import Clock, Record
from fathom.engine.progress import number, progress, told
from fathom.engine.runs import create
from fathom.engine.watchers import WatcherError, stale, unwrapped, watched


def records_of(epochs: int, clock: Clock | None = None, batches: int = 2):
    """What a loop would yield, and the clock that it would move."""
    clock = clock or Clock()
    for epoch in range(clock.epoch + 1, epochs + 1):
        for _ in range(clock.batch, batches):
            clock.step, clock.batch = clock.step + 1, clock.batch + 1
            clock.seconds += 0.5
            loss = torch.tensor(1 / clock.step)
            clock.totals.add({"loss": loss}, 1)
            yield Record(clock.step, epoch, "step", {"loss": loss})
        clock.epoch, clock.batch = epoch, 0
        for split, loss in (("train", 0.25), ("valid", 0.5)):
            clock.history.append({"step": clock.step, "epoch": epoch, "split": split, "loss": loss})
        clock.totals.clear()
        yield Record(clock.step, epoch, "train", {"loss": 0.25})
        yield Record(clock.step, epoch, "valid", {"loss": 0.5, "a_b": 1e-7}, ends_epoch=True)


def shown(clock: Clock, *, terminal: bool) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=100)
    watch = progress(clock, epochs=3, batches=2, examples=20, console=console)
    assert list(watch(records_of(3, clock)))[-1].step == 6
    return file.getvalue()


def test_progress_lines():
    lines = shown(Clock(), terminal=False).splitlines()
    assert len(lines) == 3
    assert lines[0] == "epoch 1/3  train loss 0.25  valid loss 0.5  a b 1.00e-07  20 examples/s"
    assert lines[2].startswith("epoch 3/3  ")


def test_progress_lines_after_a_resume_within_an_epoch():
    """The rate counts what this process has seen."""
    clock = Clock(epoch=1, batch=1, step=3, seconds=7.0)
    lines = shown(clock, terminal=False).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("epoch 2/3  ")
    assert lines[0].endswith("20 examples/s")


def test_a_progress_bar_moves_and_leaves_nothing(monkeypatch):
    monkeypatch.setattr("fathom.engine.progress.REFRESH", -1.0)
    text = shown(Clock(), terminal=True)
    assert "epoch 2/3" in text
    assert "examples/s" in text
    assert text.rstrip().endswith("\x1b[2K")  # erased at the end


def test_numbers_for_people():
    assert [number(x) for x in (0, 0.44731, 5.1e-5, 1234.4, -0.5, 1e7)] == [
        "0",
        "0.4473",
        "5.10e-05",
        "1234",
        "-0.5",
        "1.00e+07",
    ]
    assert number(math.nan) == "nan"
    assert told({"gradient_norm": 2.0, "loss": 1.0}) == "gradient norm 2  loss 1"


def test_records_pass_unchanged():
    clock = Clock()
    source = list(records_of(2))
    names = [watchers.figures(lambda history: None, clock)] * 3
    passed = list(unwrapped(watched(iter(source), dict(zip("abc", names, strict=True)))))
    assert all(one is other for one, other in zip(passed, source, strict=True))


def test_the_journal_is_written_once_an_epoch(tmp_path):
    clock, run_ = Clock(), create("toy", str(tmp_path / "run"))
    watch = watchers.journal(run_, clock, print)
    rows = []
    for record in watch(records_of(2, clock)):
        rows.append((record.split, len(run_.metrics())))
    assert rows == [
        *[("step", 0)] * 2,
        ("train", 0),
        ("valid", 2),
        *[("step", 2)] * 2,
        ("train", 2),
        ("valid", 4),
    ]
    assert run_.metrics() == clock.history


def saves_of(every: int | None, monkeypatch, seconds: float) -> list[int]:
    """At which steps checkpoints are saved, where each record takes so many seconds."""
    now = 0.0

    def monotonic() -> float:
        nonlocal now
        now += seconds
        return now

    monkeypatch.setattr(watchers.time, "monotonic", monotonic)
    clock, saved = Clock(), []
    kept = SimpleNamespace(save=lambda training: saved.append(training.clock.step))
    training = SimpleNamespace(clock=clock)
    watch = watchers.checkpoints(kept, training, every=every)
    list(watch(records_of(3, clock, batches=10)))
    return saved


def test_checkpoints_are_due(monkeypatch):
    assert saves_of(None, monkeypatch, 0.01) == []
    assert saves_of(None, monkeypatch, 0.5) == [10, 20, 30]
    assert saves_of(None, monkeypatch, 21.0) == [3, 6, 9, 10, 13, 16, 19, 20, 23, 26, 29, 30]
    assert saves_of(4, monkeypatch, 0.01) == [4, 8, 10, 12, 16, 20, 20, 24, 28, 30]


def test_figures_are_drawn_now_and_then(monkeypatch):
    now = 0.0

    def monotonic() -> float:
        nonlocal now
        now += 3.0
        return now

    monkeypatch.setattr(watchers.time, "monotonic", monotonic)
    drawn: list[int] = []
    clock = Clock()
    watch = watchers.figures(lambda history: drawn.append(history[-1]["epoch"]), clock)
    list(watch(records_of(12, clock)))
    assert drawn == [4, 8, 12]


def test_errors_of_the_loop_pass_as_they_were():
    def failing():
        yield Record(1, 1, "step", {})
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise ValueError("of the loop") from error

    watch = watchers.figures(lambda history: None, Clock())
    with pytest.raises(ValueError, match="of the loop") as error:
        list(unwrapped(watched(failing(), {"a": watch, "b": watch})))
    assert isinstance(error.value.__cause__, KeyError)


@pytest.mark.parametrize("raised", [RuntimeError("mine"), ResourceError("disk", "full", "free it")])
def test_errors_of_a_watcher_name_it(raised):
    def watch(records):
        for record in records:
            yield record
            raise raised

    passes = watchers.figures(lambda history: None, Clock())
    chain = unwrapped(watched(records_of(1), {"a": passes, "b": watch, "c": passes}))
    if isinstance(raised, ResourceError):
        with pytest.raises(ResourceError, match="disk: full"):
            list(chain)
    else:
        with pytest.raises(WatcherError, match="the watcher 'b'") as error:
            list(chain)
        assert error.value.__cause__ is raised


def losses(*values: float) -> list[dict]:
    return [{"split": s, "loss": v} for v in values for s in ("train", "valid")]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((), False),
        ((3.0, 2.0), False),
        ((3.0, 2.0, 1.0), False),
        ((1.0, 2.0, 3.0), True),
        ((1.0, 1.0, 1.0), True),
        ((3.0, 1.0, 2.0), False),
        ((2.0, math.nan, math.nan), True),
        ((math.nan, 2.0, 1.0), False),
    ],
)
def test_stale_after_two_epochs_without_progress(values, expected):
    assert stale(losses(*values), 2) is expected


def test_early_stopping_goes_on_with_more_patience(quick):
    from dataclasses import replace

    def flat(outputs, targets):
        return (outputs * 0).sum() + 1

    tired = altered(lambda toy: replace(toy, epochs=9, objective=flat, patience=1))
    patient = altered(lambda toy: replace(toy, epochs=9, objective=flat, patience=3))
    assert run(start, quick / "run", tired).status == 0
    assert list(steps(quick / "run"))[-1] == 16
    assert run(go_on, quick / "run", patient).status == 0
    assert list(steps(quick / "run"))[-1] == 32
    rows = [json.loads(x) for x in (quick / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows if row["split"] == "valid"] == [1, 2, 3, 4]


def test_quiet_says_nothing(quick):
    def quietly() -> None:
        start(quick / "run", TOY, quiet=True)

    outcome = run(quietly)
    assert outcome.status == 0
    assert outcome.output == ""
