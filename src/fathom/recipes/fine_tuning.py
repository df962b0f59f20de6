"""Fine-tuning: what one task has taught, used for another (book 13.2)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Literal

import torch
from torch import nn

from fathom.core.arguments import Bounds, Count, Impl, NonNegative, Rate
from fathom.core.errors import SettingError
from fathom.core.experiment import Experiment
from fathom.core.findings import Findings, Number
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data.class_halves import half
from fathom.data.images import Images, PictureSet, load_pictures
from fathom.data.picture_set import Form, keep_kind
from fathom.data.treatment import PLAIN, Treatment
from fathom.engine.evaluation import evaluate
from fathom.metrics import accuracy
from fathom.models.heads import (
    freeze_at_rate_zero,
    layer_groups,
    parameter_groups,
    replace_head,
)
from fathom.models.initialise import first_values
from fathom.plots.curves import compare_curves
from fathom.recipes.libraries import library
from fathom.recipes.pictures import classification
from fathom.recipes.pretrained import Weights, pretrained
from fathom.recipes.training import trained
from fathom.vision.augment import random_resized_crop

Epoch = Annotated[int, Bounds(at_least=0)]


@recipe(
    section="13.2",
    title="Fine-tuning",
    zh="微调",
    sample=dict(augment="none", batch_size=32, lr=0.05, epochs=12),
    minutes=0.5,
    book="hot dogs: 0.936 [0.860, 0.955] fine-tuned, 0.834 [0.667, 0.859] from zero",
    ours="built-in pictures: 0.544 [0.539, 0.576] fine-tuned, 0.146 [0.133, 0.164] from zero",
)
def fine_tuning(
    data: Images = "shapes",
    *,
    weights: Weights = "shapes",
    network: str | None = None,
    shots: Count = 20,
    size: Count | None = None,
    impl: Impl = "torch",
    augment: Literal["none", "book"] = "book",
    unfreeze: list[Epoch] = [0],  # noqa: B006 - only read
    head: Rate = 10.0,
    decay: Rate = 1.0,
    batch_size: Count = 128,
    lr: Rate = 6.4e-3,
    weight_decay: NonNegative = 7.8125e-6,
    epochs: Count = 5,
    compare: bool = True,
    balanced: bool = False,
) -> Experiment:
    """Let a network that has learned one task learn another from few pictures.

    Its last layer is replaced by a new one, which learns ten times as fast as the rest: what is
    there is nearly right, what is new is not. The same network is then trained from zero on the
    same pictures, with the rate of the head for all of it, and both are shown in one figure.

    Built in, what has been learned is every second class of shapes, and the task is the others.
    One's own pictures, with a published file of weights or a run of one's own:

        fathom run fine-tuning --data hotdog --weights resnet18.safetensors
        fathom run fine-tuning --data flowers --weights runs/resnet/001 --unfreeze 0,2,4 --decay 2.6

    The second lets the head learn alone for two epochs, then the last stage with it, and from the
    fourth on all. What is frozen neither learns nor drifts. The book adds up the losses of a batch
    of 128 where their mean is taken here: its rate of 5e-5 is 0.0064 of ours, its weight decay of
    0.001 is 7.8e-6.

    Args:
        network: whose weights a file holds, such as resnet50; told by their names if not said
        shots: pictures of each class to learn from, of shapes
        size: pixels a side; as the network was trained, if not said
        augment: as in the book, show pictures cut anew in each epoch, and mirrored
        unfreeze: the epoch at which the head begins to learn (0), the last stage, the one before
            it and so on; the last number is for all that are left, and past the end for never
        head: how many times as fast as the last stage the head learns
        decay: how many times slower than the one after it each stage learns
        weight_decay: L2 penalty
        compare: also train the same network from zero, which takes as long again
    """
    lib = library(impl)
    known = pretrained(weights, network, lib, impl)
    pictures = _pictures(data, known.form, size, shots)
    model = known.model
    new = replace_head(model, len(pictures.classes), nn=lib.nn)
    blank = copy.deepcopy(model) if compare else None
    groups = layer_groups(model, new)
    rates = [lr * head, *(lr / decay**depth for depth in range(len(groups) - 1))]
    optimizer = lib.optim.SGD(parameter_groups(groups, rates), lr=lr, weight_decay=weight_decay)
    schedule = lib.optim.lr_scheduler.LambdaLR(optimizer, _begins(unfreeze, len(groups)))
    freeze_at_rate_zero(model, optimizer, groups)
    experiment = classification(
        pictures,
        model,
        lib,
        optimizer,
        batch_size=batch_size,
        epochs=epochs,
        schedule=schedule,
        balanced=balanced,
        treatment=Treatment(random_resized_crop(flip=True)) if augment == "book" else PLAIN,
    )
    if blank is None:
        return experiment
    first_values(_reset(blank), "he", lib.nn)
    fresh = lib.optim.SGD(blank.parameters(), lr=lr * head, weight_decay=weight_decay)
    return _compared(experiment, blank, fresh)


def _pictures(data: str, form: Form, size: int | None, shots: int) -> PictureSet:
    """The data as the network takes them; of shapes the classes that are not yet known."""
    C, H, _ = form
    wanted = size or H
    pictures = load_pictures(data, size=wanted, channels=C, seed=current_seed())
    if pictures.form[0] != C:
        wrong = f"its pictures have {pictures.form[0]} channels, the network takes {C}"
        raise SettingError(f"--data {data}", wrong, "give others, or other weights")
    if data != "shapes" or pictures.elsewhere:
        return pictures
    found = half(pictures, 1, per_class=shots)
    keep_kind(found)
    return found


def _begins(epochs: list[int], groups: int) -> list[Callable[[int], float]]:
    """For each group the factor of its rate: 0 before its epoch, and then 1."""
    word = f"--unfreeze {','.join(map(str, epochs))}"
    if not epochs or epochs[0] != 0:
        raise SettingError(word, "leaves nothing to learn at first", "begin with 0, the head's")
    if len(epochs) > groups:
        wrong = f"is for {len(epochs)} groups of layers, and there are {groups}"
        raise SettingError(word, wrong, f"give {groups} numbers at most")
    epochs = epochs + [epochs[-1]] * (groups - len(epochs))

    def factor(begin: int) -> Callable[[int], float]:
        return lambda epoch: float(epoch >= begin)

    return [factor(begin) for begin in epochs]


def _reset(model: nn.Module) -> nn.Module:
    """The network as if it had seen nothing: each layer as it is made."""
    for part in model.modules():
        if callable(reset := getattr(part, "reset_parameters", None)):
            reset()
    return model


def _compared(
    experiment: Experiment, blank: nn.Module, optimizer: torch.optim.Optimizer
) -> Experiment:
    """The experiment whose report also trains `blank` on the same data, and shows both."""

    def report(model: nn.Module) -> Findings:
        with torch.inference_mode(False), torch.enable_grad():  # off in a report
            records = _curve(experiment, blank, optimizer, next(model.parameters()).device)
        tuned = [row for row in experiment.history if row["split"] == "valid"]
        curves = {"fine-tuned": tuned, "from zero": records}
        numbers = {
            f"accuracy {name}": Number(float(rows[-1]["accuracy"])) for name, rows in curves.items()
        }
        figure = compare_curves(curves, "accuracy", split="valid")
        return Findings(numbers, figures={"from-zero": figure})

    return replace(experiment, report=report)


def _curve(
    experiment: Experiment,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    device: torch.device,
) -> list[dict[str, Any]]:
    """Train another model on the experiment's data: its held-out accuracy after each epoch."""
    assert experiment.valid is not None
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    train = experiment.train.to(device, channels_last=True)
    valid = experiment.valid.to(device, channels_last=True)
    length = {"epochs": experiment.epochs, "seed": current_seed()}
    records = []
    for epoch in trained(model, train, experiment.objective, optimizer, **length):
        scores = evaluate(model, valid, {"accuracy": accuracy}, device=device) if epoch else {}
        records.append({"epoch": epoch, "step": epoch, "split": "valid", **scores})
    return records[1:]
