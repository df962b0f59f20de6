"""Heat maps: matrices as squares of colour, attention with the words on both axes.

White is nothing, dark is much; all maps of a figure are on one scale, unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from fathom.plots.style import FAINT, INK, new_figure, styled

SEQUENTIAL, DIVERGING = "Blues", "RdBu_r"
LETTER, LINE = 0.078, 0.2  # inches
SQUARE = 0.3  # inches of a row or column that is named
SIDE = 1.55, 3.3  # inches of the longer side of a map without words: at least, at most
SHARE = "share"  # of what a row looks at
MOST_NUMBERS = 10  # rows and columns of a map whose numbers are still written into it


def attention_map(weights_LS: Tensor, queries: Sequence[str], keys: Sequence[str]) -> Figure:
    """How much each word that is written (a row) takes of each that is read (a column)."""
    L, S = weights_LS.shape
    assert (len(queries), len(keys)) == (L, S), "a word for each row and column"
    left = LETTER * max(map(len, queries), default=1)
    top = LETTER * 0.75 * max(map(len, keys), default=1)
    with styled():
        figure = new_figure(S * SQUARE + left + 1.2, L * SQUARE + top + 0.75)
        axes = figure.add_subplot()
        image = _draw(axes, weights_LS, *_limits(weights_LS))
        _words(axes, queries, keys)
        axes.set(ylabel="writes", xlabel="reads")
        axes.xaxis.set_label_position("bottom")
        _bar(figure, image, [axes], max(L * SQUARE, 1.0), SHARE)
    return figure


def heatmap_grid(
    maps_RCLS: Tensor,
    *,
    rows: Sequence[str] = ("",),
    columns: Sequence[str] = ("",),
    queries: Sequence[str] | None = None,
    keys: Sequence[str] | None = None,
    xlabel: str = "keys",
    ylabel: str = "queries",
    title: str = "",
    unit: str = "",
    diverging: bool = False,
    numbers: bool = False,
    one_scale: bool = True,
    aspect: Literal["equal", "auto"] = "equal",
) -> Figure:
    """R rows of C maps (L, S), such as the heads of each layer; words along the outer maps.

    `unit` is what the colours stand for. `diverging` is for maps that are negative, too: blue is
    below nothing, red above. `numbers` writes each into its square. Without `one_scale` each map
    has its own.
    """
    R, C, L, S = maps_RCLS.shape
    assert (len(rows), len(columns)) == (R, C), "a name for each row and column of maps"
    named = queries is not None or keys is not None
    high, wide = (_side(n, max(L, S), named) for n in (L, S))
    if aspect == "auto":
        high = wide = SIDE[1]
    left = LETTER * max(map(len, queries), default=0) if queries else 0.3
    top = LETTER * 0.75 * max(map(len, keys), default=0) if keys else 0.1
    across = max(C * (wide + 0.3) + left + 1.2, 0.105 * len(title))
    down = R * (high + 0.3) + top + 0.6 + (0.3 if title else 0)
    limits = _limits(maps_RCLS, diverging=diverging)
    with styled():
        figure = new_figure(across, down, title)
        grid = figure.subplots(R, C, squeeze=False)
        for r, c in ((r, c) for r in range(R) for c in range(C)):
            axes = grid[r, c]
            low, most = limits if one_scale else _limits(maps_RCLS[r, c], diverging=diverging)
            image = _draw(axes, maps_RCLS[r, c], low, most, diverging, aspect)
            if numbers and max(L, S) <= MOST_NUMBERS:
                _numbers(axes, maps_RCLS[r, c], low, most)
            above, beside = r == 0, c == 0
            if named:
                _words(axes, (queries or []) if beside else [], (keys or []) if above else [])
            else:
                axes.tick_params(labelleft=beside, labelbottom=r == R - 1, length=0)
            if above:
                axes.set_title(columns[c], fontsize=9.5, loc="center" if C > 1 else "left")
            if beside:
                axes.set_ylabel("\n".join(part for part in (rows[r], ylabel) if part))
            if r == R - 1:
                axes.set_xlabel(xlabel)
            if not one_scale:
                _bar(figure, image, [axes], high, unit)
        if one_scale:
            _bar(figure, image, list(grid.flat), R * high, unit)
    return figure


def _side(count: int, longest: int, named: bool) -> float:
    """Inches of a side of so many squares, of a map whose longer side has `longest`."""
    square = min(max(SQUARE if named else 0.16, SIDE[0] / longest), SIDE[1] / longest)
    return count * square


def _limits(maps: Tensor, *, diverging: bool = False) -> tuple[float, float]:
    most = float(maps.abs().max() if diverging else maps.max()) if maps.numel() else 0.0
    most = most or 1.0
    return (-most if diverging else 0.0), most


def _draw(
    axes: Axes,
    values: Tensor,
    low: float,
    most: float,
    diverging: bool = False,
    aspect: Literal["equal", "auto"] = "equal",
) -> ScalarMappable:
    """A map, its first row on top, thin white lines between few squares."""
    colours = DIVERGING if diverging else SEQUENTIAL
    array = values.detach().float().cpu().numpy()
    scale: Any = Normalize(low, most)
    image = axes.imshow(array, norm=scale, cmap=colours, aspect=aspect, interpolation="nearest")
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    if max(array.shape) <= 40:
        L, S = array.shape
        axes.set_xticks([n - 0.5 for n in range(S + 1)], minor=True)
        axes.set_yticks([n - 0.5 for n in range(L + 1)], minor=True)
        axes.grid(visible=True, which="minor", color="#F0F0F0", linewidth=0.7)
        axes.set_axisbelow(False)
        axes.tick_params(which="minor", length=0)
    axes.tick_params(length=0)
    return image


def _words(axes: Axes, queries: Sequence[str], keys: Sequence[str]) -> None:
    """The queries to the left, the keys above, standing."""
    axes.set_yticks(range(len(queries)), list(queries), color=INK, parse_math=False)
    axes.set_xticks(
        range(len(keys)), list(keys), rotation=60, ha="left", rotation_mode="anchor",
        color=INK, parse_math=False,
    )  # fmt: skip
    axes.tick_params("x", top=False, labeltop=True, labelbottom=False, pad=2)


def _numbers(axes: Axes, values: Tensor, low: float, most: float) -> None:
    for r, row in enumerate(values.tolist()):
        for c, value in enumerate(row):
            dark = abs(value) > 0.6 * max(most, -low)
            text = f"{value:.0f}" if value == round(value) else f"{value:.2f}"
            colour = "white" if dark else FAINT if value == 0 else INK
            axes.text(c, r, text, ha="center", va="center", fontsize=7, color=colour)


def _bar(figure: Figure, image: ScalarMappable, axes: list[Axes], inches: float, unit: str) -> None:
    """What the colours stand for."""
    bar = figure.colorbar(image, ax=axes, shrink=0.9, aspect=max(8, inches * 7), pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    bar.set_label(unit)
