"""Receptive fields as pictures: how much each pixel counts, and how far any pixel can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from fathom.plots.style import BLUE, VERMILION, new_figure, readable, styled

CELL = 2.1  # inches


class Field(NamedTuple):
    """`weights` (H, W) over the pixels; `sees` and `counts` are the sides of two squares."""

    title: str
    weights: Tensor
    sees: int
    counts: int


def receptive_fields(fields: Sequence[Field], *, title: str = "") -> Figure:
    """One panel for each: darker is more; a solid square around what is seen, a dashed one around
    what counts."""
    with styled():
        figure = new_figure(CELL * len(fields) + 0.3, CELL + 1.15, title)
        grid = figure.subplots(1, len(fields), squeeze=False)[0]
        for axes, field in zip(grid, fields, strict=True):
            weights = field.weights.float().numpy()
            H, W = weights.shape
            # The square root: a field falls off like a bell, and its rim would not be seen.
            axes.imshow(np.sqrt(weights / weights.max()), cmap="Greys", vmin=0, vmax=1)
            ys, xs = np.mgrid[:H, :W]
            centre = [float((weights * at).sum() / weights.sum()) for at in (xs, ys)]
            for side, colour, dashes in (
                (field.sees, BLUE, "solid"),
                (field.counts, VERMILION, "dashed"),
            ):
                corner = (centre[0] - side / 2, centre[1] - side / 2)
                axes.add_patch(
                    Rectangle(
                        corner, side, side, fill=False, edgecolor=colour, linestyle=dashes, lw=1.6
                    )
                )
            axes.set_title(field.title, fontsize=9)
            axes.set(xticks=[], yticks=[], xlim=(-0.5, W - 0.5), ylim=(H - 0.5, -0.5))
            axes.grid(visible=False)
        figure.text(0.012, 0.06, "solid: what is seen", color=BLUE, fontsize=8.5)
        figure.text(
            0.012 + 1.5 / figure.get_figwidth(),
            0.06,
            "dashed: 95 % of what counts",
            color=readable(VERMILION),
            fontsize=8.5,
        )
    return figure
