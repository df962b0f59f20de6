"""Charts of numbers, read back from the axes that were drawn."""

from __future__ import annotations

import pytest

from fathom.plots.scalars import bars, lines, scatter_fit
from fathom.plots.style import save


def test_each_line_is_drawn_and_named_at_its_end():
    axes = lines([1, 2, 3], {"up": [1, 2, 4], "down": [3, 2, 0]}, title="t", ylabel="y").axes[0]
    assert [list(line.get_ydata()) for line in axes.lines] == [[1, 2, 4], [3, 2, 0]]
    assert [text.get_text() for text in axes.texts] == ["up", "down"]
    assert (axes.get_title(loc="left"), axes.get_ylabel()) == ("t", "y")


def test_scales_are_logarithmic_where_asked():
    axes = lines([1, 10], {"a": [1, 100]}, log_x=True, log_y=True).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


@pytest.mark.parametrize("values", [[3.4], [1.0, -2.0, 0.5]])
def test_bars_are_as_long_as_their_values_the_first_on_top(values):
    names = [f"n{number}" for number in range(len(values))]
    axes = bars(names, values).axes[0]
    assert [bar.get_width() for bar in axes.patches] == values
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    assert axes.yaxis_inverted()
    assert [text.get_text() for text in axes.texts] == [f"{value:.4g}" for value in values]


def test_a_fit_that_runs_away_leaves_the_chart_of_the_data(tmp_path):
    wild = {"wild": ([0.0, 1.0], [-1000.0, 1000.0])}
    figure = scatter_fit([0, 1, 2], [1.0, 2.0, 3.0], wild, xlabel="x", ylabel="y")
    low, high = figure.axes[0].get_ylim()
    assert 0.5 < low < 1
    assert 3 < high < 3.5
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert names == ["data", "wild"]
    save(figure, tmp_path / "fit")
