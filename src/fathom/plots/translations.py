"""Sentences and their translations as a picture."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from fathom.plots.style import BLUE, FAINT, INK, new_figure, styled

COLUMN, GAP = 44, 5  # characters in a line, and between the columns
CELL = 0.093, 0.21  # inches that a character takes


def side_by_side(pairs: Sequence[tuple[str, str]], title: str = "") -> Figure:
    """Each sentence in blue, its translation beside it in ink."""
    blocks = [[textwrap.wrap(text, COLUMN) or [""] for text in pair] for pair in pairs]
    rows = [max(map(len, block)) for block in blocks]
    lines = sum(rows) + 0.5 * (len(rows) - 1)
    width = 2 * COLUMN + GAP
    with styled():
        figure = new_figure(width * CELL[0] + 0.4, lines * CELL[1] + 0.4 + 0.3 * bool(title), title)
        axes = figure.add_subplot()
        axes.set(xlim=(0, width), ylim=(lines, 0))
        axes.set_axis_off()
        top = 0.0
        for block, height in zip(blocks, rows, strict=True):
            for left, colour, wrapped in zip((0, COLUMN + GAP), (BLUE, INK), block, strict=True):
                text = "\n".join(wrapped)
                style: dict[str, Any] = {
                    "family": "DejaVu Sans Mono",
                    "fontsize": 8.5,
                    "parse_math": False,
                }
                axes.text(left, top, text, va="top", color=colour, linespacing=1.45, **style)
            arrow: dict[str, Any] = {"ha": "center", "va": "top", "color": FAINT, "fontsize": 8.5}
            axes.text(COLUMN + GAP / 2, top, "→", **arrow)
            top += height + 0.5
    return figure
