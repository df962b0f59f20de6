"""Functions of one or two variables, and the paths that go down them.

One variable: the curve, and the path as points on it. Two: lines of equal value, evenly many
points of the picture between each two, so that a valley shows as well as a cliff.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

from fathom.plots.style import (
    BLACK,
    BLUE,
    COLOURS,
    FAINT,
    INK,
    MARKERS,
    PURPLE,
    VERMILION,
    new_figure,
    styled,
)

PANEL = 2.75, 2.45  # inches
LEVELS = 13
FINE = 101  # points of a picture along each side
FEW = 41  # steps that are still told apart: each gets a marker
LAND = LinearSegmentedColormap.from_list("land", ["#8F979C", "#CDD1D4", "#F6F6F6"])

Function = Callable[[Tensor], Tensor]


class Box(NamedTuple):
    """What is shown of the plane, or of the line: (lowest, highest) of each variable."""

    x: tuple[float, float]
    y: tuple[float, float] | None = None


def panels(
    f: Function,
    paths: Mapping[str, Tensor],
    *,
    names: Sequence[str] = ("x", "y"),
    box: Box | None = None,
    title: str = "",
    columns: int = 4,
) -> Figure:
    """A panel for each path (T + 1, N), N being 1 or 2, all of the same piece of the function.

    What a path has outside the piece is left out. A circle is its start, a cross its end.
    """
    box = box or box_of(f, list(paths.values()))
    columns = min(columns, len(paths))
    rows = math.ceil(len(paths) / columns)
    with styled():
        height = PANEL[1] * rows + (0.3 if title else 0)
        figure = new_figure(PANEL[0] * max(columns, 2), height, title)  # room for the title
        for number, (name, path) in enumerate(paths.items()):
            axes = figure.add_subplot(rows, columns, number + 1)
            axes.set_title(name, fontsize=9.5)
            if box.y is None:
                _curve(axes, f, box, names[0])
            else:
                land(axes, f, box, names)
            trace(axes, f, path, VERMILION)
    return figure


def together(
    f: Function,
    paths: Mapping[str, Tensor],
    *,
    names: Sequence[str] = ("x", "y"),
    box: Box | None = None,
    title: str = "",
    forbidden: Function | None = None,
) -> Figure:
    """All paths in one picture of a function of two variables, told apart by colour and marker.

    Where `forbidden` is above zero the ground is hatched.
    """
    box = box or box_of(f, list(paths.values()))
    with styled():
        figure = new_figure(6.6, 3.9)
        axes = figure.add_subplot()
        axes.set_title(title)
        land(axes, f, box, names)
        if forbidden is not None:
            _hatch(axes, forbidden, box)
        for number, (name, path) in enumerate(paths.items()):
            colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
            trace(axes, f, path, colour, marker, name)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def level_places(
    f: Function,
    places: Sequence[tuple[Sequence[float], str]],
    box: Box,
    *,
    names: Sequence[str] = ("x", "y"),
    title: str = "",
) -> Figure:
    """A function with points of it marked, each kind (minimum, maximum, saddle, flat) its own."""
    looks = {"minimum": ("v", BLUE), "maximum": ("^", VERMILION), "saddle": ("X", BLACK)}
    with styled():
        figure = new_figure(5.6, 3.4)
        axes = figure.add_subplot()
        axes.set_title(title)
        if box.y is None:
            _curve(axes, f, box, names[0])
        else:
            land(axes, f, box, names)
        for kind in dict.fromkeys(kind for _, kind in places):
            points = torch.tensor([list(p) for p, k in places if k == kind], dtype=torch.float64)
            ys = points[:, 1] if points.shape[1] == 2 else f(points)
            marker, colour = looks.get(kind, ("D", PURPLE))
            look: dict[str, Any] = {"markersize": 9, "markeredgecolor": "white", "zorder": 5}
            axes.plot(points[:, 0].numpy(), ys.numpy(), marker, color=colour, label=kind, **look)
        if places:
            axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def chords(functions: Mapping[str, tuple[Function, float, float]], box: Box) -> Figure:
    """Functions of one variable, each with the straight line between two of its points."""
    with styled():
        figure = new_figure(PANEL[0] * len(functions), PANEL[1])
        for number, (name, (f, a, b)) in enumerate(functions.items()):
            axes = figure.add_subplot(1, len(functions), number + 1)
            axes.set_title(name, fontsize=9.5)
            _curve(axes, f, box, "x")
            xs = torch.tensor([[a], [b]], dtype=torch.float64)
            axes.plot(xs[:, 0].numpy(), f(xs).numpy(), "o-", color=VERMILION, linewidth=1.4)
    return figure


def box_of(f: Function, paths: Sequence[Tensor], margin: float = 0.15) -> Box:
    """The piece of a function that its paths are in, as long as they are no higher than at first.

    A path that runs away so leaves the picture, instead of making all others a dot in it.
    """
    points = torch.cat([path[f(path) <= f(path[0]) + 1e-12] for path in paths])
    low, high = points.min(0).values, points.max(0).values
    span = (high - low).clamp(min=1e-3)
    span = torch.maximum(span, span.max() / 3)  # no narrower than a third of its length
    middle, half = (low + high) / 2, span * (0.5 + margin)
    sides = [(float(m - h), float(m + h)) for m, h in zip(middle, half, strict=True)]
    return Box(*sides)


def land(axes: Axes, f: Function, box: Box, names: Sequence[str] = ("x", "y")) -> None:
    """Lines of equal value, the lower the darker; where there is no value it is white."""
    assert box.y is not None
    x, y = (torch.linspace(*side, FINE, dtype=torch.float64) for side in (box.x, box.y))
    points = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
    values = f(points).detach()
    finite = values[torch.isfinite(values)]
    if len(finite):
        # Low ground has more of the lines: there the paths are.
        shares = torch.linspace(0, 1, LEVELS, dtype=torch.float64) ** 1.5
        levels = torch.quantile(finite, shares).unique()
        if len(levels) > 2:
            shades = [LAND(k / (len(levels) - 2)) for k in range(len(levels) - 1)]
            grid = x.numpy(), y.numpy(), values.numpy()
            axes.contourf(*grid, levels=levels.numpy(), colors=shades)
            thin: dict[str, Any] = {"linewidths": 0.5, "linestyles": "solid"}
            axes.contour(*grid, levels=levels.numpy(), colors="white", **thin)
    axes.set(xlim=box.x, ylim=box.y, xlabel=names[0], ylabel=names[1])
    axes.grid(visible=False)


def trace(
    axes: Axes, f: Function, path: Tensor, colour: str, marker: str = "o", label: str = ""
) -> None:
    """A path as joined points, its start a ring, its end a cross if it is in the picture."""
    xs = path[:, 0].tolist()
    ys = (path[:, 1] if path.shape[1] == 2 else f(path)).tolist()
    style: dict[str, Any] = {"marker": marker, "markersize": 3.4} if len(path) <= FEW else {}
    axes.plot(xs, ys, color=colour, linewidth=1.1, label=label or None, **style)
    ring: dict[str, Any] = {"markerfacecolor": "white", "markeredgecolor": BLACK}
    axes.plot(xs[0], ys[0], "o", markersize=6.5, zorder=5, **ring)
    axes.plot(xs[-1], ys[-1], "X", color=BLACK, markersize=6.5, markeredgecolor="white", zorder=6)


def _hatch(axes: Axes, forbidden: Function, box: Box) -> None:
    assert box.y is not None
    x, y = (torch.linspace(*side, FINE, dtype=torch.float64) for side in (box.x, box.y))
    values = forbidden(torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)).numpy()
    with matplotlib.rc_context({"hatch.color": "#FFFFFF", "hatch.linewidth": 0.9}):
        axes.contourf(x, y, values, levels=[0, math.inf], colors="none", hatches=["///"])
    axes.contour(x, y, values, levels=[0], colors=INK, linewidths=1.2, linestyles="dashed")


def _curve(axes: Axes, f: Function, box: Box, name: str) -> None:
    x = torch.linspace(*box.x, 401, dtype=torch.float64)
    y = f(x[:, None]).detach()
    axes.plot(x.numpy(), y.numpy(), color=FAINT, linewidth=1.3)
    finite = y[torch.isfinite(y)]
    if len(finite):
        low, high = float(finite.min()), float(finite.max())
        spare = 0.06 * (high - low) or 1.0
        axes.set_ylim(low - spare, high + spare)
    axes.set(xlim=box.x, xlabel=name)
