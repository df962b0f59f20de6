"""The benchmarks of enlarging, varying and residual networks: their contenders do the same work."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from learning import losses
from PIL import Image

import fathom.bench.pipeline as cases
import fathom.recipes.modern_cnn
from fathom.bench.pictures import OneByOne
from fathom.data.images import Pictures, PictureSet, load_pictures

SMALL = 32


@pytest.fixture
def few_pictures(monkeypatch):
    """Sixty-four pictures in the place of Fashion-MNIST, a small network in that of ResNet-18."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(50, (64, 1, 28, 28), generator=generator, dtype=torch.uint8)
    labels = torch.randint(10, (64,), generator=generator)
    images[labels == 5] += 150
    labels[:40] = 5
    split = Pictures(images, labels, 10)
    few = PictureSet("few", split, split, load_pictures("digits").classes)

    def loaded(name, size=28):
        return few.resized(size)

    cases._pictures.cache_clear()
    for module in (cases, fathom.recipes.modern_cnn):
        monkeypatch.setattr(module, "load_pictures", loaded)
    monkeypatch.setattr(cases, "SIDE", SMALL)
    monkeypatch.setattr(cases, "ENLARGED", 64)
    monkeypatch.setattr(cases, "NETWORK", dict(batch_size=16, size=SMALL, width=8))
    yield images, labels
    cases._pictures.cache_clear()


def test_each_contender_trains_the_residual_network_in_as_many_steps(few_pictures, monkeypatch):
    for contender, build in cases.CASES["resnet"].build.items():
        epoch = build()
        turns = [losses(epoch, monkeypatch) for _ in range(5)]
        assert {len(turn) for turn in turns} == {2}
        assert sum(turns[-1]) < sum(turns[0]), contender


def test_pictures_varied_or_not_are_trained_on_in_as_many_steps(monkeypatch):
    monkeypatch.setattr(cases, "VARIED", dict(data="shapes", examples=48, width=4, batch_size=16))
    for contender, build in cases.CASES["augment"].build.items():
        epoch = build()
        turns = [losses(epoch, monkeypatch) for _ in range(5)]
        assert {len(turn) for turn in turns} == {3}, contender
        assert sum(turns[-1]) < sum(turns[0]), contender


def enlarged(batches, count):
    """What a contender hands on, as it hands it on."""
    return torch.cat([batch[0].clone() for batch in batches])[:count]


def test_enlarged_pictures_are_those_of_pillow_but_for_rounding(few_pictures):
    images, labels = few_pictures
    one_by_one = OneByOne(images, labels, change=cases.enlarge)
    pillow = torch.stack([one_by_one[index][0] for index in range(64)])
    ours = Pictures(images, labels, 10).resized(SMALL).batches(64, shuffle=False)
    assert pillow.shape == (64, 1, SMALL, SMALL)
    assert (enlarged(ours.epoch(0, 0), 64) - pillow).abs().max() < 1.01 / 255
    bare = torch.nn.functional.interpolate(images.float() / 255, SMALL, mode="bilinear")
    assert (bare - pillow).abs().max() < 1.01 / 255


def test_every_way_to_enlarge_goes_through_all_pictures(few_pictures, monkeypatch):
    seen = []
    resize, interpolate = cases.enlarge, torch.nn.functional.interpolate
    monkeypatch.setattr(cases, "enlarge", lambda picture: (seen.append(1), resize(picture))[1])

    def interpolated(images, *given, **words):
        seen.extend([1] * len(images))
        return interpolate(images, *given, **words)

    monkeypatch.setattr(torch.nn.functional, "interpolate", interpolated)
    for contender in ("peer", "bare"):
        seen.clear()
        cases.CASES["enlarge"].build[contender]()()
        assert len(seen) == 64, contender


def test_a_varied_picture_keeps_its_form_and_is_another_each_time():
    random.seed(0)
    row = np.arange(32, dtype=np.uint8) * 8
    picture = Image.fromarray(
        np.stack([np.tile(row, (32, 1))] * 2 + [np.full((32, 32), 90)], 2).astype(np.uint8)
    )
    varied = [cases.vary(picture) for _ in range(40)]
    assert {(one.size, one.mode) for one in varied} == {((32, 32), "RGB")}
    assert len({one.tobytes() for one in varied}) == 40
    # Red rises to the right: about half are mirrored. (Turned to another hue it may be flat.)
    slopes = [np.asarray(one.convert("L"), float) for one in varied]
    rises = [one[:, -1].mean() - one[:, 0].mean() for one in slopes]
    mirrored = sum(rise < 0 for rise in rises)
    assert 8 < mirrored < 32
