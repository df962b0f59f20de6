"""Pictures in a grid: predictions, with the wrong ones marked, and weights as pictures."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from fathom.plots.style import INK, VERMILION, new_figure, readable, styled

CELL = 1.1  # inches, the longer side of a picture
GAP = 0.16
LETTER = 0.115  # inches, of the figure's title
LINE = 0.145  # inches, the height of a line of a title
LETTERS = 17  # of a title that fit beside each other above a cell
SMALL = 64  # pixels: a smaller picture shows its pixels, a larger one is smoothed
DIVERGING = "RdBu_r"  # red and blue are told apart with every kind of colour vision


def picture_grid(
    images: Tensor,
    titles: Sequence[str] | None = None,
    wrong: Sequence[bool] | None = None,
    columns: int | None = None,
    *,
    title: str = "",
    cell: float = CELL,
) -> Figure:
    """uint8 pictures (N, C, H, W), C being 1 or 3, each under its title; a `cell` is in inches.

    A wrong one has a ✗ before its title and a frame, both vermilion.
    """
    wrong = wrong if wrong is not None else [False] * len(images)
    titles = titles if titles is not None else [""] * len(images)
    marked = [f"✗ {text}" if bad else text for text, bad in zip(titles, wrong, strict=True)]
    arrays = [image.permute(1, 2, 0).squeeze(-1).numpy() for image in images.cpu()]
    with styled():
        figure, axes, places = _grid(len(arrays), images.shape[-2:], marked, columns, title, cell)
        for array, text, bad, place in zip(arrays, marked, wrong, places, strict=True):
            _picture(axes, array, place, vmin=0, vmax=255, cmap="gray")
            _caption(axes, place, _wrapped(text, cell), readable(VERMILION) if bad else INK)
            if bad:
                _frame(axes, place)
    return figure


def weights_grid(
    weights: Tensor,
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    *,
    title: str = "",
) -> Figure:
    """Weights (N, H, W), or kernels (N, C, H, W) side by side as N * C pictures.

    Blue is negative, white nothing, red positive, on one scale for all.
    """
    planes = weights.detach().float().cpu().flatten(0, -3)
    titles = titles if titles is not None else [""] * len(planes)
    reach = float(planes.abs().max()) if planes.numel() else 0.0
    reach = reach or 1.0
    with styled():
        figure, axes, places = _grid(len(planes), planes.shape[-2:], titles, columns, title)
        for plane, text, place in zip(planes, titles, places, strict=True):
            _picture(axes, plane.numpy(), place, vmin=-reach, vmax=reach, cmap=DIVERGING)
            _caption(axes, place, _wrapped(text), INK)
        scale = ScalarMappable(Normalize(-reach, reach), DIVERGING)
        bar = figure.colorbar(scale, ax=axes, shrink=0.8, aspect=25, pad=0.01)
        bar.outline.set_visible(False)
    return figure


Place = tuple[float, float, float, float]
"""left, bottom, width, height of a picture, in inches"""


def _grid(
    count: int,
    shape: torch.Size,
    titles: Sequence[str],
    columns: int | None,
    title: str,
    cell: float = CELL,
) -> tuple[Figure, Axes, list[Place]]:
    """A figure, axes that measure it in inches, and the place of each picture.

    One pair of axes for all: thirty would take half a second to draw.
    """
    columns = min(columns or max(1, math.ceil(math.sqrt(count * 1.6))), max(count, 1))
    rows = [range(n, min(n + columns, count)) for n in range(0, count, columns)]
    height, width = (max(cell * side / max(shape), 0.25) for side in shape)
    lines = [max(len(_wrapped(titles[n], cell)) for n in row) for row in rows]
    across = max(width, cell if any(lines) else 0) + GAP
    total = sum(height + GAP + LINE * high for high in lines)
    places = []
    top = total
    for row, high in zip(rows, lines, strict=True):
        top -= LINE * high + height + GAP
        for column in range(len(row)):
            places.append((column * across + (across - width) / 2, top + GAP / 2, width, height))
    wide = max(columns * across + 2 * GAP, LETTER * len(title))
    figure = new_figure(wide, total + 2 * GAP + (0.3 if title else 0), title)
    axes = figure.add_subplot(anchor="NW")
    axes.set(xlim=(0, columns * across), ylim=(0, total or 1), aspect="equal")
    axes.set_axis_off()
    return figure, axes, places


def _wrapped(text: str, cell: float = CELL) -> list[str]:
    letters = round(LETTERS * cell / CELL)
    return [piece for line in text.splitlines() for piece in textwrap.wrap(line, letters)]


def _picture(
    axes: Axes, array: np.ndarray, place: Place, *, vmin: float, vmax: float, cmap: str
) -> None:
    left, bottom, width, height = place
    limits = axes.get_xlim(), axes.get_ylim()
    axes.imshow(
        array,
        extent=(left, left + width, bottom, bottom + height),
        interpolation="nearest" if max(array.shape[:2]) <= SMALL else "antialiased",
        vmin=vmin,
        vmax=vmax,
        cmap=cmap,
    )
    axes.set(xlim=limits[0], ylim=limits[1])


def _caption(axes: Axes, place: Place, lines: Sequence[str], colour: str) -> None:
    left, bottom, width, height = place
    axes.text(
        left + width / 2,
        bottom + height + 0.03,
        "\n".join(lines),
        ha="center",
        va="bottom",
        fontsize=8,
        linespacing=1.1,
        color=colour,
        parse_math=False,
    )


def _frame(axes: Axes, place: Place) -> None:
    left, bottom, width, height = place
    corner = (left, bottom)
    axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=VERMILION, linewidth=2.4))
