"""A race of optimisers: what each had reached after so many examples, and after so much time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from fathom.plots.style import COLOURS, DASHES, FAINT, new_figure, styled

WIDTH, HEIGHT = 8.4, 3.3  # inches
HEADROOM = 1.35  # times the least loss that is still shown: where all begin is seen anyway


def race_curves(
    losses: Mapping[str, Sequence[float]],
    against: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    least: float,
    log_x: Sequence[str] = (),
) -> Figure:
    """A chart for each quantity of `against`: {"examples": {name: where its losses were taken}}.

    `least` is the lowest loss there can be; the charts end somewhat above it. A quantity in
    `log_x` runs along a logarithmic axis, without its zero.
    """
    names = list(losses)
    worst = max(min(values) for values in losses.values())
    top = max(HEADROOM * least, min(1.1 * worst, max(map(max, losses.values()))))
    with styled():
        figure = new_figure(WIDTH, HEIGHT)
        row = figure.subplots(1, len(against), sharey=True, squeeze=False)[0]
        for axes, (quantity, places) in zip(row, against.items(), strict=True):
            axes.axhline(least, color=FAINT, linewidth=0.9, linestyle=(0, (2, 2)))
            for number, name in enumerate(names):
                start = 1 if quantity in log_x else 0
                axes.plot(
                    places[name][start:],
                    losses[name][start:],
                    color=COLOURS[number % len(COLOURS)],
                    linestyle=DASHES[number % len(DASHES)],
                    linewidth=1.6,
                    label=name,
                )
            axes.set_xscale("log" if quantity in log_x else "linear")
            axes.set_xlabel(quantity)
            axes.set_ylim(least - 0.06 * (top - least), top)
        row[0].set_ylabel("loss on all examples")
        row[0].text(
            0.99, 0.005, "least possible", color=FAINT, fontsize=8,
            ha="right", va="bottom", transform=row[0].transAxes,
        )  # fmt: skip
        row[0].legend(loc="upper right")
    return figure
