"""Downloads as a bar on stderr, whichever verb they happen in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from fathom.cli.output import stderr


@contextmanager
def shown_downloads() -> Iterator[None]:
    """Within its block each file that is fetched has a line: how much, how fast, how long."""
    from fathom.data.sources import reporting

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
    )
    tasks: dict[str, TaskID] = {}
    bar = Progress(*columns, console=stderr(), transient=True)

    def progress(name: str, done: int, size: int) -> None:
        if name not in tasks:
            bar.start()
            tasks[name] = bar.add_task(name, total=size)
        bar.update(tasks[name], completed=done)
        if done >= size and bar.finished:
            bar.stop()

    try:
        with reporting(progress):
            yield
    finally:
        if tasks:  # stopping a bar that was never shown prints an empty line
            bar.stop()
