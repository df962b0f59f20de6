"""What a verb answers: a document for machines and a page for people.

Results go to stdout; progress, messages and errors to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Answer:
    """`document` is printed with `--json`, `page` otherwise; `exit_status` is the process's."""

    document: Any
    page: Callable[[Console], None]
    exit_status: int = 0


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """rich's hook: whoever reads us has seen enough, which is no failure of ours."""
        raise  # noqa: PLE0704 - the BrokenPipeError that rich has just caught


def stdout() -> Console:
    """As wide as the terminal; in a file or a pipe wide enough not to break lines."""
    return _Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def stderr() -> Console:
    return Console(stderr=True, highlight=False)


def print_json(document: Any) -> None:
    """One document; JSON has no NaN and no infinity, which become null."""
    from fathom.engine.runs import plain

    narrow = "utf" not in (sys.stdout.encoding or "utf-8").lower()
    print(json.dumps(plain(document), indent=2, ensure_ascii=narrow, allow_nan=False))


def print_error(text: str) -> None:
    """One line, whatever the text holds."""
    print("error: " + " ".join(text.split()), file=sys.stderr)


def table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, right: Sequence[int] = ()
) -> Table:
    """A plain table; columns whose numbers are in `right` are flush right and never broken.

    Where there are none of these, the first column, of names, is not broken. Words are flush
    left wherever they stand.
    """
    found = Table(box=None, header_style="bold", pad_edge=False, show_header=any(columns))
    for index, column in enumerate(columns):
        words = all(_is_word(row[index]) for row in rows)
        justify: Literal["left", "right"] = "right" if index in right and not words else "left"
        narrow = index in right if len(right) else index == 0
        found.add_column(column, justify=justify, overflow="fold", no_wrap=narrow)
    for row in rows:
        # As text, not markup: a folder may well be called [new].
        found.add_row(*(Text(shown(cell)) for cell in row))
    return found


def _is_word(cell: Any) -> bool:
    """Whether it is text, and not that of a number (`1.5`, `-3 MB`)."""
    return isinstance(cell, str) and not cell.lstrip("+-.~ ")[:1].isdigit()


def shown(cell: Any) -> str:
    """A cell as people read it."""
    if cell is None:
        return "-"
    if isinstance(cell, list):
        return ",".join(map(shown, cell))
    if isinstance(cell, float):
        return f"{cell:,.0f}" if 1e4 <= abs(cell) < 1e12 else f"{cell:.4g}"
    return str(cell)


def short(path: Any) -> str:
    """A path relative to where we are, when that is shorter."""
    text = os.fspath(path)
    relative = os.path.relpath(text)
    return relative if len(relative) < len(text) else text
