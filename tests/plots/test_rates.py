"""Charts of learning rates: what is drawn is what was given, and few or no points do no harm."""

from __future__ import annotations

import numpy as np
import pytest

from fathom.plots.racing import race_curves
from fathom.plots.rates import range_test, rates_over_time
from fathom.plots.style import save


def lines_of(axes):
    return [list(line.get_ydata()) for line in axes.lines]


def test_each_schedule_has_a_chart_on_the_same_scale(tmp_path):
    rates = {"flat": [0.3, 0.3, 0.3], "falling": [0.3, 0.2, 0.1]}
    figure = rates_over_time([0, 1, 2], rates, {"falling": [0.85, 0.9, 0.95]})
    charts = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left") for axes in charts] == ["flat", "falling"]
    assert [lines_of(axes)[0] for axes in charts] == list(rates.values())
    assert len({axes.get_ylim() for axes in charts}) == 1
    assert any([0.85, 0.9, 0.95] in lines_of(axes) for axes in figure.axes)
    save(figure, tmp_path / "rates")


def test_a_rule_is_marked_at_its_rate():
    rates = np.geomspace(1e-6, 10, 50)
    losses = np.linspace(2, 1, 50).tolist()
    figure = range_test(rates.tolist(), losses, losses, {"valley": float(rates[30])})
    (axes,) = figure.axes
    mark = axes.lines[-1]
    assert mark.get_xdata()[0] == pytest.approx(rates[30])
    assert mark.get_ydata()[0] == pytest.approx(losses[30])
    assert axes.get_xscale() == "log"


@pytest.mark.parametrize("steps", [1, 2, 12])
def test_a_test_that_ended_at_once_is_drawn(steps, tmp_path):
    rates = np.geomspace(1e-6, 1e-5, steps).tolist()
    losses, means = [1.0 + n for n in range(steps)], [1.0] * steps
    figure = range_test(rates, losses, means, {})
    save(figure, tmp_path / "test")
    (axes,) = figure.axes
    assert lines_of(axes) == [losses, means]
    assert all(list(line.get_xdata()) == rates for line in axes.lines)
    low, high = axes.get_ylim()
    assert low < 1.0 < high < 10, "a flat mean is in the picture, and not a hair's breadth of it"


def test_a_race_leaves_out_the_zero_of_a_logarithmic_axis():
    losses = {"one": [0.5, 0.3, 0.25], "other": [0.5, 0.26, 0.24]}
    places = {"one": [0, 200, 400], "other": [0, 200, 400]}
    figure = race_curves(
        losses, {"examples": places, "milliseconds": places}, least=0.24, log_x=("milliseconds",)
    )
    plain, logarithmic = figure.axes
    assert losses["one"] in lines_of(plain)
    assert losses["one"][1:] in lines_of(logarithmic)
    assert plain.get_ylim() == logarithmic.get_ylim()
