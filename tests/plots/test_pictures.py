"""Grids of pictures: every picture is there, in its place, and the wrong ones are marked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from fathom.plots.pictures import picture_grid, weights_grid
from fathom.plots.style import VERMILION, readable, save


def drawn(figure):
    return [np.asarray(image.get_array()) for image in figure.axes[0].images]


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_drawn_as_they_are_in_reading_order(channels):
    images = torch.randint(0, 256, (7, channels, 9, 12), dtype=torch.uint8)
    figure = picture_grid(images, columns=3)
    for image, array in zip(images, drawn(figure), strict=True):
        assert np.array_equal(array.reshape(9, 12, channels), image.permute(1, 2, 0).numpy())
    extents = [image.get_extent() for image in figure.axes[0].images]
    lefts, tops = [e[0] for e in extents], [e[3] for e in extents]
    assert lefts[0] < lefts[1] < lefts[2]
    assert lefts[3] == lefts[0]
    assert tops[0] == tops[2] > tops[3] > tops[6]


def test_black_is_0_and_white_is_255_whatever_the_picture_holds():
    image = picture_grid(torch.full((1, 1, 4, 4), 100, dtype=torch.uint8)).axes[0].images[0]
    assert image.get_clim() == (0, 255)


def test_wrong_ones_are_marked_by_colour_and_by_sign():
    images = torch.zeros(3, 1, 8, 8, dtype=torch.uint8)
    axes = picture_grid(images, ["cat", "dog", "owl"], [False, True, False]).axes[0]
    assert [text.get_text() for text in axes.texts] == ["cat", "✗ dog", "owl"]
    assert axes.texts[1].get_color() == readable(VERMILION) != axes.texts[0].get_color()
    (frame,) = axes.patches
    left, _, bottom, _ = axes.images[1].get_extent()
    assert frame.get_xy() == (left, bottom)


def test_long_titles_are_broken_and_signs_of_mathematics_are_letters(tmp_path):
    images = torch.zeros(2, 3, 60, 100, dtype=torch.uint8)
    figure = picture_grid(images, ["a photograph of an owl, 93%", "$x_1"], title="$y")
    assert [t.get_text() for t in figure.axes[0].texts] == ["a photograph of\nan owl, 93%", "$x_1"]
    save(figure, tmp_path / "grid")


@pytest.mark.parametrize("count", [0, 1, 2, 30])
def test_any_number_of_pictures_can_be_saved(tmp_path, count):
    images = torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8)
    written = save(picture_grid(images, [""] * count), tmp_path / "grid")
    with Image.open(written[1]) as picture:
        assert (picture.convert("L").getextrema()[0] < 100) == (count > 0)


def test_weights_share_one_scale_that_is_white_at_zero():
    weights = torch.randn(4, 2, 5, 5)
    figure = weights_grid(weights)
    assert np.array_equal(np.stack(drawn(figure)), weights.flatten(0, 1).numpy())
    reach = float(weights.abs().max())
    assert {image.get_clim() for image in figure.axes[0].images} == {(-reach, reach)}


def test_weights_that_are_all_zero_can_be_drawn(tmp_path):
    figure = weights_grid(torch.zeros(3, 28, 28), ["a", "b", "c"], title="first")
    low, high = figure.axes[0].images[0].get_clim()
    assert low < high
    assert all(path.stat().st_size > 0 for path in save(figure, tmp_path / "w"))
