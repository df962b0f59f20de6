"""Charts beside each other that are to be compared: lines on one scale, histograms on one axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from fathom.plots.labels import End, label_ends
from fathom.plots.style import BLUE, COLOURS, DASHES, MARKERS, new_figure, styled

WIDTH, HEIGHT = 3.4, 2.9  # inches of a chart


class Panel(NamedTuple):
    """Functions of one variable, measured at the same points, under a title."""

    title: str
    x: Sequence[float]
    ys: Mapping[str, Sequence[float]]
    xlabel: str = ""


def compared(
    panels: Sequence[Panel],
    *,
    title: str = "",
    ylabel: str = "",
    log_x: bool = False,
    log_y: bool = False,
) -> Figure:
    """The panels on one scale of y; a name has the same colour in all."""
    names = list(dict.fromkeys(name for panel in panels for name in panel.ys))
    with styled():
        figure = new_figure(WIDTH * len(panels) + 0.6, HEIGHT + (0.3 if title else 0), title)
        row = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        ends: list[list[End]] = []
        for axes, panel in zip(row, panels, strict=True):
            ends.append([])
            for name, values in panel.ys.items():
                number = names.index(name)
                colour = COLOURS[number % len(COLOURS)]
                axes.plot(
                    panel.x,
                    values,
                    color=colour,
                    linestyle=DASHES[number % len(DASHES)],
                    marker=MARKERS[number % len(MARKERS)],
                    markersize=3.6,
                )
                ends[-1].append(End(float(panel.x[-1]), float(values[-1]), name, colour))
            axes.set(xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
            axes.set(xlabel=panel.xlabel)
            axes.set_title(panel.title)
        row[0].set_ylabel(ylabel)
        for axes, marks in zip(row, ends, strict=True):  # when the common scale is known
            label_ends(axes, marks, HEIGHT)
    return figure


def histograms(
    samples: Mapping[str, Sequence[float]], *, bins: int = 41, title: str = "", xlabel: str = ""
) -> Figure:
    """How often each value came, a chart for each name. Each has its own scale."""
    with styled():
        width = 2.5 * len(samples) + 0.3
        figure = new_figure(width, 2.4 + (0.3 if title else 0), title)
        row = figure.subplots(1, len(samples), squeeze=False)[0]
        for axes, (name, values) in zip(row, samples.items(), strict=True):
            axes.hist(values, bins=bins, color=BLUE)
            axes.set_title(name, fontsize=9.5)
            axes.set(xlabel=xlabel, yticks=[])
            axes.spines["left"].set_visible(False)
            axes.grid(visible=False)
    return figure
