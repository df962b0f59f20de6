"""Augmentation: against one picture at a time, and a function of seed, epoch and index alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fathom.core.order import derive, uniforms
from fathom.vision import colour
from fathom.vision.augment import (
    colour_jitter,
    compose,
    cutout,
    random_crop,
    random_flip,
    random_resized_crop,
)
from fathom.vision.random_augment import OPERATIONS, random_augment

TRANSFORMS = {
    "flip": random_flip(),
    "crop": random_crop(3),
    "both": compose(random_crop(2), random_flip()),
    "resized crop": random_resized_crop(flip=True),
    "colour": colour_jitter(0.5, 0.5, 0.5, 0.5),
    "cutout": cutout(4),
    "random": random_augment(2, 0.7),
}


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.rand(60, 3, 10, 12, generator=torch.Generator().manual_seed(0))


def test_flip_is_numpys_for_the_chosen(pictures):
    indices = torch.arange(100, 160)
    flipped = random_flip(0.3)(pictures, indices, 5, 2)
    chosen = uniforms(indices, 5, 2, 1)[:, 0] < 0.3
    assert 0 < chosen.sum() < 60
    for before, after, turned in zip(pictures, flipped, chosen, strict=True):
        expected = np.flip(before.numpy(), -1) if turned else before.numpy()
        assert np.array_equal(after.numpy(), expected)


def test_crop_is_a_window_of_the_padded_picture(pictures):
    indices = torch.arange(60)
    cropped = random_crop(3)(pictures, indices, 5, 2)
    corners = (uniforms(indices, 5, 2, 2) * 7).long()
    assert {0, 6} <= set(corners.flatten().tolist())
    for before, after, (y, x) in zip(pictures, cropped, corners.tolist(), strict=True):
        padded = np.pad(before.numpy(), ((0, 0), (3, 3), (3, 3)))
        assert np.array_equal(after.numpy(), padded[:, y : y + 10, x : x + 12])


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_picture_fares_alike_in_any_batch(pictures, name):
    transform = TRANSFORMS[name]
    indices = torch.arange(60)
    whole = transform(pictures, indices, 1, 4)
    order = torch.randperm(60)
    assert torch.equal(transform(pictures[order], indices[order], 1, 4), whole[order])
    assert torch.equal(transform(pictures[7:9], indices[7:9], 1, 4), whole[7:9])


@pytest.mark.parametrize("name", TRANSFORMS)
def test_epochs_and_seeds_differ(pictures, name):
    seen = [
        TRANSFORMS[name](pictures, torch.arange(60), *when) for when in [(1, 4), (1, 5), (2, 4)]
    ]
    assert not torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, torch.float32) for name in TRANSFORMS]
    + [(name, torch.uint8) for name in ("flip", "crop", "both", "cutout")],
)
def test_type_and_shape_are_kept_and_the_batch_is_not_written_on(pictures, name, dtype):
    batch = (pictures * 255).to(dtype) if dtype == torch.uint8 else pictures
    before = batch.clone()
    after = TRANSFORMS[name](batch, torch.arange(60), 0, 0)
    assert (after.shape, after.dtype) == (batch.shape, dtype)
    assert torch.equal(batch, before)


def test_composed_transforms_draw_apart():
    """Two flips, each for half of the pictures, leave about half turned: never none, never all."""
    picture = torch.tensor([0, 1], dtype=torch.uint8).expand(2000, 1, 1, 2)
    twice = compose(random_flip(), random_flip())(picture, torch.arange(2000), 3, 0)
    assert 0.45 < (twice[:, 0, 0, 0] == 1).float().mean() < 0.55


def test_flips_are_even():
    picture = torch.tensor([0, 1], dtype=torch.uint8).expand(4000, 1, 1, 2)
    turned = random_flip(0.25)(picture, torch.arange(4000), 0, 0)[:, 0, 0, 0]
    assert 0.22 < turned.float().mean() < 0.28


def test_resized_crops_are_of_the_area_and_ratio():
    """A picture of its own coordinates tells what was cut out of it."""
    H, W = 40, 60
    y, x = torch.meshgrid(torch.arange(H) + 0.5, torch.arange(W) + 0.5, indexing="ij")
    batch = torch.stack([x, y]).expand(300, 2, H, W)
    cut = random_resized_crop((0.1, 0.5), (0.5, 2.0), flip=True)(batch, torch.arange(300), 0, 0)
    width = (cut[:, 0, 20, -6] - cut[:, 0, 20, 5]) / (W - 11) * W  # away from the border
    height = (cut[:, 1, -6, 30] - cut[:, 1, 5, 30]) / (H - 11) * H
    assert 0.4 < (width < 0).float().mean() < 0.6
    area, ratio = width.abs() * height / (H * W), width.abs() / height
    assert (area.min() - 0.1).abs() < 0.02
    assert 0.45 < area.max() < 0.501
    assert (ratio.min() - 0.5).abs() < 0.03
    assert (ratio.max() - 2).abs() < 0.1
    assert 0.4 < (ratio < 1).float().mean() < 0.6  # even on a logarithmic scale
    assert cut[:, 0].min() >= 0.5
    assert cut[:, 0].max() <= W - 0.5


def test_jitter_is_its_steps_in_turn(pictures):
    indices = torch.arange(60)
    found = colour_jitter(0.4, 0.3, 0.2, 0.1)(pictures, indices, 1, 2)
    lots = uniforms(indices, 1, 2, 4) * 2 - 1
    expected = colour.brightness(pictures, 1 + 0.4 * lots[:, 0])
    expected = colour.contrast(expected, 1 + 0.3 * lots[:, 1])
    expected = colour.saturation(expected, 1 + 0.2 * lots[:, 2])
    assert torch.equal(found, colour.hue(expected, 0.1 * lots[:, 3]))
    assert torch.equal(colour_jitter()(pictures, indices, 1, 2), pictures)


def test_cutout_blackens_one_square():
    batch = torch.ones(200, 2, 16, 20)
    cut = cutout(6)(batch, torch.arange(200), 0, 0)[:, 0] == 0
    sizes = set()
    for square in cut:
        rows, columns = int(square.any(1).sum()), int(square.any(0).sum())
        assert square.sum() == rows * columns
        sizes.add((rows, columns))
    assert max(sizes) == (6, 6)
    assert min(rows for rows, _ in sizes) == 3  # half of it sticks out


def test_random_augment_is_its_operations_in_turn(pictures):
    indices = torch.arange(60)
    found = random_augment(2, 0.7)(pictures, indices, 4, 1)
    names, drawn = list(OPERATIONS), set()
    for i, picture in enumerate(pictures):
        expected = picture[None]
        for turn in range(2):
            lot, coin = uniforms(indices, derive(4, turn), 1, 2)[i].tolist()
            name = names[int(lot * len(names))]
            sign = torch.tensor([-0.7 if coin < 0.5 else 0.7])
            expected = OPERATIONS[name](expected, sign)
            drawn.add(name)
        torch.testing.assert_close(found[i], expected[0])
    assert drawn == set(names)


def test_no_strength_is_no_change(pictures):
    still = [name for name in OPERATIONS if name not in ("autocontrast", "equalise", "solarise")]
    bytes_only = (pictures * 255).round() / 255
    for name in still:
        found = OPERATIONS[name](bytes_only, torch.zeros(60))
        torch.testing.assert_close(found, bytes_only, rtol=0, atol=1e-5)
