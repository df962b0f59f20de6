"""Arrays as cells with their numbers in them: small ones, to be looked at side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fathom.plots.style import FAINT, INK, new_figure, styled

HIGH, GAP, LETTER = 0.34, 0.42, 0.085  # inches: a row of cells, between arrays, a letter
PLAIN, MARKED, COPIED = "#FFFFFF", "#DBEAFE", "#F1F5F9"
EDGE = "#8FA0B5"


@dataclass(frozen=True)
class Cells:
    """Rows of cells under a title.

    `marked` (row, column) are coloured; `copied` are pale: they are not in memory, but read
    again from another cell. `then` is written to the right: an operator.
    """

    title: str
    rows: Sequence[Sequence[Any]]
    marked: frozenset[tuple[int, int]] = frozenset()
    copied: frozenset[tuple[int, int]] = frozenset()
    then: str = ""

    @property
    def wide(self) -> float:
        """Inches of a cell."""
        return max(0.4, max(len(_text(cell)) for row in self.rows for cell in row) * LETTER + 0.14)

    @property
    def width(self) -> float:
        """Inches that the whole takes: its cells, or its title if that is longer."""
        columns = max(len(row) for row in self.rows)
        return max(columns * self.wide, max(map(len, self.title.splitlines())) * LETTER)


def side_by_side(lines: Sequence[Sequence[Cells]], *, title: str = "") -> Figure:
    """Each line of arrays from left to right, the lines below one another."""
    width = max(sum(a.width for a in line) + GAP * (len(line) - 1) for line in lines)
    heights = [_height(line) for line in lines]
    total = sum(heights) + GAP / 2 * (len(lines) - 1)
    with styled():
        figure = new_figure(width + 0.4, total + (0.7 if title else 0.35), title)
        axes = figure.add_subplot(anchor="NW")
        axes.set(xlim=(-0.02, width + 0.02), ylim=(-0.02, total + 0.02), aspect="equal")
        axes.set_axis_off()
        top = total
        for line, height in zip(lines, heights, strict=True):
            left = 0.0
            for array in line:
                _draw(axes, array, left, top - height, height - _head(line))
                left += array.width + GAP
            top -= height + GAP / 2
    return figure


def _head(line: Sequence[Cells]) -> float:
    return 0.18 * max(array.title.count("\n") + 1 for array in line) + 0.04


def _height(line: Sequence[Cells]) -> float:
    return max(len(array.rows) for array in line) * HIGH + _head(line)


def _draw(axes: Axes, array: Cells, left: float, bottom: float, room: float) -> None:
    """The cells at the middle of the room's height, the title right above them."""
    high = len(array.rows) * HIGH
    top = bottom + (room + high) / 2
    across = max(len(row) for row in array.rows) * array.wide
    for r, row in enumerate(array.rows):
        for c, cell in enumerate(row):
            copied = (r, c) in array.copied
            axes.add_patch(
                Rectangle(
                    (left + c * array.wide, top - (r + 1) * HIGH),
                    array.wide,
                    HIGH,
                    facecolor=MARKED if (r, c) in array.marked else COPIED if copied else PLAIN,
                    edgecolor=EDGE,
                    linewidth=0.9,
                    linestyle=(0, (2, 2)) if copied else "solid",
                    zorder=1 if copied else 2,
                )
            )
            axes.text(
                left + (c + 0.5) * array.wide,
                top - (r + 0.5) * HIGH,
                _text(cell),
                ha="center",
                va="center_baseline",
                fontsize=9,
                color=FAINT if copied else INK,
                parse_math=False,
                zorder=3,
            )
    axes.text(
        left, top + 0.05, array.title, va="bottom", fontsize=8.5, color=FAINT, parse_math=False
    )
    if array.then:
        middle = left + across + (array.width - across + GAP) / 2
        axes.text(middle, top - high / 2, array.then, ha="center", va="center", fontsize=12)


def _text(cell: Any) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)
