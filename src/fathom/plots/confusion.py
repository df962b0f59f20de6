"""A confusion matrix: what pictures are, and what they were taken for.

A row holds all examples of a class, and its colours are shares of them: blue where they were
known, vermilion where not. The shares are drawn by their square roots, or few mistakes would look
like none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor

from fathom.plots.style import BLUE, FAINT, INK, VERMILION, new_figure, styled

SQUARE = 0.44, 0.26, 0.09  # inches a class: with room, with some, and of a hundred classes
ROOMY, CLOSE = 12, 30  # classes up to which numbers fit, and small ones
LETTER = 0.078  # inches
UPRIGHT, LONGEST = 3, 22  # letters of a name that need not lean, and that are written


def confusion_figure(
    counts_KK: Tensor,
    classes: Sequence[str],
    recall_K: Tensor,
    precision_K: Tensor,
    *,
    title: str = "",
) -> Figure:
    """Row i, column j counts the examples of class i that were called j; NaN scores are blank."""
    K = len(classes)
    square = SQUARE[0] if K <= ROOMY else SQUARE[1] if K <= CLOSE else SQUARE[2]
    size = 9 if K <= ROOMY else 7 if K <= CLOSE else max(3.0, square * 50)
    names = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in classes]
    beside = LETTER * size / 9 * max(map(len, names))
    counts = counts_KK.cpu().numpy()
    across = max(K * square + beside + 1.5, LETTER * 1.5 * len(title))
    with styled():
        figure = new_figure(across, K * square + beside * 0.8 + 1.2, title)
        axes = figure.add_subplot()
        axes.imshow(_colours(counts), interpolation="nearest")
        style: dict[str, Any] = {"color": INK, "fontsize": size, "parse_math": False}
        leaning: dict[str, Any] = {"rotation": 60, "ha": "left", "rotation_mode": "anchor"}
        upright = max(map(len, names)) <= UPRIGHT
        axes.tick_params("x", top=False, bottom=False, labeltop=True, labelbottom=False, pad=2)
        axes.tick_params("y", left=False)
        axes.set_xticks(range(K), names, **style, **({} if upright else leaning))
        axes.set_yticks(range(K), names, **style)
        axes.xaxis.set_label_position("top")
        axes.set(xlabel="taken for", ylabel="is")
        axes.grid(visible=False)
        axes.spines[["left", "bottom"]].set_visible(False)
        if K <= CLOSE:
            _lines(axes, K)
            _numbers(axes, counts, size)
            _margins(axes, recall_K.tolist(), precision_K.tolist(), size)
    return figure


def _colours(counts: np.ndarray) -> np.ndarray:
    """(K, K, 3): from white to blue on the diagonal, to vermilion elsewhere."""
    shares = np.sqrt(counts / np.maximum(counts.sum(1, keepdims=True), 1))[..., None]
    right = np.eye(len(counts), dtype=bool)[..., None]
    full = np.where(right, np.array(to_rgb(BLUE)), np.array(to_rgb(VERMILION)))
    faded: np.ndarray = 1 - 0.9 * shares * (1 - full)
    return faded


def _lines(axes: Axes, K: int) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([n - 0.5 for n in range(K + 1)], minor=True)
    axes.grid(visible=True, which="minor", color="#E8E8E8", linewidth=0.7)
    axes.tick_params(which="minor", length=0, top=False, bottom=False, left=False)


def _numbers(axes: Axes, counts: np.ndarray, size: float) -> None:
    totals = counts.sum(1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            dark = count / totals[row] > (0.35 if row == column else 0.6)
            colour = "white" if dark else INK
            place = {"ha": "center", "va": "center"}
            axes.text(column, row, f"{count:,}", place, color=colour, fontsize=size)


def _margins(axes: Axes, recall: Sequence[float], precision: Sequence[float], size: float) -> None:
    """How many of a class were found, to the right; how many of those so called are it, below."""
    K = len(recall)
    style: dict[str, Any] = {"color": FAINT, "fontsize": size, "clip_on": False}
    for n, (found, right) in enumerate(zip(recall, precision, strict=True)):
        if not math.isnan(found):
            axes.text(K - 0.35, n, f"{found:.0%}", va="center", ha="left", **style)
        if not math.isnan(right):
            axes.text(n, K - 0.3, f"{right:.0%}", va="top", ha="center", **style)
    axes.text(K - 0.35, -0.6, "recall", va="bottom", ha="left", **style)
    axes.text(-0.6, K - 0.3, "precision", va="top", ha="right", **style)
