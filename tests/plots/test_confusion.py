"""Confusion matrices as figures: every count in its square, the scores at its sides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image

from fathom.metrics import precision, recall
from fathom.plots.confusion import confusion_figure
from fathom.plots.style import BLUE, VERMILION, save

COUNTS = torch.tensor([[7, 3, 0], [0, 5, 0], [0, 0, 0]])


def drawn(counts, names, **more):
    return confusion_figure(counts, names, recall(counts), precision(counts), **more)


def test_counts_stand_in_their_squares_and_scores_beside_them():
    axes = drawn(COUNTS, ["cat", "dog", "$owl"]).axes[0]
    written = {text.get_text(): text.get_position() for text in axes.texts}
    assert {written["7"], written["3"], written["5"]} == {(0, 0), (1, 0), (1, 1)}
    assert written["3"] == (1, 0), "column what it was taken for, row what it is"
    assert "0" not in written
    rates = [text.get_text() for text in axes.texts if "%" in text.get_text()]
    assert sorted(rates) == sorted(["70%", "100%", "100%", "62%"]), "none for a class of none"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog", "$owl"]


def test_blue_is_right_and_vermilion_wrong_and_white_nothing():
    colours = np.asarray(drawn(COUNTS, ["a", "b", "c"]).axes[0].images[0].get_array())
    assert np.array_equal(colours[0, 2], [1, 1, 1])
    assert np.array_equal(colours[2, 2], [1, 1, 1])
    for cell, full, share in (((1, 1), BLUE, 1.0), ((0, 1), VERMILION, 0.3)):
        expected = 1 - 0.9 * np.sqrt(share) * (1 - np.array(to_rgb(full)))
        assert np.allclose(colours[cell], expected)


@pytest.mark.parametrize("classes", [1, 2, 22, 60])
def test_any_number_of_classes_and_any_names_can_be_saved(tmp_path, classes):
    names = [f"{'a very long name of a class ' * (n % 2)}{n}" for n in range(classes)]
    counts = torch.randint(0, 9, (classes, classes))
    png = save(drawn(counts, names, title="held out"), tmp_path / "matrix")[1]
    with Image.open(png) as picture:
        assert max(picture.size) < 3000
