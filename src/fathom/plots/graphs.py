"""A computation as boxes and curves between them, with values and gradients (book 2.5, 4.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path

from fathom.plots.style import FAINT, INK, VERMILION, new_figure, readable, styled

WIDE, HIGH, GAP, APART = 1.12, 0.62, 0.52, 0.80  # inches: a box, and the room between two
EDGE = "#8FA0B5"
FILL = {"input": "#DBEAFE", "constant": "#F1F5F9", "operation": "#FFFFFF", "result": "#DCFCE7"}

Place = Mapping[Any, tuple[float, float]]
"""(column, row) of each box, by its number, and of each bend of a curve, by any other key"""


class Box(NamedTuple):
    """What is written in a box, line by line; `kind` is one of FILL."""

    label: str
    value: str
    gradient: str
    kind: str


def computation(
    boxes: Sequence[Box], place: Place, links: Sequence[tuple[Any, Any]], *, title: str = ""
) -> Figure:
    """The boxes from left to right; gradients are vermilion, under the values."""
    columns = max(column for column, _ in place.values())
    rows = [row for _, row in place.values()]
    width = columns * (WIDE + GAP) + WIDE
    height = (max(rows) - min(rows)) * APART + HIGH
    at = {
        key: (column * (WIDE + GAP), (max(rows) - row) * APART)
        for key, (column, row) in place.items()
    }
    with styled():
        figure = new_figure(width + 0.3, height + (0.85 if title else 0.5), title)
        axes = figure.add_subplot()
        axes.set(xlim=(-0.04, width + 0.04), ylim=(-0.04, height + 0.04), aspect="equal")
        axes.set_axis_off()
        for start, end in links:
            _curve(axes, at[start], at[end], on=end not in range(len(boxes)))
        for number, box in enumerate(boxes):
            _box(axes, at[number], box)
        if any(box.gradient for box in boxes):
            _legend(axes)
    return figure


def _curve(axes: Axes, start: tuple[float, float], end: tuple[float, float], *, on: bool) -> None:
    """From a box's right edge to the next one's left, or `on` through a column without one."""
    (x0, y0), (x1, y1) = start, end
    x0, y0, y1 = x0 + WIDE, y0 + HIGH / 2, y1 + HIGH / 2
    middle = (x0 + x1) / 2
    points = [(x0, y0), (middle, y0), (middle, y1), (x1, y1)]
    codes = [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
    if on:
        points.append((x1 + WIDE, y1))
        codes.append(Path.LINETO)
    curve = Path(points, codes)
    axes.add_patch(PathPatch(curve, facecolor="none", edgecolor=EDGE, linewidth=1.2, zorder=1))
    if not on:
        axes.plot([x1 - 0.045], [y1], marker=">", markersize=4, color=EDGE, zorder=3)


def _box(axes: Axes, corner: tuple[float, float], box: Box) -> None:
    x, y = corner
    shape = FancyBboxPatch(
        (x, y),
        WIDE,
        HIGH,
        boxstyle="round,pad=0,rounding_size=0.07",
        facecolor=FILL[box.kind],
        edgecolor=EDGE,
        linewidth=1.0,
        zorder=2,
    )
    axes.add_patch(shape)
    lines = [(box.label, INK, "bold"), (box.value, INK, "normal")]
    if box.gradient:
        lines.append((box.gradient, readable(VERMILION), "normal"))
    for number, (text, colour, weight) in enumerate(lines, 1):
        axes.text(
            x + WIDE / 2,
            y + HIGH * (1 - number / (len(lines) + 1)) - 0.01,
            text,
            ha="center",
            va="center",
            fontsize=8.5,
            color=colour,
            fontweight=weight,
            parse_math=False,
            zorder=4,
        )


def _legend(axes: Axes) -> None:
    none: dict[str, Any] = {
        "linestyle": "none",
        "marker": "s",
        "markersize": 7,
        "markeredgecolor": EDGE,
    }
    signs = [Line2D([], [], markerfacecolor=FILL[kind], **none) for kind in ("input", "result")]
    signs.append(Line2D([], [], linestyle="none"))
    axes.legend(
        signs,
        ["input", "result", "∂: the result's derivative by what is in the box"],
        loc="upper left",
        bbox_to_anchor=(0, 0),
        ncols=3,
        labelcolor=[FAINT, FAINT, readable(VERMILION)],
        handletextpad=0.3,
        columnspacing=1.0,
        borderaxespad=0.2,
    )
