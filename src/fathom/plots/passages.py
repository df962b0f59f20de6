"""Text as a picture: what was given and how it goes on, and how surprising each character was."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from fathom.plots.style import BLUE, INK, VERMILION, new_figure, styled

COLUMNS = 64  # characters in a line
CELL = 0.105, 0.2  # inches that a character takes
_HEAT = LinearSegmentedColormap.from_list("surprise", ["#FFFFFF", "#FBE3CF", VERMILION])


def passages(pairs: Sequence[tuple[str, str]], title: str = "") -> Figure:
    """Each beginning in blue, what follows it in ink."""
    blocks = [(start, textwrap.wrap(start + rest, COLUMNS) or [""]) for start, rest in pairs]
    lines = sum(len(block) + 1 for _, block in blocks)
    height = CELL[1] * lines + (0.5 if title else 0.25)
    with styled():
        figure = new_figure(COLUMNS * CELL[0] + 0.4, height, title)
        axes = figure.add_subplot()
        axes.set(xlim=(0, COLUMNS), ylim=(lines, 0))
        axes.set_axis_off()
        row = 0
        for start, block in blocks:
            left = len(start)  # characters that are still the beginning's
            for line in block:
                for column, character in enumerate(line):
                    _letter(axes, column, row, character, BLUE if column < left else INK)
                left -= len(line) + 1
                row += 1
            row += 1
    return figure


def surprises(text: str, bits: Sequence[float], title: str = "") -> Figure:
    """The characters of `text`, each on the colour of the bits that it came as a surprise by."""
    rows = -(-len(text) // COLUMNS)
    worst = 8.0
    field = np.full((rows, COLUMNS), np.nan)
    field.flat[: len(text)] = bits
    with styled():
        figure = new_figure(COLUMNS * CELL[0] + 1.1, CELL[1] * 1.25 * rows + 0.7, title)
        axes = figure.add_subplot()
        image = axes.imshow(field, cmap=_HEAT, vmin=0, vmax=worst, aspect="auto")
        for place, character in enumerate(text):
            row, column = divmod(place, COLUMNS)
            _letter(axes, column - 0.5, row - 0.5, character, INK)
        axes.set_axis_off()
        bar = figure.colorbar(image, ax=axes, fraction=0.03, pad=0.02, label="bits", extend="max")
        bar.outline.set_visible(False)
    return figure


def _letter(axes, column: float, row: float, character: str, colour: str) -> None:  # type: ignore[no-untyped-def]
    shown = {"\n": "⏎", " ": "", "\t": ""}.get(character, character)
    if shown:
        style = {"fontsize": 8.5, "family": "DejaVu Sans Mono", "parse_math": False}
        axes.text(column + 0.5, row + 0.5, shown, ha="center", va="center", color=colour, **style)
