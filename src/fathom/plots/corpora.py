"""What a text is like, drawn: frequencies by rank, and where the windows of each batch lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fathom.plots.labels import End, label_ends
from fathom.plots.style import COLOURS, DASHES, FAINT, INK, new_axes, new_figure, styled

HEIGHT = 3.4  # inches
POINTS = 400  # of a curve by rank: the eye sees no more on a logarithmic axis
CELL = 0.2  # inches
_TINTS = ["#CFE3F1", "#FBDCC4", "#CDEBE0", "#F3DCE8", "#FBECC8"]


def rank_frequency(counts: Mapping[str, Iterable[int]], title: str = "") -> Figure:
    """How often the first, second, third ... most frequent occurs, both on logarithmic axes."""
    with styled():
        figure, axes = new_axes(5.6, HEIGHT, title)
        ends = []
        for number, (name, times) in enumerate(counts.items()):
            every = np.fromiter(times, dtype=np.int64)
            ranks = np.unique(np.geomspace(1, len(every), POINTS).astype(int))
            values = every[ranks - 1]
            colour = COLOURS[number % len(COLOURS)]
            axes.plot(ranks, values, color=colour, linestyle=DASHES[number % len(DASHES)])
            ends.append(End(float(ranks[-1]), float(values[-1]), name, colour))
        axes.set(xscale="log", yscale="log", xlabel="rank", ylabel="times it occurs")
        axes.margins(x=0.01)
        label_ends(axes, ends, HEIGHT)
    return figure


def windows(
    layouts: Mapping[str, Sequence[Sequence[Sequence[int]]]], count: int, title: str = ""
) -> Figure:
    """Where the rows of each batch lie in a text of `count` tokens: {name: batches of rows of
    places}. A strip for each batch, its rows in their colours, numbered."""
    strips = sum(len(batches) + 1 for batches in layouts.values())
    with styled():
        figure = new_figure(CELL * count + 1.2, 1.35 * CELL * strips + 0.6, title)
        axes = figure.add_subplot()
        line = 0
        for name, batches in layouts.items():
            axes.text(0, line + 0.45, name, fontweight="bold", color=INK, va="center")
            line += 1
            for number, rows in enumerate(batches, 1):
                for place in range(count):
                    axes.add_patch(_cell(place, line, "#F1F1F1"))
                for row, places in enumerate(rows):
                    tint = _TINTS[row % len(_TINTS)]
                    for place in places:
                        axes.add_patch(_cell(place, line, tint))
                        centre = place + 0.5, line + 0.5
                        axes.text(*centre, str(place), ha="center", va="center", fontsize=7)
                axes.text(-0.5, line + 0.5, f"batch {number}", ha="right", va="center", color=FAINT)
                line += 1
        axes.set(xlim=(-4.5, count), ylim=(line, -0.2))
        axes.set_axis_off()
    return figure


def _cell(place: int, line: int, tint: str) -> Rectangle:
    return Rectangle((place, line + 0.1), 1, 0.8, facecolor=tint, edgecolor="white", linewidth=1)
