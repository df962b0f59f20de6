"""Colours: against Pillow's enhancers and operations, and the standard library's colour models."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from fathom.vision import colour

BYTE = 1 / 255


@pytest.fixture
def pictures() -> torch.Tensor:
    """Bytes: noise, a smooth one of few levels, one in the dark, a flat one."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (3, 20, 24), generator=generator)
    smooth = (torch.arange(24) * 5 + torch.arange(20)[:, None] * 3).expand(3, 20, 24)
    smooth = torch.stack([smooth[0], smooth[1] // 2 + 60, 250 - smooth[2]])
    dark = noise // 3 + 5
    return torch.stack([noise, smooth, dark, torch.full_like(noise, 77)]).to(torch.uint8)


def pillow(picture: torch.Tensor) -> Image.Image:
    array = picture.permute(1, 2, 0).numpy()
    return Image.fromarray(array if array.shape[2] == 3 else array[:, :, 0])


def back(image: Image.Image) -> torch.Tensor:
    array = torch.from_numpy(np.array(image)).float() / 255
    return array.permute(2, 0, 1) if array.dim() == 3 else array[None]


def assert_as(found: torch.Tensor, expected: list[Image.Image], within: float) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours - back(theirs)).abs().max() <= within * BYTE + 1e-6


@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.7])
@pytest.mark.parametrize(
    ("function", "enhancer"),
    [
        (colour.brightness, ImageEnhance.Brightness),
        (colour.contrast, ImageEnhance.Contrast),
        (colour.saturation, ImageEnhance.Color),
        (colour.sharpness, ImageEnhance.Sharpness),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_enhancers(pictures, function, enhancer, factor, channels):
    """Pillow rounds to bytes, the grey that it mixes with before the result: so two apart."""
    pictures = pictures[:, :channels]
    found = function(pictures.float() / 255, torch.full((4,), factor))
    expected = [enhancer(pillow(picture)).enhance(factor) for picture in pictures]
    assert_as(found, expected, within=2 if function is not colour.brightness else 1)


def test_each_picture_has_its_own_strength(pictures):
    floats, strengths = pictures.float() / 255, torch.tensor([0.2, 0.8, 1.3, 1.9])
    for function in (colour.brightness, colour.contrast, colour.saturation, colour.sharpness):
        whole = function(floats, strengths)
        for i in range(4):
            one = function(floats[i : i + 1], strengths[i : i + 1])
            torch.testing.assert_close(one[0], whole[i])


def test_operations(pictures):
    floats, whole = pictures.float() / 255, torch.ones(4)
    images = [pillow(picture) for picture in pictures]
    for threshold in (0, 90, 128, 255):
        expected = [ImageOps.solarize(image, threshold) for image in images]
        assert_as(colour.solarise(floats, whole * threshold / 255), expected, within=0)
    for bits in range(1, 9):
        expected = [ImageOps.posterize(image, bits) for image in images]
        assert_as(colour.posterise(floats, whole * bits), expected, within=0)
    assert_as(colour.equalise(floats), [ImageOps.equalize(image) for image in images], within=0)
    assert_as(
        colour.autocontrast(floats), [ImageOps.autocontrast(image) for image in images], within=1
    )


@pytest.mark.parametrize("turn", [-0.5, -0.1, 0.0, 0.25, 0.4])
def test_hue_turns_the_wheel(turn):
    generator = torch.Generator().manual_seed(1)
    pixels = torch.rand(1, 3, 9, 11, generator=generator, dtype=torch.float64)
    pixels[0, :, 0, 0] = 0.3  # grey
    found = colour.hue(pixels, torch.tensor([turn], dtype=torch.float64))
    for before, after in zip(
        pixels[0].flatten(1).T.tolist(), found[0].flatten(1).T.tolist(), strict=True
    ):
        h, s, v = colorsys.rgb_to_hsv(*before)
        assert after == pytest.approx(colorsys.hsv_to_rgb((h + turn) % 1, s, v), abs=1e-9)


def test_grey_has_no_hue():
    pictures = torch.rand(2, 1, 5, 5)
    assert torch.equal(colour.hue(pictures, torch.tensor([0.3, 0.1])), pictures)
