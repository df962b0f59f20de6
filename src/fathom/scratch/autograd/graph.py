"""Pictures of a computation: boxes in layers, with values and gradients on them (book 4.7)."""

from __future__ import annotations

from html import escape
from typing import Any, NamedTuple

import numpy as np

from fathom.scratch.autograd.tensor import Array, Tensor, history, pull_back

WIDE, HIGH, GAP, DOWN = 132, 60, 64, 80
FILL = {"input": "#dbeafe", "constant": "#f1f5f9", "operation": "#ffffff", "result": "#dcfce7"}
SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 -12 {0:g} {1:g}" width="{0:g}"
 font-family="sans-serif" font-size="13" text-anchor="middle">{2}</svg>"""
BOX = """<g transform="translate({} {})"><rect width="132" height="60" rx="8" fill="{}"
 stroke="#64748b"/><text x="66" y="18" font-weight="bold">{}</text><text x="66" y="35">{}</text>
<text x="66" y="52" fill="#b91c1c">{}</text></g>"""
LINE = '<path d="M{} {}c{:g} 0 {:g} {:g} {} {:g}h{}" fill="none" stroke="#64748b"/>'


class Node(NamedTuple):
    """A tensor in a picture; `gradient` is that of the result's sum by it, None for a constant."""

    label: str
    kind: str
    value: Array
    gradient: Array | None


def graph(z: Tensor) -> tuple[list[Node], list[tuple[int, int]]]:
    """All that z was computed from, z last, and the edges as pairs of indices into it."""
    tensors, nodes = history(z, constants=True), []
    gradients = pull_back(z, 1.0) if z.requires_grad else {}
    for x in tensors:
        kind = "operation" if x.operation else "input" if x.requires_grad else "constant"
        label = x.name or (x.operation.name if x.operation else kind)
        gradient = gradients[id(x)].data if id(x) in gradients else None
        nodes.append(Node(label, "result" if x is z else kind, x.data, gradient))
    index = {id(x): i for i, x in enumerate(tensors)}
    return nodes, [(index[id(x)], index[id(y)]) for y in tensors for x in y.inputs]


def layout(nodes: list[Node], edges: list[tuple[int, int]]) -> tuple[dict[Any, Any], list[Any]]:
    """(column, row) of each node and bend, and links: edges, with a bend in each column crossed."""
    column: dict[Any, int] = dict.fromkeys(range(len(nodes)), 0)
    for a, b in edges:
        column[b] = max(column[b], column[a] + 1)
    for a in (a for a, node in enumerate(nodes) if node.kind in ("input", "constant")):
        column[a] = min([column[end] - 1 for start, end in edges if start == a], default=0)
    links = []
    for a, b in dict.fromkeys(edges):
        bends = [(a, c) for c in range(column[a] + 1, column[b])]
        column |= {bend: bend[1] for bend in bends}
        links += [link for link in zip([a, *bends], [*bends, b], strict=True) if link not in links]
    place: dict[Any, tuple[int, float]] = {}
    for c in range(max(column.values()) + 1):
        layer = [item for item in column if column[item] == c]
        near = {i: np.mean([place[a][1] for a, b in links if b == i] or [0.0]) for i in layer}
        for row, item in enumerate(sorted(layer, key=near.__getitem__)):
            place[item] = c, row - (len(layer) - 1) / 2
    return place, links


def short(x: Array) -> str:
    numbers = ", ".join(f"{number:.4g}" for number in x.ravel()[:3])
    return numbers if x.size <= 3 and x.ndim <= 1 else " × ".join(map(str, x.shape))


def svg(z: Tensor) -> str:
    """The graph from left to right; in a box are the name, the value and, in red, the gradient."""
    nodes, edges = graph(z)
    place, links = layout(nodes, edges)
    top = min(row for _, row in place.values())
    at = {item: (c * (WIDE + GAP), (row - top) * DOWN) for item, (c, row) in place.items()}
    parts = []
    for a, b in links:
        (x, y), rise, on = at[a], at[b][1] - at[a][1], WIDE if isinstance(b, tuple) else 0
        parts.append(LINE.format(x + WIDE, y + HIGH / 2, GAP / 2, GAP / 2, rise, GAP, rise, on))
    for i, node in enumerate(nodes):
        g = "" if node.gradient is None else "∂ " + short(node.gradient)
        parts.append(BOX.format(*at[i], FILL[node.kind], escape(node.label), short(node.value), g))
    wide, high = (max(spot[k] for spot in at.values()) for k in (0, 1))
    return SVG.format(wide + WIDE + 24, high + HIGH + 24, "".join(parts))
