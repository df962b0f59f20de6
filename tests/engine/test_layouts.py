"""How a network is laid out in memory: channels last where torch does no harm there."""

from __future__ import annotations

import pytest
import torch

from fathom.core.catalogue import load
from fathom.engine.prepare import prepare

AUGMENTED = dict(data="shapes", policy=["none"], examples=1_000, batch_size=4)


@pytest.mark.parametrize(("width", "channels_last"), [(8, False), (16, True)])
def test_narrow_strided_convolutions_are_not_laid_out_channels_last(width, channels_last):
    """Torch writes past its memory on the way back through them: here it is not even tried."""
    recipe = load("augmentation")
    settings = recipe.settings({**AUGMENTED, "width": width})
    prepared = prepare(recipe, settings, seed=0, device="cpu")
    assert prepared.channels_last is channels_last
    inputs, _ = next(prepared.train.epoch(0, 0))
    assert inputs.is_contiguous(memory_format=torch.channels_last) is channels_last
    weight = prepared.experiment.model.layer1[0].conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last) is channels_last
