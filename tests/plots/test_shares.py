"""Distributions laid over each other: heights are parts of the whole, names are said."""

from __future__ import annotations

import pytest

from fathom.plots.shares import class_shares, densities


def test_each_density_sums_to_one_and_weights_count():
    figure = densities({"a": ([0, 1, 1, 2], [1, 1, 1, 1]), "b": ([0, 2], [3, 1])}, bins=2)
    (axes,) = figure.axes
    heights = [patch.get_data().values.tolist() for patch in axes.patches]
    assert heights == [[0.25, 0.75], [0.75, 0.25]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]


def test_bars_stand_class_by_class():
    figure = class_shares({"true": [0.2, 0.8], "found": [0.3, 0.7]}, ["x", "y"])
    (axes,) = figure.axes
    places = [bar.get_x() + bar.get_width() / 2 for bar in axes.patches]
    assert places == pytest.approx([-0.2, 0.8, 0.2, 1.2])
    assert [bar.get_height() for bar in axes.patches] == [0.2, 0.8, 0.3, 0.7]
