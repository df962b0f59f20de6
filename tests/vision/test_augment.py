"""Augmentation: against one picture at a time, and a function of seed, epoch and index alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fathom.core.order import uniforms
from fathom.vision.augment import compose, random_crop, random_flip

TRANSFORMS = {
    "flip": random_flip(),
    "crop": random_crop(3),
    "both": compose(random_crop(2), random_flip()),
}


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.randint(0, 256, (60, 3, 10, 12), dtype=torch.uint8)


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


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_type_and_shape_are_kept_and_the_batch_is_not_written_on(pictures, name, dtype):
    batch = pictures.to(dtype)
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
