"""Watchers look at records and pass them on: the journal, checkpoints, figures.

Each is a generator over records. None changes what is learned, so their order does not matter;
`watched` chains them and remembers which one an error came from.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from fathom.core.errors import FathomError
from fathom.engine.checkpoint import Checkpoints, Say, Training
from fathom.engine.guard import NonFiniteError
from fathom.engine.loop import Clock, Record
from fathom.engine.runs import Run

Watcher = Callable[[Iterable[Record]], Iterator[Record]]

SECONDS_BETWEEN_EPOCH_SAVES = 5.0
SECONDS_BETWEEN_STEP_SAVES = 60.0
SECONDS_BETWEEN_FIGURES = 10.0


class WatcherError(Exception):
    """An error of ours while looking on, its cause; `place` is "the watcher 'figures'"."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place


def watched(records: Iterator[Record], watchers: dict[str, Watcher]) -> Iterator[Record]:
    """`records` as seen by each watcher in turn.

    Raises WatcherError where a watcher raises; errors of the loop itself, and those that tell
    the user what to do (a full disk), pass unchanged.
    """
    source = _marked(records)
    for name, watcher in watchers.items():
        source = _named(name, watcher(source))
    return source


class _LoopError(Exception):
    """Carries an error of the loop past the watchers, so that none is blamed for it."""


def _marked(records: Iterator[Record]) -> Iterator[Record]:
    try:
        yield from records
    except Exception as error:
        raise _LoopError from error


def _named(name: str, records: Iterator[Record]) -> Iterator[Record]:
    try:
        yield from records
    except (_LoopError, WatcherError, FathomError, NonFiniteError):
        raise
    except Exception as error:
        raise WatcherError(f"the watcher '{name}'") from error


def unwrapped(records: Iterator[Record]) -> Generator[Record]:
    """The outermost link: gives back errors of the loop as they were raised."""
    try:
        yield from records
    except _LoopError as carrier:
        error = carrier.__cause__
        assert error is not None
        raise error from error.__cause__


def journal(run: Run, clock: Clock, say: Say) -> Watcher:
    """Append the records of each epoch to `metrics.jsonl`; say so once where that fails."""

    def watch(records: Iterable[Record]) -> Iterator[Record]:
        written, broken = len(clock.history), False
        for record in records:
            if record.ends_epoch:
                try:
                    for row in clock.history[written:]:
                        run.append_metrics(row)
                except OSError as error:
                    if not broken:
                        say(f"error: metrics.jsonl: {error.strerror}; training goes on without it")
                    broken = True
                written = len(clock.history)
            yield record

    return watch


def checkpoints(kept: Checkpoints, training: Training, *, every: int | None = None) -> Watcher:
    """Save at the ends of epochs, each `every` steps, and within long epochs each minute."""

    def watch(records: Iterable[Record]) -> Iterator[Record]:
        saved = time.monotonic()
        for record in records:
            age = time.monotonic() - saved
            if record.split == "step":
                due = record.step % every == 0 if every else age > SECONDS_BETWEEN_STEP_SAVES
            else:
                often = every is not None or age > SECONDS_BETWEEN_EPOCH_SAVES
                due = record.ends_epoch and often
            if due:
                kept.save(training)
                saved = time.monotonic()
            yield record

    return watch


def figures(draw: Callable[[list[dict[str, Any]]], None], clock: Clock) -> Watcher:
    """Draw the curves so far, at most every few seconds: drawing costs more than a small epoch."""

    def watch(records: Iterable[Record]) -> Iterator[Record]:
        drawn = time.monotonic()
        for record in records:
            if record.ends_epoch and time.monotonic() - drawn > SECONDS_BETWEEN_FIGURES:
                draw(clock.history)
                drawn = time.monotonic()
            yield record

    return watch


def stale(history: list[dict[str, Any]], patience: int) -> bool:
    """Whether the loss on `valid` has not fallen for `patience` epochs."""
    losses = [row["loss"] for row in history if row["split"] == "valid"]
    losses = [math.inf if math.isnan(loss) else loss for loss in losses]
    return len(losses) > patience and min(losses[-patience:]) >= min(losses[:-patience])
