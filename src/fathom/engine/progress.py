"""Live progress: epoch, bar, loss and other values, examples per second, time left.

On a terminal one line that moves; elsewhere a line for each epoch. It goes to stderr, and asks
the device for values a few times a second only.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from fathom.engine.loop import Clock, Record
from fathom.engine.watchers import Watcher

REFRESH = 0.25
SECONDS_BETWEEN_LINES = 1.0


def number(value: float) -> str:
    """Four digits that matter: `0.4473`, `5.1e-05`, `1234`."""
    return f"{value:.4g}" if 1e-3 <= abs(value) < 1e5 or value == 0 else f"{value:.2e}"


def told(values: dict[str, float]) -> str:
    return "  ".join(f"{name.replace('_', ' ')} {number(value)}" for name, value in values.items())


def progress(
    clock: Clock, *, epochs: int, batches: int, examples: int, console: Console
) -> Watcher:
    """Show progress of `epochs` of `batches` with `examples` on `console`."""
    return (
        _bar(clock, epochs, batches, examples, console)
        if console.is_terminal
        else _lines(clock, epochs, batches, examples, console)
    )


def _bar(clock: Clock, epochs: int, batches: int, examples: int, console: Console) -> Watcher:
    def watch(records: Iterable[Record]) -> Iterator[Record]:
        columns = (
            TextColumn("epoch {task.fields[epoch]}/" + str(epochs)),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[values]}"),
            TextColumn("[dim]{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
        )
        with Progress(*columns, console=console, transient=True, auto_refresh=False) as bar:
            task = bar.add_task(
                "",
                total=epochs * batches,
                completed=clock.step,
                epoch=clock.epoch + 1,
                values="",
                rate="",
            )
            first, began, shown = clock.step, time.monotonic(), 0.0
            for record in records:
                now = time.monotonic()
                if record.split == "step" and now - shown > REFRESH:
                    rate = (clock.step - first) * examples / batches / max(now - began, 1e-9)
                    bar.update(
                        task,
                        completed=clock.step,
                        epoch=record.epoch,
                        values=told(clock.totals.means()),
                        rate=f"{rate:,.0f} examples/s",
                    )
                    bar.refresh()
                    shown = now
                yield record

    return watch


def _lines(clock: Clock, epochs: int, batches: int, examples: int, console: Console) -> Watcher:
    """A line for an epoch; of epochs that take no time, about one a second and the last."""

    def watch(records: Iterable[Record]) -> Iterator[Record]:
        seconds, step = clock.seconds, clock.step
        parts: list[str] = []
        due = -1.0
        for record in records:
            if record.split != "step":
                parts.append(f"{record.split} {told(dict(record.values))}")
            if record.ends_epoch and record.epoch < epochs and clock.seconds < due:
                seconds, step, parts = clock.seconds, record.step, []
            elif record.ends_epoch:
                share = (record.step - step) / batches  # less than 1 after a resume
                rate = share * examples / max(clock.seconds - seconds, 1e-9)
                parts += [f"{rate:,.0f} examples/s"] if share else []
                line = f"epoch {record.epoch}/{epochs}  {'  '.join(parts)}"
                console.print(line, highlight=False, soft_wrap=True)
                seconds, step, parts = clock.seconds, record.step, []
                due = clock.seconds + SECONDS_BETWEEN_LINES
            yield record

    return watch
