"""A series and its forecasts, so many steps ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from fathom.plots.style import COLOURS, FAINT, INK, new_axes, styled

Line = tuple[Sequence[float], Sequence[float]]


def forecasts(
    times: Sequence[float],
    values: Sequence[float],
    ahead: Mapping[str, Line],
    *,
    tail: float,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
) -> Figure:
    """The series in grey, {name: (times, forecasts)} over it; held out is what is after `tail`."""
    with styled():
        figure, axes = new_axes(7.6, 3.3, title)
        axes.plot(times, values, color=INK, alpha=0.28, linewidth=0.9, label="as it was")
        axes.axvline(tail, color=FAINT, linewidth=0.9, linestyle=(0, (3, 2)))
        for number, (name, (xs, ys)) in enumerate(ahead.items()):
            style: dict[str, Any] = {"linewidth": 1.3, "label": name}
            axes.plot(xs, ys, color=COLOURS[number % len(COLOURS)], **style)
        top = axes.get_ylim()[1]
        words: dict[str, Any] = {"color": FAINT, "fontsize": 8.5, "va": "top"}
        axes.annotate("held out", (tail, top), (4, -2), textcoords="offset points", **words)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.margins(x=0.01)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
