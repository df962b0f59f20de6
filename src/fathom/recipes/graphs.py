"""The graph of a computation on `fathom.scratch.autograd`, as a figure."""

from __future__ import annotations

from matplotlib.figure import Figure

from fathom.plots.graphs import Box, computation
from fathom.scratch.autograd import Tensor
from fathom.scratch.autograd.graph import graph, layout, short


def drawn(z: Tensor, *, title: str = "") -> Figure:
    """All that z was computed from, each box with its value and the gradient of z by it."""
    nodes, edges = graph(z)
    place, links = layout(nodes, edges)
    boxes = [
        Box(
            node.label,
            short(node.value),
            "" if node.gradient is None else "∂ " + short(node.gradient),
            node.kind,
        )
        for node in nodes
    ]
    return computation(boxes, place, links, title=title)
