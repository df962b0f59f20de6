"""Sentences and their translations as a picture."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from fathom.plots.style import BLUE, FAINT, INK, new_figure, styled

COLUMN, GAP = 44, 5  # characters in a line at most, and between the columns
CELL = 0.0715, 0.21  # inches that a character takes


def side_by_side(pairs: Sequence[tuple[str, str]], title: str = "") -> Figure:
    """Each sentence in blue, its translation beside it in ink."""
    blocks = [
        [textwrap.wrap(text, COLUMN, break_on_hyphens=False) or [""] for text in pair]
        for pair in pairs
    ]
    rows = [max(map(len, block)) for block in blocks]
    lines = sum(rows) + 0.5 * (len(rows) - 1)
    left, right = (max(len(line) for block in blocks for line in block[n]) for n in (0, 1))
    width = left + GAP + right
    mono: dict[str, Any] = dict(family="DejaVu Sans Mono", fontsize=8.5, va="top")
    with styled():
        figure = new_figure(width * CELL[0] + 0.4, lines * CELL[1] + 0.4 + 0.3 * bool(title), title)
        axes = figure.add_subplot()
        axes.set(xlim=(0, width), ylim=(lines, 0))
        axes.set_axis_off()
        top = 0.0
        for (source, target), height in zip(blocks, rows, strict=True):
            for place, colour, wrapped in ((0, BLUE, source), (left + GAP, INK, target)):
                text = "\n".join(wrapped)
                axes.text(place, top, text, color=colour, linespacing=1.5, parse_math=False, **mono)
            axes.text(left + GAP / 2, top, "→", ha="center", color=FAINT, **mono)
            top += height + 0.5
    return figure
