"""Charts of numbers, read back from the axes that were drawn."""

from __future__ import annotations

import pytest

from fathom.plots.scalars import bars, histograms, lines, panels, scatter_fit
from fathom.plots.style import save


def test_each_line_is_drawn_and_named_at_its_end():
    axes = lines([1, 2, 3], {"up": [1, 2, 4], "down": [3, 2, 0]}, title="t", ylabel="y").axes[0]
    assert [list(line.get_ydata()) for line in axes.lines] == [[1, 2, 4], [3, 2, 0]]
    assert [text.get_text() for text in axes.texts] == ["up", "down"]
    assert (axes.get_title(loc="left"), axes.get_ylabel()) == ("t", "y")


def test_scales_are_logarithmic_where_asked():
    axes = lines([1, 10], {"a": [1, 100]}, log_x=True, log_y=True).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


def test_charts_beside_each_other_share_a_scale_a_legend_and_a_name_its_colour(tmp_path):
    first, second = {"a": [1, 2], "b": [2, 10]}, {"b": [3, 4]}
    figure = panels({"one": ([0, 1], first), "two": ([0, 1], second)}, xlabel="x", ylabel="y")
    one, two = figure.axes
    assert [list(line.get_ydata()) for line in one.lines] == [[1, 2], [2, 10]]
    assert [list(line.get_ydata()) for line in two.lines] == [[3, 4]]
    assert one.lines[1].get_color() == two.lines[0].get_color() != one.lines[0].get_color()
    assert one.get_ylim() == two.get_ylim()
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["one", "two"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["y", ""]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    save(figure, tmp_path / "panels")


def test_what_is_left_of_the_last_row_stays_empty():
    charts = {name: ([0, 1], {"a": [0, 1]}) for name in "wxyz"}
    figure = panels(charts, log_y=True, same_y=False)
    assert [axes.axison for axes in figure.axes] == [True] * 4 + [False] * 2
    assert figure.axes[3].get_yscale() == "log"
    assert not figure.legends


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


def test_panels_share_their_scale_and_colours():
    figure = panels(
        {
            "one": ([1, 2], {"p": [1.0, 10.0], "q": [2.0, 3.0]}),
            "two": ([1, 2], {"q": [5.0, 100.0]}),
        },
        ylabel="ms",
        log_x=True,
        log_y=True,
    )
    left, right = figure.axes
    assert left.get_ylim() == right.get_ylim()
    assert left.lines[1].get_color() == right.lines[0].get_color() != left.lines[0].get_color()
    assert right.lines[0].get_ydata() == pytest.approx([5, 100])
    assert left.get_xscale() == left.get_yscale() == "log"


def test_histograms_count_every_value():
    samples = {"a": [float(n) for n in range(100)], "b": [1.0] * 7}
    figure = histograms(samples, bins=10)
    counts = [sum(bar.get_height() for bar in axes.patches) for axes in figure.axes]
    assert counts == [100, 7]
