"""k-fold cross-validation without k loops: which fold holds which row out (book 4.4, 4.10).

A row counts for the training of all folds but one, and for the validation of that one. Written
as a 0 or 1 beside its target, all folds can train side by side on the same batches.

Shapes   N rows, K folds.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fathom.core.errors import SettingError
from fathom.core.order import permutation


def folds(count: int, k: int, *, shuffle_seed: int | None = None) -> Tensor:
    """(N,) int64: the fold that each row is held out of, of sizes that differ by at most one.

    In blocks, as the rows stand; or dealt out by `shuffle_seed`, for rows that are sorted. Raises
    SettingError unless there are at least two folds with a row each.
    """
    if not 2 <= k <= count:
        wrong = f"{count} rows cannot be held out in {k} parts"
        raise SettingError(f"--folds {k}", wrong, f"give 2 to {max(count, 2)}")
    blocks = torch.arange(count) * k // count
    if shuffle_seed is None:
        return blocks
    return blocks[permutation(count, shuffle_seed, 0)]


def counted(targets_N: Tensor, fold_N: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Targets to train and to validate on, each (N, 1 + K): the target, then 1 where it counts."""
    held_NK = torch.nn.functional.one_hot(fold_N, k).to(targets_N.dtype)
    target_N1 = targets_N[:, None]
    return torch.cat([target_N1, 1 - held_NK], 1), torch.cat([target_N1, held_NK], 1)


def means(values_BK: Tensor, counts_BK: Tensor) -> Tensor:
    """(K,): the mean of the values that count for each fold; 0 where none does."""
    return (values_BK * counts_BK).sum(0) / counts_BK.sum(0).clamp(min=1)
