"""Curves of training: what was measured, over time, on each split; of one run or of several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fathom.plots.labels import End, label_ends, logarithmic, whole_numbers
from fathom.plots.series import Series, clock, curves, shown, spans_decades
from fathom.plots.style import COLOURS, DASHES, FAINT, MARKERS, new_axes, new_figure, styled

PANEL = 3.9, 2.9  # inches
MOST_IN_A_ROW = 3
FEW = 25  # points that are still told apart: each gets a marker

Records = Sequence[Mapping[str, Any]]


def training_curves(records: Records, title: str = "") -> Figure:
    """One panel for each quantity, all splits in it together, each named at its end with its last
    value. A loss that spans more than two decades is drawn on a logarithmic axis.

    `records` are rows of `metrics.jsonl`: `step`, `epoch`, `split`, and values by name.
    """
    over = clock(records)
    found = curves(records, over)
    columns = min(max(len(found), 1), MOST_IN_A_ROW)
    rows = max(1, math.ceil(len(found) / columns))
    splits = list(dict.fromkeys(split for lines in found.values() for split in lines))
    with styled():
        # A single panel is wider: the title and the names at the ends want their room.
        width = PANEL[0] * columns + (1.2 if columns == 1 else 0)
        figure = new_figure(width, PANEL[1] * rows + (0.35 if title else 0), title)
        for number, (name, lines) in enumerate(found.items(), 1):
            axes = figure.add_subplot(rows, columns, number)
            axes.set_title(name.replace("_", " "))
            axes.set_xlabel(over)
            styles = {split: splits.index(split) for split in lines}
            _draw(axes, name, lines, styles, PANEL[1])
        if not found:
            _nothing(figure)
    return figure


def compare_curves(
    runs: Mapping[str, Records], quantity: str = "loss", *, split: str | None = None
) -> Figure:
    """One quantity of several runs in one chart, each named at its end with its last value.

    Of the splits of a run, `split`; without it `valid`, or whichever was measured first.
    """
    over = "epoch" if all(clock(rows) == "epoch" for rows in runs.values()) else "step"
    lines = {}
    for name, rows in runs.items():
        found = curves(rows, over).get(quantity, {})
        chosen = split or ("valid" if "valid" in found else next(iter(found), ""))
        if chosen in found:
            lines[name] = found[chosen]
    styles = {name: number for number, name in enumerate(runs)}
    height = max(3.4, 0.24 * len(lines) + 1.2)
    with styled():
        figure, axes = new_axes(6.6, height, quantity.replace("_", " "))
        axes.set_xlabel(over)
        if lines:
            _draw(axes, quantity, lines, styles, height)
        else:
            figure.clear()
            _nothing(figure)
    return figure


def _draw(
    axes: Axes,
    quantity: str,
    lines: Mapping[str, Series],
    styles: Mapping[str, int],
    height: float,
) -> None:
    ends = []
    for name, line in lines.items():
        number = styles[name]
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(
            line.xs,
            line.ys,
            color=colour,
            # The dashes shift against the colours, so that the eighth line is not the first.
            linestyle=DASHES[(number + number // len(COLOURS)) % len(DASHES)],
            marker=MARKERS[number % len(MARKERS)] if len(line.xs) <= FEW else None,
            markersize=3.6,
        )
        ends.append(End(line.xs[-1], line.ys[-1], f"{name} {shown(line.ys[-1])}".strip(), colour))
    if spans_decades(quantity, lines.values()):
        logarithmic(axes)
    elif "accuracy" in quantity:
        axes.set_ylim(top=min(axes.get_ylim()[1], 1.0))
    whole_numbers(axes)
    label_ends(axes, ends, height)


def _nothing(figure: Figure) -> None:
    figure.text(0.5, 0.45, "nothing measured yet", ha="center", color=FAINT)
