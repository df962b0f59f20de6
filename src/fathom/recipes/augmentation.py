"""Pictures varied at random, so that a network sees each of them many ways (book chapter 13)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from matplotlib.figure import Figure

from fathom.core.arguments import Count, Impl, Rate
from fathom.core.errors import SettingError
from fathom.core.experiment import Experiment
from fathom.core.findings import Findings
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data.images import Images, PictureSet, load_pictures
from fathom.data.treatment import Treatment
from fathom.models.resnet import small_resnet
from fathom.plots.pictures import picture_grid
from fathom.recipes.libraries import library
from fathom.recipes.pictures import classification
from fathom.vision.augment import (
    Transform,
    colour_jitter,
    compose,
    cutout,
    random_crop,
    random_flip,
    random_resized_crop,
)
from fathom.vision.mixing import Mix, cutmix, mixup
from fathom.vision.random_augment import random_augment

Policy = Literal[
    "none", "flip", "crop", "resized-crop", "colour", "cutout", "random", "mixup", "cutmix"
]
SHEET = 8  # pictures in a row of the figure: one, varied as often


@recipe(
    section="13.1",
    title="Image augmentation",
    zh="图像增广",
    sample=dict(
        data="shapes",
        policy=["crop"],
        examples=1_000,
        width=16,
        batch_size=50,
        lr=0.003,
        epochs=12,
    ),
    minutes=150,
    book="train loss 0.173, test accuracy 0.840 [0.785, 0.856]",
    ours="the book's data need a network; see docs/reproduction.md for 4,000 of them",
)
def augmentation(
    data: Images = "cifar10",
    *,
    impl: Impl = "torch",
    policy: list[Policy] = ["flip"],  # noqa: B006 - only read
    examples: Count | None = None,
    width: Count = 64,
    batch_size: Count = 256,
    lr: Rate = 0.001,
    epochs: Count = 10,
    balanced: bool = False,
) -> Experiment:
    """Classify pictures that are flipped, cut, coloured, covered or mixed anew in each epoch.

    What is still the same thing to the eye should be so to the network. The batch is varied as a
    whole, on the device, and what befalls a picture follows from seed, epoch and its number: a
    run that is resumed sees what it would have seen. The figure `augmented` shows it.

    Args:
        policy: what is done, in this order: resized-crop takes 8 to 100 percent of the picture,
            random is RandAugment, mixup and cutmix mix pictures and labels and come last
        examples: how many pictures to train on, drawn at random; all, unless it is said: the
            fewer there are, the more is gained
        width: channels of the network's first stage
    """
    lib = library(impl)
    pictures = load_pictures(data)
    if examples is not None:
        pictures = pictures.few(examples, current_seed())
    treatment = treatment_of(policy, pictures)
    model = small_resnet(
        len(pictures.classes), in_channels=pictures.form[0], width=width, nn=lib.nn
    )
    objective = lib.nn.CrossEntropyLoss() if treatment.mix else None
    experiment = classification(
        pictures,
        model,
        lib,
        lib.optim.Adam(model.parameters(), lr=lr),
        batch_size=batch_size,
        epochs=epochs,
        treatment=treatment,
        objective=objective,
        balanced=balanced,
    )

    def report(model: torch.nn.Module) -> Findings:
        return Findings(figures={"augmented": sheet(pictures, treatment)})

    return replace(experiment, report=report)


def treatment_of(policy: list[Policy], pictures: PictureSet) -> Treatment:
    """What the words of `policy` do to a batch, one after the other.

    Raises SettingError for two ways of mixing, or for anything beside none.
    """
    if "none" in policy and len(policy) > 1:
        raise SettingError("--policy none", "leaves room for nothing else", "say none alone")
    size, classes = min(pictures.form[1:]), len(pictures.classes)
    known: dict[Policy, Transform] = {
        "resized-crop": random_resized_crop(),
        "crop": random_crop(max(1, size // 8)),
        "flip": random_flip(),
        "random": random_augment(),
        "colour": colour_jitter(0.5, 0.5, 0.5, 0.5),
        "cutout": cutout(size // 3),
    }
    steps = [transform for word, transform in known.items() if word in policy]
    mixes: dict[Policy, Mix] = {"mixup": mixup(classes), "cutmix": cutmix(classes)}
    chosen = [mix for word, mix in mixes.items() if word in policy]
    if len(chosen) > 1:
        raise SettingError("--policy mixup,cutmix", "mixes twice", "choose one of the two")
    return Treatment(compose(*steps) if steps else None, chosen[0] if chosen else None)


def sheet(pictures: PictureSet, treatment: Treatment) -> Figure:
    """The first pictures of an epoch, a row for each: as it is, then as later epochs see it."""
    plain = pictures.train.batches(SHEET, shuffle=False).limit(1)
    varied = pictures.train.batches(SHEET, shuffle=False, treatment=treatment).limit(1)
    columns = [next(plain.epoch(0, 0))[0].clone()]
    columns += [next(varied.epoch(0, epoch))[0].clone() for epoch in range(SHEET - 1)]
    rows = torch.stack(columns, dim=1)[: SHEET // 2].flatten(0, 1)
    titles = ["as it is", *(f"epoch {n}" for n in range(1, SHEET))] * (SHEET // 2)
    shown = (rows * 255).round().clamp(0, 255).to(torch.uint8)
    return picture_grid(shown, titles, columns=SHEET, title="what each epoch sees")
