"""Labels that are checked where they enter, not by a crash at step 900."""

from __future__ import annotations

import torch
from torch import Tensor

from fathom.core.errors import DataError


def check_labels(labels: Tensor, classes: int, *, split: str, every_class: bool = False) -> Tensor:
    """The labels (N,) as int64, each in 0..classes-1.

    Raises DataError with the first row that is not. With `every_class`, as befits what is trained
    on, also if a class has no sample.
    """
    thing = f"{split} labels"
    allowed = f"allowed 0–{classes - 1}"
    remedy = "mend the labels or the number of classes"
    if labels.dim() != 1:
        raise DataError(thing, f"have the shape {tuple(labels.shape)}, not (N,)", remedy)
    if labels.is_floating_point() or labels.is_complex():
        fractions = torch.nonzero(labels != labels.round())
        row = int(fractions[0]) if len(fractions) else 0
        wrong = f"row {row} is {labels[row].item()}, {allowed} as whole numbers"
        raise DataError(thing, wrong, remedy)
    labels = labels.to(torch.int64)
    outside = torch.nonzero((labels < 0) | (labels >= classes))
    if len(outside):
        row = int(outside[0])
        raise DataError(thing, f"row {row} is {int(labels[row])}, {allowed}", remedy)
    if every_class and len(labels):
        counts = torch.bincount(labels, minlength=classes)
        if classes > 1 and int((counts > 0).sum()) == 1:
            only = int(labels[0])
            raise DataError(thing, f"all {len(labels)} are {only}, nothing to tell apart", remedy)
        if int(counts.min()) == 0:
            raise DataError(thing, f"class {int(counts.argmin())} has no sample", remedy)
    return labels


def balancing_weights(labels: Tensor, classes: int) -> Tensor:
    """(K,): what an example of each class must weigh for all classes to weigh alike.

    Inverse to how many it has, and one on average over the examples; 0 for a class of none.
    """
    counts = torch.bincount(labels, minlength=classes)
    return torch.where(counts > 0, len(labels) / (int((counts > 0).sum()) * counts), 0.0)
