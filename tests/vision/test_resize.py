"""Resizing against torch's interpolation and Pillow's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from fathom.vision import resize as module
from fathom.vision.resize import resize, weights

SIZES = [
    ((1, 28, 28), (96, 96)),
    ((3, 50, 37), (20, 31)),
    ((3, 16, 17), (5, 40)),
    ((2, 9, 9), (9, 4)),
    ((1, 64, 64), (63, 65)),
    ((3, 7, 11), (1, 1)),
    ((1, 1, 1), (5, 3)),
]


def interpolate(images, size):
    return torch.nn.functional.interpolate(images, size, mode="bilinear", antialias=True)


@pytest.mark.parametrize(("shape", "size"), SIZES)
def test_floats_are_as_torch_interpolates_them(shape, size):
    images = torch.rand(5, *shape, dtype=torch.float64)
    torch.testing.assert_close(resize(images, size), interpolate(images, size))


@pytest.mark.parametrize(("shape", "size"), SIZES)
def test_bytes_are_the_exact_value_rounded(shape, size):
    images = torch.randint(0, 256, (5, *shape), dtype=torch.uint8)
    exact = interpolate(images.double(), size)
    resized = resize(images, size)
    assert resized.dtype == torch.uint8
    assert (resized.double() - exact).abs().max() <= 0.5 + 1e-4


@pytest.mark.parametrize(("shape", "size"), SIZES)
def test_bytes_are_within_one_level_of_pillow(shape, size):
    """Pillow rounds twice, once after the columns and once after the rows."""
    images = torch.randint(0, 256, (2, *shape), dtype=torch.uint8)
    theirs = [
        np.array(Image.fromarray(plane).resize(size[::-1], Image.Resampling.BILINEAR))
        for plane in images.flatten(0, 1).numpy()
    ]
    ours = resize(images, size).flatten(0, 1).numpy().astype(int)
    assert np.abs(ours - np.stack(theirs).astype(int)).max() <= 1


def test_one_number_is_both_sizes():
    assert resize(torch.rand(2, 3, 10, 12), 7).shape == (2, 3, 7, 7)


def test_its_own_size_is_left_as_it_is():
    images = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    assert resize(images, 8) is images


def test_no_pictures_are_no_pictures():
    assert resize(torch.empty(0, 3, 8, 8), 4).shape == (0, 3, 4, 4)


def test_parts_and_whole_are_the_same(monkeypatch):
    images = torch.rand(23, 3, 12, 12)
    whole = resize(images, 30)
    monkeypatch.setattr(module, "PIXELS_AT_A_TIME", 4 * 3 * 30 * 30)
    torch.testing.assert_close(resize(images, 30), whole)


def test_half_precision_is_summed_in_single():
    images = torch.rand(2, 1, 256, 256).to(torch.bfloat16)
    expected = interpolate(images.float(), (8, 8)).to(torch.bfloat16)
    assert torch.equal(resize(images, 8), expected)


@pytest.mark.parametrize(("size_in", "size_out"), [(28, 96), (375, 224), (5, 5), (3, 1)])
def test_weights_share_out_one(size_in, size_out):
    found = weights(size_in, size_out, torch.float64)
    torch.testing.assert_close(found.sum(1), torch.ones(size_out, dtype=torch.float64))
    assert (found >= 0).all()


def test_layout_and_memory_do_not_matter():
    images = torch.rand(4, 3, 20, 18)
    last = images.to(memory_format=torch.channels_last)
    torch.testing.assert_close(resize(last, (9, 30)), resize(images, (9, 30)))
