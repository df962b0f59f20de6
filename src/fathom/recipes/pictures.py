"""What all picture classifiers share: their experiment, and what they show when it is done."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from fathom.core.experiment import Experiment, Metric
from fathom.core.findings import Findings, Table
from fathom.data.images import PictureSet
from fathom.data.treatment import PLAIN, Treatment
from fathom.metrics import accuracy
from fathom.plots.pictures import picture_grid, weights_grid
from fathom.predictors.pictures import PictureClassifier

SHOWN = 18
MEASURED = 2_000
ROOM = 1 << 20  # numbers in a batch that is only looked at: a wide layer makes a hundred of each
UNITS = 40


def classification(
    pictures: PictureSet,
    model: nn.Module,
    objective: Metric,
    optimizer: torch.optim.Optimizer,
    *,
    batch_size: int,
    epochs: int,
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
    treatment: Treatment = PLAIN,
) -> Experiment:
    """Train `model` to tell the classes of `pictures`; `schedule` steps after each epoch.

    What varies or mixes pictures in their `treatment` is for training alone.
    """
    plain = replace(treatment, transform=None, mix=None)
    held_out = pictures.valid.batches(at_once(pictures, batch_size), shuffle=False, treatment=plain)
    return Experiment(
        model,
        pictures.train.batches(batch_size, treatment=treatment),
        objective,
        optimizer,
        epochs,
        schedule=schedule,
        schedule_per="epoch",
        valid=held_out,
        metrics={"accuracy": accuracy},
        predictor=PictureClassifier(pictures.read, pictures.classes),
        report=classified(pictures),
    )


def at_once(pictures: PictureSet, batch_size: int) -> int:
    """How many pictures to measure on at a time: many small ones, or a batch of large ones."""
    return max(batch_size, min(1_000, ROOM // math.prod(pictures.form)))


def classified(pictures: PictureSet) -> Callable[[nn.Module], Findings]:
    """A report: held-out pictures with their classes, wrong ones marked; the common mistakes.

    A model whose first layer is linear also shows its weights: a template for each class if there
    is no other layer, else those of the hidden units that the pictures move most.
    """

    def report(model: nn.Module) -> Findings:
        inputs, labels, guesses = _guessed(model, pictures)
        wrong = guesses != labels
        first_wrong = wrong.nonzero()[: SHOWN // 3, 0]
        first_right = (~wrong).nonzero()[: SHOWN - len(first_wrong), 0]
        chosen = torch.cat([first_wrong, first_right])
        names = pictures.classes
        titles = [
            names[guess] if guess == label else f"{names[guess]}, is {names[label]}"
            for guess, label in zip(guesses[chosen].tolist(), labels[chosen].tolist(), strict=True)
        ]
        figures = {
            "predictions": picture_grid(
                inputs[chosen], titles, wrong[chosen].tolist(), title="held out, and taken for"
            )
        }
        matrices = [p.detach().cpu() for p in model.parameters() if p.dim() > 1]
        if matrices[0].shape[1:] == (math.prod(pictures.form),):
            templates = matrices[0].reshape(-1, *pictures.form)
            if len(matrices) == 1:
                figures["weights"] = weights_grid(templates, names, title="weights of each class")
            else:
                largest = matrices[0].norm(dim=1).argsort(descending=True)[:UNITS]
                title = f"first layer: the {len(largest)} hidden units with the largest weights"
                figures["weights"] = weights_grid(templates[largest], title=title)
        return Findings(
            tables={"Most common mistakes": mistakes(guesses, labels, names)}, figures=figures
        )

    return report


def _guessed(model: nn.Module, pictures: PictureSet) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures (uint8), labels and guesses for the first of what was held out."""
    device = next(model.parameters()).device
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for inputs, labels in pictures.valid.batches(at_once(pictures, 32), shuffle=False).epoch(0, 0):
        guesses = model(inputs.to(device)).argmax(1).cpu()
        found.append(((inputs * 255).round().to(torch.uint8), labels.clone(), guesses))
        if sum(len(labels) for _, labels, _ in found) >= MEASURED:
            break
    inputs, labels, guesses = (torch.cat(column) for column in zip(*found, strict=True))
    return inputs, labels, guesses


def mistakes(guesses: Tensor, labels: Tensor, classes: Sequence[str], most: int = 3) -> Table:
    """The pairs of classes that are most often taken for one another."""
    K = len(classes)
    counts = torch.bincount(labels * K + guesses, minlength=K * K).reshape(K, K)
    flat = counts.fill_diagonal_(0).flatten()
    order = flat.argsort(descending=True, stable=True)[:most].tolist()
    rows = [[classes[i // K], classes[i % K], int(flat[i])] for i in order if flat[i] > 0]
    return Table(["is", "taken for", "times"], rows)
