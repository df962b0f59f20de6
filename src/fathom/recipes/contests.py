"""Contests of pictures, from their files to the file that they want (book 13.13 and 13.14)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from fathom.core.arguments import Bounds, Count, Impl, NonNegative, Rate
from fathom.core.experiment import Experiment
from fathom.core.findings import Findings, Number
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data.contest import Contest, enter
from fathom.data.picture_set import Split
from fathom.data.treatment import PLAIN, Treatment
from fathom.models.heads import (
    freeze_at_rate_zero,
    layer_groups,
    parameter_groups,
    replace_head,
)
from fathom.models.normalised import CIFAR10, normalised
from fathom.models.resnet import small_resnet
from fathom.recipes.libraries import library
from fathom.recipes.pictures import classification
from fathom.recipes.pretrained import Weights, pretrained
from fathom.recipes.schedules import one_cycle
from fathom.vision.augment import (
    colour_jitter,
    compose,
    cutout,
    random_crop,
    random_flip,
    random_resized_crop,
)

ContestFiles = Annotated[
    str, "shapes (a contest made of built-in pictures), or a contest's folder or zip"
]
Held = Annotated[float, Bounds(above=0, at_most=0.9), "share of each class to measure on"]
AT_ONCE = 250  # test pictures


@recipe(
    section="13.13",
    title="Kaggle: CIFAR-10",
    zh="图像分类 (CIFAR-10)",
    sample=dict(augment="none", width=12, schedule="one-cycle", lr=0.05, epochs=8),
    minutes=6.5,
    book="1,000 pictures, 20 epochs: train loss 0.704, accuracy 0.43 [0.281, 0.594] of 32 pictures",
    ours="0.352 of 199 pictures; 4,000 pictures, 80 epochs: 0.769 of 800; docs/reproduction.md",
)
def kaggle_cifar10(
    data: ContestFiles = "shapes",
    *,
    first: Count | None = None,
    valid: Held = 0.2,
    retrain: bool = False,
    folders: str | None = None,
    impl: Impl = "torch",
    augment: Literal["none", "book", "strong"] = "book",
    width: Count = 64,
    batch_size: Count = 32,
    lr: Rate = 6.4e-3,
    weight_decay: NonNegative = 1.5625e-5,
    schedule: Literal["step", "one-cycle"] = "step",
    smoothing: Annotated[float, Bounds(at_least=0, at_most=0.9)] = 0.0,
    epochs: Count = 20,
    balanced: bool = False,
) -> Experiment:
    """Enter a contest of small pictures: from its files and labels to submission.csv.

    A contest gives the folders train and test and a csv that says which picture is what. A part of
    each class is held out, and what is measured there is what to expect; then `--retrain` trains
    on all of them, with the settings found so. The classes of the test pictures are in the run's
    folder, in `submission.csv`.

        fathom run kaggle-cifar10 --data kaggle_cifar10.zip --first 1000
        fathom run kaggle-cifar10 --data kaggle_cifar10.zip --first 1000 --retrain

    The book's augmentation takes a square of 64 to 100 percent of the area, and may mirror it. The
    book adds up the losses of a batch of 32 where their mean is taken here: its rate of 2e-4 is
    0.0064 of ours, its weight decay of 5e-4 is 1.6e-5.

    Args:
        first: use that many rows of the labels; the book's small set is the first 1,000
        retrain: train on the held-out pictures too; then there is nothing to measure on
        folders: make class folders of links here, for other recipes: train, valid and test
        augment: as in the book; or strong, crops with a border, mirrored, with a hole
        width: channels of the network's first stage
        weight_decay: L2 penalty
        schedule: of the learning rate: times 0.9 every four epochs, or one rise and fall
        smoothing: share of each label that is spread over all classes
    """
    lib = library(impl)
    contest, pictures, test = enter(
        data, first=first, share=valid, seed=current_seed(), folders=folders, retrain=retrain
    )
    model = small_resnet(
        len(pictures.classes), in_channels=pictures.form[0], width=width, nn=lib.nn
    )
    if pictures.form[0] == 3:
        model = normalised(model, CIFAR10)
    optimizer = lib.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=weight_decay)
    steps = -(-len(pictures.train) // batch_size)  # in an epoch
    falling = (
        lib.optim.lr_scheduler.StepLR(optimizer, 4 * steps, 0.9)
        if schedule == "step"
        else lib.optim.lr_scheduler.LambdaLR(optimizer, one_cycle(epochs * steps))
    )
    experiment = classification(
        pictures,
        model,
        lib,
        optimizer,
        batch_size=batch_size,
        epochs=epochs,
        schedule=falling,
        treatment=treatment_of(augment, pictures.form[1]),
        smoothing=smoothing,
        balanced=balanced,
    )
    experiment = replace(experiment, schedule_per="step")
    measured = pictures.elsewhere or not retrain
    return entered(experiment, test, contest, contest.answers, measured=measured)


@recipe(
    section="13.14",
    title="Kaggle: dog breeds",
    zh="狗的品种识别",
    sample=dict(augment="none", lr=0.03, epochs=8),
    minutes=1,
    book="train loss 1.241 [1.167, 1.323], held-out loss 1.300 [1.147, 1.503] (120 breeds)",
    ours="on built-in pictures: accuracy 0.494 [0.494, 0.522] of 11 classes",
)
def kaggle_dogs(
    data: ContestFiles = "shapes",
    *,
    weights: Weights = "shapes",
    network: str | None = None,
    first: Count | None = None,
    valid: Held = 0.2,
    retrain: bool = False,
    folders: str | None = None,
    size: Count | None = None,
    impl: Impl = "torch",
    augment: Literal["none", "book"] = "book",
    hidden: Count = 256,
    batch_size: Count = 32,
    lr: Rate = 3.2e-3,
    weight_decay: NonNegative = 3.125e-6,
    epochs: Count = 10,
    balanced: bool = False,
) -> Experiment:
    """Enter a contest with a network that is left as it is, and a new head on it.

    All layers that were trained before are frozen: they say what is to be seen in a picture. Two
    new layers learn what that makes. It takes a fraction of the time of training all, and pictures
    too few for it. The contest wants a probability for each class: `submission.csv` has a column
    for each, in the order of their names.

        fathom run kaggle-dogs --data dog-breed-identification.zip --weights resnet34.safetensors

    The files are as in `kaggle-cifar10`; the weights as in `fine-tuning`. The book keeps the old
    head's thousand answers and puts the new one on them; here it sees what the old one saw. As in
    `kaggle-cifar10` the book's rate of 1e-4 is 0.0032 here, its weight decay of 1e-4 is 3.1e-6.

    Args:
        network: whose weights a file holds, such as resnet34; told by their names if not said
        first: use that many rows of the labels
        retrain: train on the held-out pictures too; then there is nothing to measure on
        folders: make class folders of links here, for other recipes: train, valid and test
        size: pixels a side; as the network was trained, if not said
        augment: as in the book, show pictures cut anew in each epoch, mirrored, in other light
            and colours
        hidden: units between the frozen layers and the answers
        weight_decay: L2 penalty
    """
    lib = library(impl)
    known = pretrained(weights, network, lib, impl)
    contest, pictures, test = enter(
        data,
        first=first,
        share=valid,
        seed=current_seed(),
        folders=folders,
        size=size or known.form[1],
        channels=known.form[0],
        retrain=retrain,
    )
    model = known.model
    new = replace_head(model, len(pictures.classes), hidden=hidden, nn=lib.nn)
    groups = layer_groups(model, new)
    rates = [lr, *[0.0] * (len(groups) - 1)]
    optimizer = lib.optim.SGD(
        parameter_groups(groups, rates), lr=lr, momentum=0.9, weight_decay=weight_decay
    )
    freeze_at_rate_zero(model, optimizer, groups)
    varied = compose(random_resized_crop(flip=True), colour_jitter(0.4, 0.4, 0.4))
    experiment = classification(
        pictures,
        model,
        lib,
        optimizer,
        batch_size=batch_size,
        epochs=epochs,
        schedule=lib.optim.lr_scheduler.StepLR(optimizer, 2, 0.9),
        treatment=Treatment(varied) if augment == "book" else PLAIN,
        balanced=balanced,
    )
    measured = pictures.elsewhere or not retrain
    return entered(experiment, test, contest, contest.shares, measured=measured)


def treatment_of(augment: Literal["none", "book", "strong"], size: int) -> Treatment:
    """How training pictures of `size` pixels are varied."""
    if augment == "none":
        return PLAIN
    if augment == "book":
        return Treatment(random_resized_crop((0.64, 1.0), (1.0, 1.0), flip=True))
    steps = random_crop(max(1, size // 8)), random_flip(), cutout(size // 3)
    return Treatment(compose(*steps))


def entered(
    experiment: Experiment,
    test: Split,
    contest: Contest,
    written: Callable[[Tensor], str],
    *,
    measured: bool,
) -> Experiment:
    """The experiment whose report holds submission.csv, as `written` from probabilities.

    Trained on all pictures it is not `measured`: each would be one that it has seen.
    """

    def report(model: nn.Module) -> Findings:
        table = written(probabilities(model, test))
        numbers = {"pictures in submission.csv": Number(len(contest.test))}
        return Findings(numbers, files={"submission.csv": table.encode()})

    return replace(experiment, valid=experiment.valid if measured else None, report=report)


def probabilities(model: nn.Module, pictures: Split) -> Tensor:
    """(N, classes), in the order of the pictures."""
    device = next(model.parameters()).device
    batches = pictures.batches(min(AT_ONCE, len(pictures)), shuffle=False)
    outputs = [model(inputs.to(device)).softmax(1).cpu() for inputs, _ in batches.epoch(0, 0)]
    return torch.cat(outputs)
