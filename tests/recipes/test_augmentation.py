"""Which pictures an epoch sees: the policy's, and plain ones where accuracy is measured."""

from __future__ import annotations

import pytest
import torch

from fathom.core.errors import SettingError
from fathom.data.images import load_pictures
from fathom.recipes.augmentation import augmentation, sheet, treatment_of
from fathom.vision.augment import random_flip


@pytest.fixture(scope="module")
def pictures():
    return load_pictures("shapes")


def test_a_flip_is_all_that_the_book_does(pictures):
    treatment = treatment_of(["flip"], pictures)
    assert treatment.mix is None
    batch, indices = pictures.train.images[:50].float() / 255, torch.arange(50)
    assert treatment.transform is not None
    # `compose` gives each step random numbers of its own: half are turned, whichever they are.
    turned = treatment.transform(batch, indices, 0, 0)
    same = (turned == batch).flatten(1).all(1)
    assert torch.equal(turned[~same], batch[~same].flip(-1))
    assert 10 < same.sum() < 40
    assert not torch.equal(turned, random_flip()(batch, indices, 0, 1))


def test_training_varies_and_measuring_does_not(pictures):
    experiment = augmentation(data="shapes", policy=["colour", "cutmix"], width=4, batch_size=50)
    inputs, shares = next(experiment.train.epoch(0, 0))
    assert shares.shape == (50, len(pictures.classes))
    assert inputs.min() >= 0
    assert inputs.max() <= 1
    held, labels = next(experiment.valid.epoch(0, 0))
    assert torch.equal(held, pictures.valid.images[: len(held)].float() / 255)
    assert labels.dtype == torch.int64
    outputs = experiment.model(inputs)
    for score in (experiment.objective, *experiment.metrics.values()):
        assert torch.isfinite(score(outputs, shares))


def test_the_sheet_has_a_row_for_each_picture(pictures):
    figure = sheet(pictures, treatment_of(["resized-crop", "random"], pictures))
    assert "what each epoch sees" in [text.get_text() for text in figure.texts] + [
        figure.get_suptitle()
    ]


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (["none", "flip"], "--policy none: leaves room for nothing else"),
        (["mixup", "cutmix"], "--policy mixup,cutmix: mixes twice"),
    ],
)
def test_policies_that_exclude_each_other(pictures, policy, told):
    with pytest.raises(SettingError, match=told):
        treatment_of(policy, pictures)
    assert treatment_of(["none"], pictures).transform is None
