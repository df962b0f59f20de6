"""Trees of search: every beginning that was followed, step by step from left to right.

A path that was taken to its end is drawn broad; two of them show where they part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fathom.plots.style import BLUE, FAINT, INK, ORANGE, new_figure, readable, styled

Path = tuple[str, ...]
EDGE = "#B5B5B5"
ROW, COLUMN = 0.36, 1.05  # inches
STROKES = ((BLUE, 5.5, "-"), (ORANGE, 2.0, (0, (2, 1.2))))  # the second is seen on the first


def search_tree(nodes: Mapping[Path, str], paths: Mapping[str, Path], *, title: str = "") -> Figure:
    """A note, such as a probability, for each beginning; up to two named paths, from the root on.

    With a beginning, all beginnings of it are there.
    """
    assert len(paths) <= len(STROKES), "two can be told apart"
    rows = _rows(list(nodes))
    depth, height = max(map(len, nodes)), max(rows.values()) + 1
    with styled():
        wide = max((depth + 0.9) * COLUMN, 0.085 * len(title), 4.0)
        figure = new_figure(wide, height * ROW + 1.15, title)
        axes = figure.add_subplot()
        axes.set(xlim=(-0.15, depth + 0.75), ylim=(height - 0.3, -0.85))
        axes.set_axis_off()
        for step in range(1, depth + 1):
            axes.text(step, -0.75, f"step {step}", color=readable(FAINT), fontsize=8.5, va="center")
        for node in nodes:
            _edge(axes, rows, node, EDGE, 0.9, "-")
        for (colour, width, dashes), path in zip(STROKES, paths.values(), strict=False):
            for end in range(1, len(path) + 1):
                _edge(axes, rows, path[:end], colour, width, dashes)
        on = {path[:end] for path in paths.values() for end in range(len(path) + 1)}
        for node, note in nodes.items():
            _words(axes, len(node), rows[node], node[-1], note, taken=node in on)
        axes.plot(0, rows[()], "o", color=INK, markersize=6)
        strokes = [
            Line2D([], [], color=colour, lw=width, ls=dashes, label=name)
            for (colour, width, dashes), name in zip(STROKES, paths, strict=False)
        ]
        figure.legend(handles=strokes, loc="outside lower left", ncols=2)
    return figure


def _rows(nodes: Sequence[Path]) -> dict[Path, float]:
    """Leaves below each other in the order in which they were found; the rest amid its children."""
    children: dict[Path, list[Path]] = {}
    for node in nodes:
        children.setdefault(node[:-1], []).append(node)
    rows: dict[Path, float] = {}

    def place(node: Path, free: int) -> int:
        if node not in children:
            rows[node] = free
            return free + 1
        for child in children[node]:
            free = place(child, free)
        rows[node] = (rows[children[node][0]] + rows[children[node][-1]]) / 2
        return free

    place((), 0)
    return rows


def _edge(
    axes: Axes, rows: Mapping[Path, float], node: Path, colour: str, width: float, dashes: object
) -> None:
    x, y, above = len(node), rows[node], rows[node[:-1]]
    start = x - 1 + (0.62 if len(node) > 1 else 0.0)
    bends = [start, start + 0.14, x - 0.12, x - 0.04]
    axes.plot(bends, [above, above, y, y], color=colour, lw=width, ls=dashes, zorder=1)


def _words(axes: Axes, x: float, y: float, word: str, note: str, *, taken: bool) -> None:
    weight, colour = ("bold", INK) if taken else ("normal", readable(FAINT))
    axes.text(x, y - 0.04, word, color=colour, weight=weight, va="bottom", parse_math=False)
    axes.text(x, y + 0.04, note, color=readable(FAINT), fontsize=7.5, va="top")
