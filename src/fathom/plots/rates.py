"""Learning rates: over the time of a training, and the test that finds one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from fathom.plots.labels import whole_numbers
from fathom.plots.style import (
    BLUE,
    COLOURS,
    FAINT,
    VERMILION,
    new_axes,
    new_figure,
    readable,
    styled,
)

PANEL = 2.35, 1.55  # inches
IN_A_ROW = 4


def rates_over_time(
    epochs: Sequence[float],
    rates: Mapping[str, Sequence[float]],
    momenta: Mapping[str, Sequence[float]],
) -> Figure:
    """A small chart for each schedule, all on the same scales; a momentum that moves is dashed."""
    columns = min(IN_A_ROW, max(len(rates), 2))
    rows = math.ceil(len(rates) / columns)
    top = 1.08 * max(max(values) for values in rates.values())
    with styled():
        figure = new_figure(PANEL[0] * columns, PANEL[1] * rows + 0.5, "learning rate over epochs")
        for number, (name, values) in enumerate(rates.items(), 1):
            axes = figure.add_subplot(rows, columns, number)
            axes.set_title(name, fontsize=9.5)
            axes.plot(epochs, values, color=BLUE)
            axes.fill_between(epochs, values, color=BLUE, alpha=0.1, linewidth=0)
            axes.set(ylim=(0, top), xlim=(0, epochs[-1]))
            whole_numbers(axes)
            if (number - 1) % columns:
                axes.set_yticklabels([])
            if number <= len(rates) - columns:
                axes.set_xticklabels([])
            if name in momenta:
                other = axes.twinx()
                other.plot(epochs, momenta[name], color=VERMILION, linestyle=(0, (5, 1.6)))
                other.set_ylim(0.8, 1.0)
                other.set_yticks([])
                low = min(range(len(epochs)), key=momenta[name].__getitem__)
                ends = [(0, "left", "bottom"), (low, "center", "top"), (-1, "right", "bottom")]
                for index, across, up in ends:
                    at, text = (epochs[index], momenta[name][index]), f"{momenta[name][index]:.2f}"
                    text += " momentum" if across == "right" else ""
                    other.annotate(
                        text,
                        at,
                        xytext=(0, -3 if up == "top" else 3),
                        textcoords="offset points",
                        ha=across,
                        va=up,
                        fontsize=8,
                        color=readable(VERMILION),
                    )
    return figure


def range_test(
    rates: Sequence[float],
    losses: Sequence[float],
    means: Sequence[float],
    suggestions: Mapping[str, float],
) -> Figure:
    """The loss over the rate, of batches and their running mean, and what each rule says.

    A mean that runs away in the end leaves the chart.
    """
    low = min(means)
    high = max(means[: max(2, means.index(low))])
    room = 0.15 * (high - low) or 1.0
    with styled():
        figure, axes = new_axes(6.6, 3.4, "learning rate range test")
        axes.plot(rates, losses, color=FAINT, linewidth=0.8, alpha=0.6, label="loss of a batch")
        axes.plot(rates, means, color=BLUE, label="running mean")
        for number, (rule, rate) in enumerate(suggestions.items(), 1):
            index = min(range(len(rates)), key=lambda i: abs(math.log(rates[i] / rate)))
            axes.plot(
                rates[index],
                means[index],
                marker="os^"[number % 3],
                markersize=7,
                linestyle="none",
                color=COLOURS[number % len(COLOURS)],
                label=f"{rule}: {rate:.2g}",
            )
        axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
        axes.set_ylim(low - room, high + 2 * room)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
