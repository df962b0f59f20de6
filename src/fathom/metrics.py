"""Scores: how good outputs are, as 0-dim tensors on the device, with nothing waited for.

Each takes (outputs, targets) and gives the mean over the batch. Of an empty batch that is 0, not
NaN: whoever averages over batches gives it weight 0. Shapes that do not fit raise DataError
rather than broadcast: (4, 1) against (4,) would compare each output with every target.

Shapes   N examples, K classes; `logits` (N, K) or (N, K, ...) with `labels` (N,) or (N, ...).
"""

from __future__ import annotations

import torch
from torch import Tensor

from fathom.core.errors import DataError


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """The share of examples whose largest logit is that of their label.

    Labels may be shares of the classes, (N, K), as of mixed pictures: the largest counts.
    """
    guesses = logits.argmax(1)
    if labels.is_floating_point() and labels.shape == logits.shape:
        labels = labels.argmax(1)
    return _mean(guesses == _fitting(labels, guesses))


def top_k_accuracy(logits: Tensor, labels: Tensor, k: int = 5) -> Tensor:
    """The share of examples whose label is among the `k` largest logits.

    With fewer than `k` classes every answer is right.
    """
    best = logits.topk(min(k, logits.shape[1]), dim=1).indices
    return _mean((best == _fitting(labels, logits[:, 0]).unsqueeze(1)).any(1))


def mean_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean of (output - target)²."""
    return _mean((outputs - _fitting(targets, outputs)).square())


def mean_absolute_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean of |output - target|."""
    return _mean((outputs - _fitting(targets, outputs)).abs())


def root_mean_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """The square root of the mean squared error, in the unit of the targets.

    A mean of roots is not the root of a mean: give it all examples at once, not batches.
    """
    return mean_squared_error(outputs, targets).sqrt()


def confusion_matrix(logits: Tensor, labels: Tensor) -> Tensor:
    """(K, K) counts, int64: row i, column j holds the examples of class i that were called j."""
    K = logits.shape[1]
    cells = _fitting(labels, logits[:, 0]) * K + logits.argmax(1)
    counts = torch.zeros(K * K, dtype=torch.int64, device=logits.device)
    # Not bincount, which waits for the device to learn how large the result must be.
    counts.index_add_(0, cells.flatten(), torch.ones_like(cells).flatten())
    return counts.view(K, K)


def recall(counts_KK: Tensor) -> Tensor:
    """(K,): of the examples of each class the share that was known; NaN for a class of none."""
    return counts_KK.diagonal() / counts_KK.sum(1)


def precision(counts_KK: Tensor) -> Tensor:
    """(K,): of what was called by each class the share that is of it; NaN where nothing was."""
    return counts_KK.diagonal() / counts_KK.sum(0)


def _mean(values: Tensor) -> Tensor:
    if values.numel() == 0:
        return torch.zeros((), device=values.device)
    return values.mean(dtype=torch.float32 if values.dtype == torch.bool else None)


def _fitting(targets: Tensor, outputs: Tensor) -> Tensor:
    """`targets`, whose shape is that of `outputs`."""
    if targets.shape != outputs.shape:
        thing = f"targets of shape {tuple(targets.shape)}"
        wrong = f"do not fit outputs of shape {tuple(outputs.shape)}"
        raise DataError(thing, wrong, "give one target for each output, in the same shape")
    return targets
