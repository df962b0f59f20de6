"""Charts of numbers for studies and predictions: lines, bars, histograms, fitted curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from fathom.plots.labels import End, label_ends, whole_numbers
from fathom.plots.style import BLUE, COLOURS, DASHES, INK, new_axes, new_figure, styled

HEIGHT = 3.2  # inches
FEW = 10  # whole numbers that each get a tick on a logarithmic axis
PANEL = 2.9, 2.5  # inches, of one chart among several

Chart = tuple[Sequence[float], Mapping[str, Sequence[float]]]
"""The x of a chart, and its lines by name."""


def lines(
    x: Sequence[float],
    ys: Mapping[str, Sequence[float]],
    *,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    log_x: bool = False,
    log_y: bool = False,
    whole_x: bool = False,
) -> Figure:
    """Functions of one variable, each named at its right end; `whole_x` has no ticks between."""
    with styled():
        figure, axes = new_axes(5.6, HEIGHT, title)
        ends = []
        for number, (name, values) in enumerate(ys.items()):
            colour = COLOURS[number % len(COLOURS)]
            axes.plot(x, values, color=colour, linestyle=DASHES[number % len(DASHES)])
            ends.append(End(float(x[-1]), float(values[-1]), name, colour))
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.set(xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
        axes.margins(x=0.01)
        if log_x and len(x) <= FEW and all(value == int(value) for value in x):
            axes.set_xticks(x, [f"{value:g}" for value in x])
            axes.xaxis.set_minor_locator(NullLocator())
        if whole_x:
            whole_numbers(axes)
        label_ends(axes, ends, HEIGHT)
    return figure


def panels(
    charts: Mapping[str, Chart],
    *,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    columns: int = 3,
    log_x: bool = False,
    log_y: bool = False,
    same_y: bool = True,
) -> Figure:
    """Charts of lines beside each other, {title: (x, {name: y})}; one legend serves them all.

    A name has one colour throughout. With `same_y` all have one scale, which is written once.
    """
    columns = min(columns, len(charts))
    rows = math.ceil(len(charts) / columns)
    names = list(dict.fromkeys(name for _, lines in charts.values() for name in lines))
    with styled():
        room = (0.35 if title else 0) + 0.3
        figure = new_figure(PANEL[0] * columns, PANEL[1] * rows + room, title)
        grid = list(figure.subplots(rows, columns, squeeze=False, sharey=same_y).flat)
        drawn = {}
        for number, (head, (x, lines)) in enumerate(charts.items()):
            axes = grid[number]
            axes.set_title(head)
            for name, values in lines.items():
                style: Any = {"linestyle": DASHES[names.index(name) % len(DASHES)]}
                colour = COLOURS[names.index(name) % len(COLOURS)]
                drawn[name] = axes.plot(x, values, color=colour, label=name, **style)[0]
            axes.set(xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
            axes.set_xlabel(xlabel)
            if not same_y or number % columns == 0:
                axes.set_ylabel(ylabel)
        for axes in grid[len(charts) :]:
            axes.set_axis_off()
        if len(names) > 1:
            shown = [drawn[name] for name in names]
            figure.legend(shown, names, loc="outside lower center", ncols=min(len(names), 5))
    return figure


def bars(
    names: Sequence[str],
    values: Sequence[float],
    *,
    title: str = "",
    xlabel: str = "",
    log: bool = False,
) -> Figure:
    """Horizontal bars, the first on top, each with its value at its end."""
    height = 0.32 * len(names) + (1.0 if title else 0.7)
    with styled():
        figure, axes = new_axes(5.6, height, title)
        drawn = axes.barh(range(len(names)), values, color=BLUE, height=0.66)
        texts = [f"{value:.4g}" for value in values]
        axes.bar_label(drawn, texts, padding=4, color=INK, fontsize=8.5)
        axes.set_yticks(range(len(names)), list(names), parse_math=False, color=INK)
        axes.set(xlabel=xlabel, xscale="log" if log else "linear")
        axes.tick_params("y", length=0)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.invert_yaxis()
        axes.margins(x=0.12, y=0.02 if len(names) > 1 else 0.3)
        if any(value < 0 for value in values):
            axes.axvline(0, color="#B5B5B5", linewidth=0.8)
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


def scatter_fit(
    x: Sequence[float],
    y: Sequence[float],
    fits: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    points: str = "data",
) -> Figure:
    """Data as points and what was fitted to them as curves: {name: (xs, ys)}.

    The height of the chart is the data's: a fit that runs away leaves it.
    """
    with styled():
        figure, axes = new_axes(5.6, HEIGHT, title)
        axes.plot(x, y, "o", color=INK, alpha=0.55, markersize=3.6, markeredgewidth=0, label=points)
        axes.margins(0.06)
        limits = axes.get_ylim()
        for number, (name, (xs, ys)) in enumerate(fits.items()):
            style: dict[str, Any] = {"linestyle": DASHES[number % len(DASHES)]}
            axes.plot(xs, ys, color=COLOURS[number % len(COLOURS)], label=name, **style)
        axes.set(xlabel=xlabel, ylabel=ylabel, ylim=limits)
        axes.legend(loc="best")
    return figure
