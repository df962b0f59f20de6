"""Names of lines, written at their ends: nobody has to look from a legend to the lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from fathom.plots.style import readable

POINTS_APART = 12.5  # a line of text
SHARE_OF_HEIGHT = 0.74  # of a figure of one row that is left to its axes by titles and labels


class End(NamedTuple):
    """Where a line ends, what to call it, its colour."""

    x: float
    y: float
    text: str
    colour: str


def label_ends(axes: Axes, ends: Sequence[End], height: float) -> None:
    """Write each text to the right of the axes at the height of its end, none over another.

    The limits of the axes are fixed by this. `height` is the figure's, or its row's, in inches.
    """
    limits = axes.get_xlim(), axes.get_ylim()
    points = height * 72 * SHARE_OF_HEIGHT
    to_axes = axes.transData + axes.transAxes.inverted()
    wanted = [to_axes.transform((end.x, end.y)) for end in ends]
    places = spread([float(y) * points for _, y in wanted], POINTS_APART, points)
    for end, (x, y), place in zip(ends, wanted, places, strict=True):
        moved = abs(place - y * points) > 2 or x < 0.9  # then a thin line leads to it
        axes.annotate(
            end.text,
            xy=(end.x, end.y),
            xytext=(1.03, place / points),
            textcoords="axes fraction",
            color=readable(end.colour),
            fontsize=9,
            fontweight="bold",
            va="center",
            annotation_clip=False,
            parse_math=False,
            arrowprops={
                "arrowstyle": "-",
                "color": end.colour,
                "linewidth": 0.6,
                "relpos": (0, 0.5),
                "shrinkA": 1,
                "shrinkB": 3,
                "alpha": 0.7 if moved else 0.0,
            },
        )
    axes.set(xlim=limits[0], ylim=limits[1])


def spread(places: Sequence[float], apart: float, top: float) -> list[float]:
    """The nearest places, in the same order, of which no two are closer than `apart`.

    Neighbours that would touch are pushed out from their common centre, as a group, but not
    below 0 or, as far as there is room, above `top`.
    """

    def lowest(group: Sequence[int]) -> float:
        centre = sum(places[i] for i in group) / len(group)
        length = apart * (len(group) - 1)
        return max(0.0, min(centre - length / 2, top - length))

    groups: list[list[int]] = []
    for index in sorted(range(len(places)), key=lambda i: places[i]):
        groups.append([index])
        while len(groups) > 1:
            low, high = groups[-2:]
            if lowest(high) - lowest(low) >= apart * len(low):
                break
            groups[-2:] = [low + high]
    result = list(places)
    for group in groups:
        for position, index in enumerate(group):
            result[index] = lowest(group) + position * apart
    return result


def whole_numbers(axes: Axes) -> None:
    """Ticks of the x axis at whole numbers only: there is no epoch 2.5."""
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))


def logarithmic(axes: Axes) -> None:
    """A logarithmic y axis with faint lines at the powers of ten."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(numticks=8))
    axes.yaxis.set_minor_formatter(NullFormatter())
