"""Trees: what a thing is made of, and what those are made of, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fathom.plots.style import COLOURS, FAINT, INK, new_figure, readable, styled

LINE, INDENT, LETTER = 0.25, 0.24, 0.083  # inches: a line's height, a level's, a letter's width


class Branch(NamedTuple):
    """A line of a tree: how deep it is, its name, what it is, and which of the groups it is in."""

    depth: int
    name: str
    note: str = ""
    group: int | None = None


def trees(
    panels: Sequence[tuple[str, Sequence[Branch]]], *, groups: Sequence[str] = (), title: str = ""
) -> Figure:
    """Trees beside each other, each under its name; a dot's colour says the group."""
    widths = [_width(name, tree) for name, tree in panels]
    rows = max(len(tree) for _, tree in panels) + 1
    width, height = sum(widths) + 0.3 * (len(panels) - 1), rows * LINE + 0.1
    foot = LINE if groups else 0.0
    with styled():
        figure = new_figure(width + 0.4, height + foot + (0.65 if title else 0.3), title)
        axes = figure.add_subplot(anchor="NW")
        axes.set(xlim=(-0.08, width), ylim=(-height - foot, 0), aspect="equal")
        axes.set_axis_off()
        left = 0.0
        for (name, tree), wide in zip(panels, widths, strict=True):
            axes.text(left - 0.04, -LINE / 2, name, va="center", color=INK, fontweight="bold")
            _draw(axes, tree, left, left + wide)
            left += wide + 0.3
        left = 0.0
        for number, word in enumerate(groups):
            axes.plot(left, -height - foot / 2, "o", color=COLOURS[number], markersize=6)
            axes.text(left + 0.1, -height - foot / 2, word, va="center", color=FAINT, fontsize=8.5)
            left += len(word) * LETTER + 0.35
    return figure


def _width(name: str, tree: Sequence[Branch]) -> float:
    texts = [branch.depth * INDENT + 0.1 + len(branch.name) * LETTER for branch in tree]
    notes = max(len(branch.note) for branch in tree) * LETTER * 0.92
    return max(max(texts) + 0.2 + notes, len(name) * LETTER * 1.15)


def _draw(axes: Axes, tree: Sequence[Branch], left: float, right: float) -> None:
    above: dict[int, float] = {}  # where the last branch of each depth is
    notes = right - max(len(branch.note) for branch in tree) * LETTER * 0.92
    for number, branch in enumerate(tree, 1):
        x, y = left + branch.depth * INDENT, -(number + 0.5) * LINE
        if branch.depth:
            parent = x - INDENT
            axes.plot([parent, parent, x], [above[branch.depth - 1], y, y], color="#B5B5B5", lw=0.9)
        above[branch.depth] = y
        colour = FAINT if branch.group is None else COLOURS[branch.group]
        axes.plot(x, y, "o", color=colour, markersize=6, zorder=3)
        axes.text(x + 0.1, y, branch.name, va="center", fontsize=9, color=INK, parse_math=False)
        axes.text(notes, y, branch.note, va="center", fontsize=8.5, color=readable(FAINT))
