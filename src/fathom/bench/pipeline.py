"""From small pictures to a residual network: enlarging them, varying them, training on them.

The book's way opens one picture after the other with Pillow, enlarges or varies it, and makes it a
tensor; its networks are in single precision, with the channels of a picture one after the other.
The bare ways: torch's own interpolation of whole batches; a loop that only learns; and, of varied
pictures, the same run on pictures as they are, so that what varying costs is told.
"""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import torch
from PIL import Image, ImageEnhance
from torch import Tensor, nn
from torch.utils.data import DataLoader

from fathom.bench.ours import prepared, run_epochs
from fathom.bench.pictures import OneByOne, book_way
from fathom.bench.race import Case, Epoch
from fathom.core.experiment import Experiment
from fathom.core.recipe import Recipe
from fathom.data.images import Pictures, load_pictures
from fathom.recipes.augmentation import augmentation
from fathom.recipes.modern_cnn import resnet

SIDE = 96
ENLARGED = 4_096
NETWORK: dict[str, Any] = dict(batch_size=64, size=SIDE)
BATCHES = 2  # of the residual network: a turn of some seconds
VARIED: dict[str, Any] = dict(data="shapes", examples=512, width=16, batch_size=64)
POLICY = ["resized-crop", "flip", "colour"]  # all that the book's section shows


@cache
def _pictures(count: int) -> tuple[Tensor, Tensor]:
    """The first of Fashion-MNIST: bytes (N, 1, 28, 28) and labels (N,)."""
    train = load_pictures("fashion-mnist").train
    assert isinstance(train, Pictures)
    return train.images[:count], train.labels[:count]


def enlarge(picture: Image.Image) -> Image.Image:
    return picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def vary(picture: Image.Image) -> Image.Image:
    """A random part of it at its old size, mirrored or not, in other light and colours."""
    W, H = picture.size
    area, ratio = random.uniform(0.08, 1) * W * H, random.uniform(0.75, 4 / 3)
    w, h = min((area * ratio) ** 0.5, W), min((area / ratio) ** 0.5, H)
    x, y = random.uniform(0, W - w), random.uniform(0, H - h)
    picture = picture.resize((W, H), Image.Resampling.BILINEAR, box=(x, y, x + w, y + h))
    if random.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    changes = [ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color]
    for change in random.sample(changes, 3):
        picture = change(picture).enhance(random.uniform(0.5, 1.5))
    hue, saturation, value = picture.convert("HSV").split()
    turned = random.randrange(256)
    hue = hue.point([(turned + angle) % 256 for angle in range(256)])
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


def _resnet() -> Epoch:
    recipe: Recipe = resnet.__recipe__  # type: ignore[attr-defined]
    return run_epochs(prepared(recipe, NETWORK, batches=BATCHES))


def _book_resnet() -> Epoch:
    torch.manual_seed(0)
    experiment: Experiment = resnet(**NETWORK)
    data = OneByOne(*_pictures(NETWORK["batch_size"] * BATCHES), change=enlarge)
    return book_way(experiment, data, batch_size=NETWORK["batch_size"], redraws=0)


def _bare_resnet() -> Epoch:
    torch.manual_seed(0)
    experiment: Experiment = resnet(**NETWORK)
    model, optimizer = experiment.model, experiment.optimizer
    images, labels = _pictures(NETWORK["batch_size"] * BATCHES)
    large = nn.functional.interpolate(images.float() / 255, SIDE, mode="bilinear")

    def epoch() -> None:
        for chosen in torch.randperm(len(labels)).split(NETWORK["batch_size"]):
            loss = nn.functional.cross_entropy(model(large[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return epoch


def _resized() -> Epoch:
    batches = Pictures(*_pictures(ENLARGED), 10).resized(SIDE).batches(256)

    def epoch() -> None:
        for _ in batches.epoch(0, 0):
            pass

    return epoch


def _book_resized() -> Epoch:
    loader = DataLoader(OneByOne(*_pictures(ENLARGED), change=enlarge), 256, shuffle=True)

    def epoch() -> None:
        for _ in loader:
            pass

    return epoch


def _bare_resized() -> Epoch:
    images, _ = _pictures(ENLARGED)

    def epoch() -> None:
        for chosen in torch.randperm(len(images)).split(256):
            nn.functional.interpolate(images[chosen].float().div_(255), SIDE, mode="bilinear")

    return epoch


def _varied(policy: list[str]) -> Epoch:
    recipe: Recipe = augmentation.__recipe__  # type: ignore[attr-defined]
    return run_epochs(prepared(recipe, {**VARIED, "policy": policy}))


def _book_varied() -> Epoch:
    torch.manual_seed(0)
    random.seed(0)
    experiment: Experiment = augmentation(**VARIED)
    train = load_pictures("shapes").few(VARIED["examples"], 0).train
    assert isinstance(train, Pictures)
    data = OneByOne(train.images, train.labels, change=vary)
    return book_way(experiment, data, batch_size=VARIED["batch_size"], redraws=0)


CASES = {
    case.name: case
    for case in (
        Case(
            "resnet",
            "examples/s",
            NETWORK["batch_size"] * BATCHES,
            {"ours": _resnet, "peer": _book_resnet, "bare": _bare_resnet},
        ),
        Case(
            "enlarge",
            "pictures/s",
            ENLARGED,
            {"ours": _resized, "peer": _book_resized, "bare": _bare_resized},
        ),
        Case(
            "augment",
            "examples/s",
            VARIED["examples"],
            {
                "ours": lambda: _varied(POLICY),
                "peer": _book_varied,
                "bare": lambda: _varied(["none"]),
            },
        ),
    )
}
