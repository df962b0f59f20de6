"""Curves in a terminal: dots of Braille letters, or plain letters where those cannot be printed."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from rich.text import Text

from fathom.plots.series import Series, clock, curves, shown, spans_decades

COLOURS = ["bright_blue", "dark_orange", "green", "magenta"]  # of the terminal's own palette
LETTERS = "ox+*"
MARGIN = 9  # letters to the left of the axis
NARROWEST = 34  # a panel; two stand side by side where there is room
BRAILLE = 0x2800
# The bit of each dot of a Braille letter: four rows of two.
BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))

Line = list[tuple[str, str]]  # pieces of text, each with its style


def terminal_curves(
    records: Sequence[Mapping[str, Any]],
    *,
    width: int = 80,
    height: int = 16,
    encoding: str | None = None,
) -> Text:
    """Loss and accuracy over time, or whichever two quantities come first, each with its splits.

    At most `width` letters wide and, side by side, `height` lines high. `encoding` is that of the
    terminal (of stdout, if not given): anything but UTF-8 gets plain ASCII.
    """
    over = clock(records)
    found = list(curves(records, over).items())[:2]
    if not found:
        return Text("nothing measured yet")
    plain = "utf" not in (encoding or sys.stdout.encoding or "ascii").lower()
    beside = len(found) > 1 and width >= 2 * NARROWEST + 2
    each = (width - 2) // 2 if beside else width
    panels = [_panel(name, lines, over, max(each, 20), height, plain) for name, lines in found]
    rows = _beside(panels[0], panels[1], each + 2) if beside else [*chain(*panels)]
    text = Text(no_wrap=True)
    for number, row in enumerate(rows):
        text.append("\n" if number else "")
        for piece, style in row:
            text.append(piece, style)
    return text


def _beside(left: list[Line], right: list[Line], width: int) -> list[Line]:
    rows = []
    for one, other in zip(left, right, strict=True):
        used = sum(len(piece) for piece, _ in one)
        rows.append([*one, (" " * (width - used), ""), *other])
    return rows


def _panel(
    quantity: str, lines: Mapping[str, Series], over: str, width: int, height: int, plain: bool
) -> list[Line]:
    """A head that names the lines, the chart with its scale, and the x axis: `height` rows."""
    columns, rows = width - MARGIN - 1, max(height - 3, 2)
    logarithmic = spans_decades(quantity, lines.values())
    xs = [x for line in lines.values() for x in line.xs]
    ys = [y for line in lines.values() for y in line.ys]
    low, high = _limits(min(ys), max(ys), logarithmic)
    canvas = _Canvas(columns, rows, plain)
    for number, line in enumerate(lines.values()):
        across = [(x - min(xs)) / ((max(xs) - min(xs)) or 1) for x in line.xs]
        levels = [math.log10(y) if logarithmic else y for y in line.ys]
        canvas.draw(number, across, [(high - level) / (high - low) for level in levels])
    corner, rule, tick, wall = "+-+|" if plain else "└─┤│"
    scale = {
        row: shown(10**level if logarithmic else level)
        for row in sorted({0, rows // 2, rows - 1})
        for level in [high - (high - low) * row / max(rows - 1, 1)]
    }
    chart = [_head(quantity, lines, width, plain)]
    for row in range(rows):
        mark = tick if row in scale else wall
        edge = f"{scale.get(row, ''):>{MARGIN}}{mark}"
        chart.append([(edge, "dim"), *canvas.row(row)])
    first, last = f"{min(xs):g}", f"{max(xs):g} {over}"
    if min(xs) == max(xs):
        first = ""
    chart.append([(" " * MARGIN + corner + rule * columns, "dim")])
    chart.append([(" " * (MARGIN + 1) + first + last.rjust(columns - len(first)), "dim")])
    return chart


def _limits(low: float, high: float, logarithmic: bool) -> tuple[float, float]:
    """The scale's ends: those of the values, or of their logarithms; never one and the same."""
    if logarithmic:
        return math.log10(low), math.log10(high)
    spare = abs(high) * 0.05 or 1.0
    return (low, high) if high > low else (low - spare, high + spare)


def _head(quantity: str, lines: Mapping[str, Series], width: int, plain: bool) -> Line:
    head: Line = [("  ", ""), (quantity.replace("_", " "), "bold")]
    for number, (name, line) in enumerate(lines.items()):
        sign = LETTERS[number % len(LETTERS)] if plain else ("━━" if number == 0 else "╍╍")
        head.append((f"  {sign} {name} {shown(line.ys[-1])}", COLOURS[number % len(COLOURS)]))
    cut: Line = []
    for piece, style in head:
        cut.append((piece[:width], style))
        width -= len(cut[-1][0])
    return cut


class _Canvas:
    """Lines drawn in letters: each letter is 2 by 4 dots in Braille, one dot in ASCII.

    Where lines share a letter, its colour is the later one's.
    """

    def __init__(self, columns: int, rows: int, plain: bool) -> None:
        self.plain, self.columns = plain, columns
        self.dots_x, self.dots_y = (columns, rows) if plain else (2 * columns, 4 * rows)
        self.cells = [[(0, 0)] * columns for _ in range(rows)]  # what is drawn, by which line

    def draw(self, number: int, across: Sequence[float], down: Sequence[float]) -> None:
        """Join points, given as shares of the width and of the height."""
        points = [
            (round(x * (self.dots_x - 1)), round(y * (self.dots_y - 1)))
            for x, y in zip(across, down, strict=True)
        ]
        travelled = 0
        for (x0, y0), (x1, y1) in zip(points, points[1:] or points, strict=False):
            steps = max(abs(x1 - x0), abs(y1 - y0), 1)
            for step in range(steps + 1):
                # Every line but the first has gaps, so that they differ without colour too.
                if self.plain or number == 0 or (travelled + step) % 6 < 4:
                    x, y = x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps
                    self._dot(number, round(x), round(y))
            travelled += steps

    def _dot(self, number: int, x: int, y: int) -> None:
        if self.plain:
            self.cells[y][x] = (ord(LETTERS[number % len(LETTERS)]), number)
        else:
            bits = self.cells[y // 4][x // 2][0] | BITS[y % 4][x % 2]
            self.cells[y // 4][x // 2] = (bits, number)

    def row(self, row: int) -> Line:
        empty = 0 if self.plain else BRAILLE
        return [
            (chr(drawn + empty), COLOURS[number % len(COLOURS)]) if drawn else (" ", "")
            for drawn, number in self.cells[row]
        ]
