"""Small colour pictures made as many as asked: shapes, textures and digits over photographs.

Each picture follows from the seed and its index alone, with its classes, boxes and masks. What is
held out has other digits and other parts of the photographs than what is trained on.

Source   Two photographs and 1,797 handwritten digits that come with scikit-learn.
Shapes   N pictures of S by S pixels with up to M things on each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from fathom.core.order import derive, uniforms
from fathom.data.sources import Source

if TYPE_CHECKING:
    from torch import Tensor

    from fathom.data.picture_set import Pictures, PictureSet

SOURCE = Source(
    name="shapes",
    title="shapes: shapes, textures and digits over photographs, 22 classes, made as asked",
    home="https://scikit-learn.org/stable/datasets/sample_images.html",
    licence="CC BY 2.0 (photographs), CC BY 4.0 (digits)",
    kind="pictures",
)
SHAPES = ("disc", "ring", "crescent", "square", "cross", "triangle", "hexagon", "star")
TEXTURES = ("stripes", "checks", "dots", "ripples")
CLASSES = SHAPES + TEXTURES + tuple("0123456789")
TRAIN, VALID, SIZE = 4_000, 1_000, 32
CHUNK = 64  # pictures painted together: what is computed of them stays in the processor's cache
_DRAWN = 12  # random numbers for each thing
_FINE = 32  # a digit's 8 by 8 pixels, made finer
_LEANING = 0.35  # radians: digits lean, and textures; shapes turn all the way

Part = Literal["train", "valid"]


@dataclass(frozen=True)
class Scenes:
    """Painted pictures and what is on them.

    `pictures` uint8 (N, 3, S, S); `labels` int64 (N, M), -1 where there is no thing; `boxes`
    float32 (N, M, 4), left, top, right, bottom in [0, 1]; `masks` uint8 (N, S, S), the class
    plus 1 of the thing on top, 0 for the photograph.
    """

    pictures: Tensor
    labels: Tensor
    boxes: Tensor
    masks: Tensor


def pictures(seed: int = 0) -> PictureSet:
    """4,000 pictures to train on and 1,000 held out, 32 pixels square, one thing on each."""
    from fathom.data.picture_set import PictureSet

    train, valid = made(TRAIN, seed=seed), made(VALID, seed=seed, part="valid")
    return PictureSet(SOURCE.name, train, valid, CLASSES)


def made(count: int, *, size: int = SIZE, seed: int = 0, part: Part = "train") -> Pictures:
    """`count` pictures of one thing each, as `Pictures` with their classes."""
    from fathom.data.picture_set import Pictures

    found = scenes(count, size=size, seed=seed, part=part)
    return Pictures(found.pictures, found.labels[:, 0], len(CLASSES), split=part)


def scenes(
    count: int, *, size: int = 64, most: int = 1, seed: int = 0, part: Part = "train"
) -> Scenes:
    """`count` pictures with one to `most` things, at most four, that hardly cover one another."""
    import torch

    assert 1 <= most <= 4, "there is a quarter of the picture for each"
    parts = [
        _paint(indices, size, most, seed, part) for indices in torch.arange(count).split(CHUNK)
    ]
    columns = zip(*parts, strict=True)
    return Scenes(*(torch.cat(column) for column in columns))


@dataclass(frozen=True)
class _Things:
    """What is to be painted, K things in all: on which picture, what, and where in its window.

    A window is a square of `window` pixels in one of the picture's corners; `centre` (K, 2) and
    `radius` (K,) are in pixels from there. `lots` (K, 12) decide all else.
    """

    picture: Tensor
    slot: Tensor
    quarter: Tensor
    kind: Tensor
    centre: Tensor
    radius: Tensor
    lots: Tensor
    window: int


def _paint(
    indices: Tensor, size: int, most: int, seed: int, part: Part
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    import torch

    seed = derive(seed, part == "valid")
    N = len(indices)
    picture = _photograph(uniforms(indices, seed, 0, 6), size, part)
    masks = torch.zeros(N, size, size, dtype=torch.uint8)
    labels, boxes = torch.full((N, most), -1), torch.zeros(N, most, 4)
    things = _things(indices, size, most, seed)
    covered, second = _covered(things, part)
    corners = [(0, 0)] if most == 1 else [(x, y) for y in (0, 1) for x in (0, 1)]
    for quarter, (x, y) in enumerate(corners):
        (here,) = (things.quarter == quarter).nonzero(as_tuple=True)
        left, top = x * (size - things.window), y * (size - things.window)
        place = (slice(top, top + things.window), slice(left, left + things.window))
        at, slot, cover = things.picture[here], things.slot[here], covered[here]
        window = picture[:, :, *place]
        window[at] = _composed(window[at], cover, second[here], things.lots[here])
        mask, kind = masks[:, *place], things.kind[here]
        mask[at] = torch.where(cover > 0.5, (kind + 1).to(torch.uint8)[:, None, None], mask[at])
        labels[at, slot] = kind
        boxes[at, slot] = (_box(cover) + boxes.new_tensor([left, top, left, top])) / size
    return picture.mul_(255).round_().to(torch.uint8), labels, boxes, masks


def _things(indices: Tensor, size: int, most: int, seed: int) -> _Things:
    """Draw how many things are on each picture, and of each what it is, where and how large."""
    import torch

    counts_N = 1 + (uniforms(indices, seed, 1, 1)[:, 0] * most).long()
    picture, slot = (torch.arange(most) < counts_N[:, None]).nonzero(as_tuple=True)
    lots_NML = uniforms(indices, seed, 2, most * _DRAWN).view(-1, most, _DRAWN)
    lots = lots_NML[picture, slot]
    if most == 1:
        quarter, window = torch.zeros_like(slot), size
        radius = (0.22 + 0.2 * lots[:, 1]) * size
    else:
        quarter = uniforms(indices, seed, 3, 4).argsort(dim=1)[picture, slot]
        window = math.ceil(0.56 * size)
        radius = (0.13 + 0.1 * lots[:, 1]) * size
    centre = radius[:, None] + lots[:, 2:4] * (window - 2 * radius)[:, None]
    kind = (lots[:, 0] * len(CLASSES)).long()
    return _Things(picture, slot, quarter, kind, centre, radius, lots, window)


def _photograph(lots: Tensor, size: int, part: Part) -> Tensor:
    """A piece of one of the photographs, (N, 3, S, S) in [0, 1], lighter or darker.

    The left two thirds are for training, the rest is for what is held out.
    """
    import torch

    photographs = _photographs()  # (2, H, W, 3)
    _, H, W, _ = photographs.shape
    border = W * 2 // 3
    left, right = (0, border) if part == "train" else (border, W)
    largest = max(1, min(H, right - left) // size)
    step = 1 + (lots[:, 0] * min(3, largest)).long()
    which = (lots[:, 1] * len(photographs)).long()
    top = (lots[:, 2] * (H - size * step + 1)).long()
    first = left + (lots[:, 3] * (right - left - size * step + 1)).long()
    offsets = torch.arange(size)
    rows = top[:, None] + step[:, None] * offsets
    columns = first[:, None] + step[:, None] * offsets
    columns = torch.where(lots[:, 4:5] < 0.5, columns, columns.flip(1))
    places = (which[:, None] * H + rows)[:, :, None] * W + columns[:, None, :]
    found = photographs.view(-1, 3).index_select(0, places.flatten())
    floats = found.view(len(lots), size, size, 3).permute(0, 3, 1, 2).float()
    return (
        floats.contiguous().mul_((0.6 + 0.5 * lots[:, 5])[:, None, None, None] / 255).clamp_(0, 1)
    )


def _covered(things: _Things, part: Part) -> tuple[Tensor, Tensor]:
    """How much of each pixel a thing covers, and how much of that has its second colour."""
    import torch

    from fathom.vision import painting

    lots, kinds = things.lots, things.kind
    around, leaning = 2 * math.pi * lots[:, 4], (lots[:, 4] - 0.5) * _LEANING
    turns = torch.where(kinds < len(SHAPES), around, leaning)
    u, v = painting.frame(things.centre, things.radius, turns, things.window)
    covered, second = torch.empty_like(u), torch.zeros_like(u)
    digits = len(SHAPES) + len(TEXTURES)
    for kind in kinds.unique().tolist():
        (chosen,) = (kinds == kind).nonzero(as_tuple=True)
        at_u, at_v, radii = u[chosen], v[chosen], things.radius[chosen]
        if kind >= digits:
            bitmaps = _bitmaps(part)[kind - digits]
            drawn = (lots[chosen, 5] * len(bitmaps)).long()
            covered[chosen] = painting.looked_up(bitmaps[drawn], at_u, at_v)
            continue
        shape = painting.SHAPES[CLASSES[kind]] if kind < len(SHAPES) else painting.disc
        covered[chosen] = painting.coverage(shape(at_u, at_v), radii)
        if kind >= len(SHAPES):
            pattern = painting.PATTERNS[CLASSES[kind]](at_u, at_v)
            second[chosen] = painting.coverage(pattern / 8, radii)
    return covered, second


def _composed(under: Tensor, covered: Tensor, second: Tensor, lots: Tensor) -> Tensor:
    """`under` (K, 3, W, W) with two colours laid over it: the first stands out from what is there.

    Where the photograph is dark the first colour is light, and the second dark.
    """
    from fathom.vision import painting

    weight = covered[:, None] / covered.sum((1, 2)).clamp(min=1)[:, None, None, None]
    dark = ((under * weight).sum((1, 2, 3)) < 3 * 0.4).float()
    light, deep = 0.75 + 0.25 * lots[:, 6], 0.15 + 0.25 * lots[:, 7]
    first = painting.rgb(lots[:, 8], 0.3 + 0.7 * lots[:, 9], dark * light + (1 - dark) * deep)
    other = painting.rgb(lots[:, 10], 0.5 * lots[:, 11], dark * deep + (1 - dark) * light)
    ours = first[:, :, None, None] + (other - first)[:, :, None, None] * second[:, None]
    return under + (ours - under) * covered[:, None]


def _box(covered_KWW: Tensor) -> Tensor:
    """Left, top, right and bottom in pixels of what is covered for more than half."""
    import torch

    edges = []
    for axis in (1, 2):  # the most of a column says whether it has any: then of a row
        any_KW = (covered_KWW.amax(axis) > 0.5).float()
        edges += [any_KW.argmax(1), any_KW.shape[1] - any_KW.flip(1).argmax(1)]
    left, right, top, bottom = edges
    return torch.stack([left, top, right, bottom], dim=1).float()


@cache
def _photographs() -> Tensor:
    """The two photographs, uint8 (2, H, W, 3)."""
    import numpy as np
    import torch
    from sklearn.datasets import load_sample_images

    return torch.from_numpy(np.stack(load_sample_images().images))


@cache
def _bitmaps(part: Part) -> list[Tensor]:
    """Of each digit what is for this part, (D, K, K) in [0, 1], made finer and sharper."""
    import torch
    from sklearn.datasets import load_digits

    from fathom.data.digits import HELD_OUT
    from fathom.data.splits import held_out

    bunch = load_digits()
    labels = torch.from_numpy(bunch.target)
    here = held_out(labels, HELD_OUT, 0) == (part == "valid")
    images = torch.from_numpy(bunch.images[here.numpy()]).float()[:, None] / 16
    fine = torch.nn.functional.interpolate(images, size=_FINE, mode="bicubic", align_corners=False)
    sharp = ((fine[:, 0] - 0.35) * 5).clamp(0, 1)
    return [sharp[labels[here] == digit] for digit in range(10)]
