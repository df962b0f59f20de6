"""Charts of distributions laid over each other: of numbers, weighted, and of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from fathom.plots.style import COLOURS, DASHES, new_axes, styled

HEIGHT = 3.2  # inches
HATCHES = ["", "///", "...", "xx"]  # tell neighbours apart without colours too


def densities(
    samples: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    title: str = "",
    xlabel: str = "",
    bins: int = 30,
) -> Figure:
    """{name: (values, weights)}: what part of the weight is in each bin, as steps; the first is
    filled, for the others to be compared with."""
    every = np.concatenate([np.asarray(values) for values, _ in samples.values()])
    edges = np.linspace(every.min(), every.max(), bins + 1)
    with styled():
        figure, axes = new_axes(6.0, HEIGHT, title)
        for number, (name, (values, weights)) in enumerate(samples.items()):
            heights, _ = np.histogram(values, edges, weights=weights)
            axes.stairs(
                heights / heights.sum(),
                edges,
                label=name,
                color=COLOURS[number],
                linestyle=DASHES[number],
                linewidth=1.8,
                fill=number == 0,
                alpha=0.3 if number == 0 else 1.0,
            )
        axes.set(xlabel=xlabel, ylabel="part of the examples", ylim=(0, None))
        axes.legend(loc="best")
    return figure


def class_shares(
    shares: Mapping[str, Sequence[float]],
    classes: Sequence[str],
    *,
    title: str = "",
    xlabel: str = "",
) -> Figure:
    """{name: a share for each class}: bars beside each other, class by class."""
    places = np.arange(len(classes))
    width = 0.8 / len(shares)
    with styled():
        figure, axes = new_axes(6.4, HEIGHT, title)
        for number, (name, heights) in enumerate(shares.items()):
            axes.bar(
                places + (number - (len(shares) - 1) / 2) * width,
                heights,
                width * 0.92,
                label=name,
                color=COLOURS[number],
                hatch=HATCHES[number % len(HATCHES)],
                edgecolor="white",
                linewidth=0,
            )
        axes.set_xticks(places, list(classes))
        axes.tick_params("x", length=0)
        axes.grid(visible=False, axis="x")
        axes.set(xlabel=xlabel, ylabel="share")
        axes.legend(loc="best")
    return figure
