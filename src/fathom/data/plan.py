"""Which samples are in which batch: a function of seed and epoch, so nothing needs saving."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from fathom.core.errors import DataError, SettingError
from fathom.core.order import permutation


@dataclass(frozen=True)
class Plan:
    """`count` samples of `split`, in batches. Raises DataError if that makes no batch at all."""

    count: int
    batch_size: int
    shuffle: bool = True
    drop_last: bool = False
    split: str = "train"
    most: int | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise SettingError("batch_size", f"is {self.batch_size}", "give 1 or more")
        if len(self) == 0:
            how = ", drop_last" if self.drop_last else ""
            wrong = f"0 batches: {self.count} samples, batch size {self.batch_size}{how}"
            raise DataError(self.split, wrong, "give more data or a smaller batch_size")

    def __len__(self) -> int:
        whole, rest = divmod(self.count, self.batch_size)
        batches = whole + (rest > 0 and not self.drop_last)
        return batches if self.most is None else min(batches, self.most)

    @property
    def examples(self) -> int:
        """How many samples an epoch sees."""
        return min(len(self) * self.batch_size, self.count)

    def limit(self, batches: int) -> Plan:
        if batches < 1:
            raise SettingError("limit-batches", f"is {batches}", "give 1 or more")
        return replace(self, most=batches)

    def batches(self, seed: int, epoch: int, first: int = 0, device: str = "cpu") -> list[Tensor]:
        """The samples of each batch from number `first` on: (B,) int64, the last may be shorter."""
        everything = torch.arange(self.count)
        order = permutation(self.count, seed, epoch) if self.shuffle else everything
        left = order[first * self.batch_size : self.examples].to(device)
        # Split makes one empty batch of nothing.
        return list(left.split(self.batch_size)) if len(left) else []


class Planned:
    """What all batches by a plan have in common: how many there are, and of what size."""

    plan: Plan

    @property
    def batch_size(self) -> int:
        return self.plan.batch_size

    @property
    def examples(self) -> int:
        return self.plan.examples

    def __len__(self) -> int:
        return len(self.plan)

    def limit(self, batches: int) -> Self:
        limited = copy.copy(self)
        limited.plan = self.plan.limit(batches)
        return limited
