"""Eigenvalues in the complex plane, beside the unit circle that decides what grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Circle

from fathom.plots.style import COLOURS, FAINT, MARKERS, new_axes, styled

SIDE = 3.8  # inches


def spectra(values: Mapping[str, Sequence[complex]], title: str = "") -> Figure:
    """The eigenvalues of each, {name: numbers}; whose powers grow has some outside the circle."""
    with styled():
        figure, axes = new_axes(SIDE + 1.5, SIDE, title)
        axes.add_patch(Circle((0, 0), 1, fill=False, color=FAINT, linestyle="--", linewidth=1))
        for number, (name, numbers) in enumerate(values.items()):
            axes.plot(
                [z.real for z in numbers],
                [z.imag for z in numbers],
                MARKERS[number % len(MARKERS)],
                color=COLOURS[number % len(COLOURS)],
                label=name,
                markersize=4.5,
                alpha=0.85,
                markeredgewidth=0,
            )
        far = 1.08 * max([1.0, *(abs(z) for numbers in values.values() for z in numbers)])
        axes.set(xlim=(-far, far), ylim=(-far, far), xlabel="real", ylabel="imaginary")
        axes.set_aspect("equal")
        figure.legend(loc="outside right center")
    return figure
