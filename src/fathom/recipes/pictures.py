"""What all picture classifiers share: their experiment, and what they show when it is done."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from fathom.core.experiment import Experiment, Metric
from fathom.data.images import PictureSet
from fathom.data.labels import balancing_weights
from fathom.data.treatment import PLAIN, Treatment
from fathom.metrics import accuracy
from fathom.predictors.pictures import PictureClassifier
from fathom.recipes.held_out import examined
from fathom.recipes.libraries import Library

ROOM = 1 << 20  # numbers in a batch that is only looked at: a wide layer makes a hundred of each
UNEVEN = 3  # times as many pictures of one class as of another: worth a word


def classification(
    pictures: PictureSet,
    model: nn.Module,
    lib: Library,
    optimizer: torch.optim.Optimizer,
    *,
    batch_size: int,
    epochs: int,
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
    treatment: Treatment = PLAIN,
    objective: Metric | None = None,
    smoothing: float = 0.0,
    balanced: bool | None = None,
) -> Experiment:
    """Train `model` to tell the classes of `pictures`; `schedule` steps after each epoch.

    What varies or mixes pictures in their `treatment` is for training alone. The `objective` is the
    library's cross-entropy, if no other is given: `smoothing` is the share of each label that it
    spreads over all classes. `balanced` is the recipe's setting of that name, if it has one: where
    it is on, classes count alike, whatever the objective; where it is off and should not be, that
    is said.
    """
    if balanced:
        objective = balanced_loss(pictures, lib, smoothing)
    elif smoothing:
        objective = lib.nn.CrossEntropyLoss(label_smoothing=smoothing)
    plain = replace(treatment, transform=None, mix=None)
    held_out = pictures.valid.batches(at_once(pictures, batch_size), shuffle=False, treatment=plain)
    return Experiment(
        model,
        pictures.train.batches(batch_size, treatment=treatment),
        objective or lib.cross_entropy,
        optimizer,
        epochs,
        schedule=schedule,
        schedule_per="epoch",
        valid=held_out,
        metrics={"accuracy": accuracy},
        predictor=PictureClassifier(pictures.read, pictures.classes),
        notes=[*pictures.notes, *(unbalanced(pictures) if balanced is False else [])],
        examine=examined(pictures),
    )


def at_once(pictures: PictureSet, batch_size: int) -> int:
    """How many pictures to measure on at a time: many small ones, or a batch of large ones."""
    return max(batch_size, min(1_000, ROOM // math.prod(pictures.form)))


def balanced_loss(pictures: PictureSet, lib: Library, smoothing: float = 0.0) -> Metric:
    """Cross-entropy in which each class counts alike, however few pictures it has.

    A picture weighs inversely to how many are trained on of its class. The mean is over examples:
    torch's, which divides by the weights in the batch, would take a batch of one rare picture for
    as good as one of a common one. What `smoothing` spreads over the other classes weighs as much
    as the picture; torch's would weigh it as those classes, and spread most of it over rare ones.
    """
    weights_K = balancing_weights(pictures.train.labels, len(pictures.classes))
    cross_entropy = lib.nn.functional.cross_entropy

    def loss(logits: Tensor, labels: Tensor) -> Tensor:  # which may be mixed: shares of classes
        losses: Tensor = cross_entropy(
            logits, labels, weight=weights_K.to(logits), reduction="none"
        )
        return losses.mean()

    def smoothed(logits: Tensor, labels: Tensor) -> Tensor:
        losses: Tensor = cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
        return (weights_K.to(logits)[labels] * losses).mean()

    return smoothed if smoothing else loss


def unbalanced(pictures: PictureSet) -> list[str]:
    """A note that classes differ much in how many pictures they have; none if they do not.

    None either of pictures that are only measured on.
    """
    if pictures.elsewhere:
        return []
    counts = torch.bincount(pictures.train.labels, minlength=len(pictures.classes))
    most, fewest = int(counts.argmax()), int(counts.argmin())
    if counts[most] < UNEVEN * counts[fewest]:
        return []
    few, many = (f"{int(counts[k]):,} pictures of {pictures.classes[k]}" for k in (fewest, most))
    return [f"there are {few} to learn from, and {many}; --balanced has all classes count alike"]
