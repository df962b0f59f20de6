"""Cuts and affine maps: against Pillow one picture at a time, and SciPy's interpolation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from fathom.vision import geometry


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.rand(6, 2, 17, 23, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [(9, 12), (17, 23), (40, 31)])
def test_a_cut_is_resized_as_pillow_does(pictures, size):
    """Pillow in single precision ("F"): boxes at any fraction of a pixel."""
    lots = torch.rand(6, 4, generator=torch.Generator().manual_seed(1))
    left, top = lots[:, 0] * 10, lots[:, 1] * 8
    boxes = torch.stack([left, top, left + 3 + lots[:, 2] * 10, top + 3 + lots[:, 3] * 6], dim=1)
    boxes[0] = torch.tensor([0, 0, 23, 17])
    found = geometry.crop_and_resize(pictures, boxes, size)
    for picture, box, ours in zip(pictures, boxes.tolist(), found, strict=True):
        for channel, plane in zip(picture, ours, strict=True):
            image = Image.fromarray(channel.numpy())
            whole = image.resize((size[1], size[0]), Image.Resampling.BILINEAR, box=box)
            assert np.abs(np.array(whole) - plane.numpy()).max() < 1e-5


def test_a_mirrored_box(pictures):
    box = torch.tensor([[3.0, 2.0, 15.0, 11.0]]).expand(6, 4)
    plain = geometry.crop_and_resize(pictures, box, (8, 10))
    mirrored = geometry.crop_and_resize(pictures, box[:, [2, 1, 0, 3]], (8, 10))
    torch.testing.assert_close(mirrored, plain.flip(3))


def matrices() -> dict[str, torch.Tensor]:
    numbers = torch.linspace(-0.6, 0.7, 6)
    return {
        "rotation": geometry.rotation(numbers),
        "shear": geometry.shear(numbers, numbers.flip(0) / 2),
        "translation": geometry.translation(numbers * 10, numbers * -7),
    }


@pytest.mark.parametrize("name", ["rotation", "shear", "translation"])
def test_affine_is_scipys(pictures, name):
    """SciPy counts rows before columns, and pixels from the corner's centre."""
    found = geometry.affine(pictures.double(), matrices()[name].double(), fill=0.25)
    H, W = pictures.shape[2:]
    centre = np.array([(H - 1) / 2, (W - 1) / 2])
    for picture, matrix, ours in zip(
        pictures.double().numpy(), matrices()[name].double().numpy(), found.numpy(), strict=True
    ):
        linear, shift = matrix[::-1, 1::-1], matrix[::-1, 2]
        offset = centre + shift - linear @ centre
        for channel, plane in zip(picture, ours, strict=True):
            expected = ndimage.affine_transform(
                np.pad(channel, 1, constant_values=0.25),
                linear,
                offset=offset + 1,
                output_shape=(H, W),
                order=1,
                cval=0.25,
            )
            assert np.abs(expected - plane).max() < 1e-9


def test_words_mean_what_they_say():
    """A quarter turn clockwise is np.rot90 backwards; two pixels right are two pixels right."""
    picture = torch.rand(1, 1, 8, 8)
    turned = geometry.affine(picture, geometry.rotation(torch.tensor([math.pi / 2])))
    torch.testing.assert_close(turned[0, 0], torch.rot90(picture[0, 0], -1), rtol=0, atol=1e-5)
    moved = geometry.affine(picture, geometry.translation(torch.tensor([2.0]), torch.tensor([1.0])))
    torch.testing.assert_close(moved[0, 0, 1:, 2:], picture[0, 0, :-1, :-2], rtol=0, atol=1e-5)
    assert not moved[0, 0, 0].any()
    sheared = geometry.affine(picture, geometry.shear(torch.tensor([1.0]), torch.tensor([0.0])))
    top = (picture[0, 0, 0, 3:7] + picture[0, 0, 0, 4:8]) / 2  # three and a half pixels left
    torch.testing.assert_close(sheared[0, 0, 0, :4], top, rtol=0, atol=1e-5)
