"""How long sentences are: a histogram of both languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fathom.plots.style import COLOURS, FAINT, new_axes, styled

MOST = 30  # the last bar holds what is longer


def length_histogram(
    lengths: Mapping[str, Sequence[int]], *, limit: int | None = None, title: str = ""
) -> Figure:
    """For each side how many sentences have so many tokens; what `limit` cuts is to its right."""
    longest = min(MOST, max(max(found) for found in lengths.values()))
    places = np.arange(1, longest + 1)
    width = 0.8 / len(lengths)
    with styled():
        figure, axes = new_axes(6.4, 3.2, title)
        for number, (name, found) in enumerate(lengths.items()):
            counts = np.bincount(np.minimum(found, longest), minlength=longest + 1)[1:]
            left = places + (number - (len(lengths) - 1) / 2) * width
            axes.bar(left, counts, width, color=COLOURS[number], label=name)
        if limit is not None and limit < longest:
            axes.axvline(limit + 0.5, color=FAINT, linewidth=1, linestyle=(0, (3, 2)))
            words: dict[str, Any] = {"color": FAINT, "fontsize": 8.5, "va": "top"}
            top = axes.get_ylim()[1]
            axes.annotate("cut", (limit + 0.5, top), (4, -2), textcoords="offset points", **words)
        ticks = [place for place in places if place == 1 or place % 5 == 0]
        more = "+" if max(max(found) for found in lengths.values()) > longest else ""
        axes.set_xticks(ticks, [f"{t}{more if t == longest else ''}" for t in ticks])
        axes.set(xlabel="tokens of a sentence", ylabel="sentences")
        axes.grid(visible=False, axis="x")
        axes.legend()
    return figure
