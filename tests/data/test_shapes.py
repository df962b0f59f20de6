"""Made pictures: the same again, boxes and masks that fit, shapes as a drawing library draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from fathom.data import shapes
from fathom.data.images import load_pictures
from fathom.vision import painting

CORNERS = {
    "square": [(x, y) for x, y in ((0.8, 0.8), (-0.8, 0.8), (-0.8, -0.8), (0.8, -0.8))],
    "hexagon": [(math.cos(k * math.pi / 3), math.sin(k * math.pi / 3)) for k in range(6)],
    "triangle": [
        (math.cos(math.pi * (0.5 + 2 * k / 3)), -math.sin(math.pi * (0.5 + 2 * k / 3)))
        for k in range(3)
    ],
    "star": [
        (r * math.sin(k * math.pi / 5), -r * math.cos(k * math.pi / 5))
        for k, r in enumerate([1.0, 0.45] * 5)
    ],
    "cross": [
        (sx * x, sy * y)
        for sx, sy, flip in ((1, -1, 0), (1, 1, 1), (-1, 1, 0), (-1, -1, 1))
        for x, y in (
            [(0.3, 0.95), (0.3, 0.3), (0.95, 0.3)]
            if not flip
            else [(0.95, 0.3), (0.3, 0.3), (0.3, 0.95)]
        )
    ],
}


def painted(name: str, centre, radius: float, angle: float, size: int = 64):
    u, v = painting.frame(
        torch.tensor([centre]), torch.tensor([radius]), torch.tensor([angle]), size
    )
    return painting.coverage(painting.SHAPES[name](u, v), torch.tensor([radius]))[0]


@pytest.mark.parametrize("name", CORNERS)
@given(angle=st.floats(0, 6.28), x=st.floats(25, 39), y=st.floats(25, 39))
@settings(max_examples=15)
def test_polygons_as_pillow_draws_them(name, angle, x, y):
    """Pillow fills the corners turned by hand, on a grid eight times as fine."""
    radius, fine = 22.0, 8
    cos, sin = math.cos(angle), math.sin(angle)
    corners = [
        (fine * (x + radius * (cos * u - sin * v)), fine * (y + radius * (sin * u + cos * v)))
        for u, v in CORNERS[name]
    ]
    canvas = Image.new("L", (64 * fine, 64 * fine))
    ImageDraw.Draw(canvas).polygon(corners, fill=255)
    expected = torch.from_numpy(np.array(canvas.resize((64, 64), Image.Resampling.BOX))).float()
    found = painted(name, (x, y), radius, angle)
    difference = (found - expected / 255).abs()
    assert difference.mean() < 0.006
    assert abs(found.sum() - expected.sum() / 255) < 0.02 * found.sum()


@pytest.mark.parametrize(("name", "area"), [("disc", 1.0), ("ring", 1 - 0.25)])
def test_round_ones_have_their_area(name, area):
    assert painted(name, (32.0, 32.0), 25.0, 0.3).sum() == pytest.approx(
        area * math.pi * 625, rel=2e-3
    )


def test_a_crescent_is_a_disc_without_a_disc():
    crescent, disc = (painted(name, (32.0, 32.0), 25.0, 0.0) for name in ("crescent", "disc"))
    y, x = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(64) + 0.5, indexing="ij")
    bitten = torch.hypot(x - 32 - 0.55 * 25, y - 32) < 0.8 * 25
    solid = crescent > 0.5
    assert not (solid & bitten).any()
    assert torch.equal(solid | bitten, (disc > 0.5) | bitten)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_colours_as_the_standard_library_has_them(hue, saturation, value):
    import colorsys

    found = painting.rgb(
        *(torch.tensor([x], dtype=torch.float64) for x in (hue, saturation, value))
    )
    expected = torch.tensor([colorsys.hsv_to_rgb(hue, saturation, value)], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def test_each_picture_follows_from_seed_and_index():
    many, few = shapes.scenes(150, most=3), shapes.scenes(40, most=3)
    for whole, part in zip(vars(many).values(), vars(few).values(), strict=True):
        assert torch.equal(whole[:40], part)
    other = shapes.scenes(40, most=3, seed=1)
    assert not torch.equal(other.pictures, few.pictures)
    held = shapes.scenes(40, most=3, part="valid")
    assert not torch.equal(held.pictures, few.pictures)


@pytest.mark.parametrize("most", [1, 4])
def test_boxes_fit_masks_and_classes(most):
    size = 64
    found = shapes.scenes(300, size=size, most=most)
    counts = (found.labels >= 0).sum(1)
    assert counts.min() == 1
    assert counts.max() == most
    seen = set()
    for mask, labels, boxes in zip(found.masks, found.labels, found.boxes, strict=True):
        there = labels >= 0
        assert not boxes[~there].any()
        seen |= set(labels[there].tolist())
        inside = torch.zeros_like(mask, dtype=torch.bool)
        for label, box in zip(labels[there], (boxes[there] * size).round().int(), strict=True):
            left, top, right, bottom = box.tolist()
            window = mask[top:bottom, left:right] == label + 1
            inside[top:bottom, left:right] = True
            if most == 1:  # nothing hides it: the box is as tight as can be
                assert window.any(0).all() or window.any(1).all()
                assert all(edge.any() for edge in (window[0], window[-1], window[:, 0]))
                assert window[:, -1].any()
        assert not mask[~inside].any()
    assert seen == set(range(len(shapes.CLASSES)))


def test_things_stand_out():
    """The mean colour under the mask is far from that of the photograph around it."""
    found = shapes.scenes(300)
    floats = found.pictures.float() / 255
    on = (found.masks > 0)[:, None].float()
    inside = (floats * on).sum((2, 3)) / on.sum((2, 3))
    outside = (floats * (1 - on)).sum((2, 3)) / (1 - on).sum((2, 3))
    assert ((inside - outside).norm(dim=1) > 0.1).float().mean() > 0.95


def test_as_a_set_of_pictures():
    found = load_pictures("shapes")
    assert found.form == (3, shapes.SIZE, shapes.SIZE)
    assert (len(found.train), len(found.valid)) == (shapes.TRAIN, shapes.VALID)
    assert found.classes == shapes.CLASSES
    assert torch.bincount(found.valid.labels).min() > 0.5 * shapes.VALID / len(shapes.CLASSES)
