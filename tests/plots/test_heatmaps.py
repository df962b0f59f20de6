"""Heat maps: each number in its square, each word beside its row or above its column."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fathom.plots.heatmaps import attention_map, heatmap_grid

WEIGHTS = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])


def words(labels):
    return [label.get_text() for label in labels]


def test_a_map_has_its_words_and_the_first_query_on_top():
    figure = attention_map(WEIGHTS, ["va", "$!_"], ["go", ".", "<eos>"])
    axes = figure.axes[0]
    assert words(axes.get_yticklabels()) == ["va", "$!_"]
    assert words(axes.get_xticklabels()) == ["go", ".", "<eos>"]
    np.testing.assert_array_equal(axes.images[0].get_array(), WEIGHTS.numpy())
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert axes.images[0].norm.vmin == 0
    assert figure.axes[1].get_ylabel() == "share"
    with pytest.raises(AssertionError, match="a word for each"):
        attention_map(WEIGHTS, ["va"], ["go", ".", "<eos>"])


def test_a_grid_is_in_order_on_one_scale():
    maps = torch.arange(2 * 3 * 2 * 3).view(2, 3, 2, 3).float()
    heads = ["head 1", "head 2", "head 3"]
    figure = heatmap_grid(
        maps, rows=["layer 1", "layer 2"], columns=heads, queries=["a", "b"], keys=["c", "d", "e"]
    )
    drawn = figure.axes[:6]
    for axes, expected in zip(drawn, maps.flatten(0, 1), strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), expected.numpy())
        assert axes.images[0].norm.vmax == 35
    assert [axes.get_title(loc="center") for axes in drawn[:3]] == heads
    assert drawn[3].get_ylabel() == "layer 2\nqueries"
    assert words(drawn[0].get_yticklabels()) == ["a", "b"]
    assert words(drawn[1].get_yticklabels()) == []
    assert words(drawn[3].get_xticklabels()) == []


def test_each_map_may_have_its_own_scale():
    maps = torch.tensor([[[[1.0, 0.5]], [[3.0, 0.0]]]])
    figure = heatmap_grid(maps, columns=["a", "b"], one_scale=False)
    scales = {axes.images[0].norm.vmax for axes in figure.axes if axes.images}
    assert scales == {1, 3}
    assert len(figure.axes) == 4


def test_nothing_lies_in_the_middle_of_two_colours():
    figure = heatmap_grid(torch.tensor([[[[-0.5, 2.0]]]]), diverging=True)
    scale = figure.axes[0].images[0].norm
    assert (scale.vmin, scale.vmax) == (-2, 2)
    assert heatmap_grid(torch.zeros(1, 1, 2, 2)).axes[0].images[0].norm.vmax == 1


def test_numbers_are_written_into_their_squares():
    figure = heatmap_grid(WEIGHTS[None, None], numbers=True)
    found = {t.get_position(): t.get_text() for t in figure.axes[0].texts}
    assert found[(0, 0)] == "0.90"
    assert found[(2, 0)] == "0"
    assert found[(2, 1)] == "0.50"
