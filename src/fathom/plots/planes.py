"""Pictures of a plane: closed curves around a point; the height of a function and its gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fathom.plots.labels import End, label_ends
from fathom.plots.style import COLOURS, DASHES, VERMILION, new_axes, styled

Numbers = NDArray[np.float64]
SIDE = 3.6  # inches


def outlines(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
) -> Figure:
    """Closed curves (xs, ys) on one scale, each named at its topmost point, from the right."""
    with styled():
        figure, axes = new_axes(SIDE + 1.2, SIDE, title)
        ends = []
        for number, (name, (xs, ys)) in enumerate(curves.items()):
            colour = COLOURS[number % len(COLOURS)]
            axes.plot(xs, ys, color=colour, linestyle=DASHES[number % len(DASHES)])
            # Where the curve crosses the diagonal it is farthest from the others.
            corner = int(np.argmax(np.minimum(xs, ys)))
            ends.append(End(float(xs[corner]), float(ys[corner]), name, colour))
        axes.axhline(0, color="#B5B5B5", linewidth=0.8)
        axes.axvline(0, color="#B5B5B5", linewidth=0.8)
        axes.set(xlabel=xlabel, ylabel=ylabel, aspect="equal")
        axes.margins(0.08)
        label_ends(axes, ends, SIDE)
    return figure


def slopes(
    x: Numbers,
    y: Numbers,
    height_YX: Numbers,
    arrows: Sequence[tuple[float, float, float, float]],
    *,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
) -> Figure:
    """Lines of equal height over the grid x, y, and arrows (x, y, dx, dy), drawn as long as told.

    Both axes have one scale, so that right angles are seen to be right.
    """
    with styled():
        figure, axes = new_axes(SIDE + 1.2, SIDE + 0.3, title)
        drawn = axes.contour(x, y, height_YX, levels=12, cmap="viridis", linewidths=1.1)
        axes.clabel(drawn, fontsize=7, fmt="%g")
        columns = np.array(arrows).T
        axes.quiver(
            *columns, color=VERMILION, angles="xy", scale_units="xy", scale=1, width=0.008, zorder=3
        )
        axes.set(xlabel=xlabel, ylabel=ylabel, aspect="equal")
        axes.grid(visible=False)
    return figure
