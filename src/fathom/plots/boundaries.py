"""Where a classifier draws its lines in the plane: regions of two classes with their points.

Shapes   N points, G by G places of a grid that covers [-reach, reach]², rows from below.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from fathom.plots.style import BLUE, INK, VERMILION, new_figure, styled

PANEL = 2.35  # inches
FIELD = "RdBu"  # 0 is red, 1 is blue: told apart with every kind of colour vision
Point = tuple[float, float]


def square(reach: float, count: int = 81) -> Tensor:
    """The places of a grid, (count², 2): the field of a figure is a function of these."""
    side = torch.linspace(-reach, reach, count)
    return torch.cartesian_prod(side, side).flip(1)


def decision_boundaries(
    fields: Mapping[str, Tensor],
    points_N2: Tensor,
    labels_N: Tensor,
    reach: float,
    *,
    title: str = "",
    columns: int = 3,
) -> Figure:
    """A panel for each field: its probabilities of class 1 (G²,), and a line where they are half.

    `square(reach)` gives the places; the points are drawn in every panel.
    """
    with styled():
        figure, grid = _grid(len(fields), columns, title)
        for axes, (name, field) in zip(grid, fields.items(), strict=False):
            G = math.isqrt(len(field))
            heights_GG = field.detach().reshape(G, G).numpy()
            side = torch.linspace(-reach, reach, G).numpy()
            axes.pcolormesh(side, side, heights_GG, cmap=FIELD, vmin=-0.25, vmax=1.25, alpha=0.55,
                            shading="nearest", rasterized=True, linewidth=0)  # fmt: skip
            if heights_GG.min() < 0.5 < heights_GG.max():
                axes.contour(side, side, heights_GG, [0.5], colors=INK, linewidths=1.6)
            _points(axes, points_N2.tolist(), labels_N.tolist(), size=3.2)
            axes.set(xlim=(-reach, reach), ylim=(-reach, reach), title=name)
    return figure


class Labelled(NamedTuple):
    """Points with signs ±1, and the line w0 + w1 x + w2 y = 0 between them, if there is one."""

    title: str
    points: Sequence[Point]
    signs: Sequence[int]
    line: Sequence[float] | None = None


def divided(cases: Sequence[Labelled], *, title: str = "", columns: int = 4) -> Figure:
    """A panel for each labelling, with its line.

    Where there is none, points of one sign are joined: joints cross, or surround a point.
    """
    with styled():
        figure, grid = _grid(len(cases), columns, title)
        for axes, case in zip(grid, cases, strict=False):
            xs, ys = zip(*case.points, strict=True)
            half = 0.8 * max(max(xs) - min(xs), max(ys) - min(ys))
            across, up = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
            limits = (across - half, across + half), (up - half, up + half)
            labels = [int(sign > 0) for sign in case.signs]
            if case.line is not None:
                _half_planes(axes, case.line, limits)
            else:
                for kind, colour in ((0, VERMILION), (1, BLUE)):
                    same = [p for p, k in zip(case.points, labels, strict=True) if k == kind]
                    axes.plot(*zip(*same, same[0], strict=True), color=colour, linewidth=1.4)
            _points(axes, case.points, labels, size=7)
            axes.set(xlim=limits[0], ylim=limits[1], title=case.title)
    return figure


def _grid(count: int, columns: int, title: str) -> tuple[Figure, list[Axes]]:
    """Square panels without scales: the places matter to each other only."""
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    figure = new_figure(PANEL * columns, (PANEL + 0.25) * rows + (0.35 if title else 0), title)
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in grid:
        axes.set(xticks=[], yticks=[], aspect="equal")
    for axes in grid[count:]:
        axes.set_axis_off()
    return figure, grid


def _points(axes: Axes, points: Sequence[Point], labels: Sequence[int], *, size: float) -> None:
    """Class 0 as vermilion squares, class 1 as blue dots."""
    for kind, marker, colour in ((0, "s", VERMILION), (1, "o", BLUE)):
        chosen = [p for p, label in zip(points, labels, strict=True) if label == kind]
        if chosen:
            axes.plot(*zip(*chosen, strict=True), marker, color=colour, markersize=size,
                      markeredgecolor="white", markeredgewidth=0.5, clip_on=True)  # fmt: skip


def _half_planes(axes: Axes, line: Sequence[float], limits: tuple[Point, Point]) -> None:
    (left, right), (low, high) = limits
    x, y = torch.linspace(left, right, 61), torch.linspace(low, high, 61)
    height = line[0] + line[1] * x[None, :] + line[2] * y[:, None]
    axes.contourf(x, y, height, [-1e9, 0, 1e9], colors=["#F6D8C4", "#CFE3F2"])
    if height.min() < 0 < height.max():
        axes.contour(x, y, height, [0], colors=INK, linewidths=1.6)
