"""Batches of a long text: windows in random order, or read in order with the state carried over.

Source   Book 8.3.
Differs  The book draws the offset of each epoch from a global generator, and the number of batches
         varies with it; here it is a function of seed and epoch, and every epoch has as many
         batches as the largest offset leaves.
Shapes   N tokens, B in a batch, T steps: `tokens_BT`, and as targets the token after each.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor

from fathom.core.errors import DataError, SettingError
from fathom.core.order import derive, permutation
from fathom.data import fingerprints

Inputs = tuple[Tensor, bool]


class TokenBatches:
    """`ids` (N,) as batches ((tokens_BT, fresh), next_BT): a `Batches` of `core.experiment`.

    In order, row b of a batch goes on where row b of the batch before it ended, and `fresh` is
    true of the first only: there the model's state begins anew. Of windows in random order each
    is fresh. Either way an epoch begins at an offset of its own, less than `num_steps` from the
    start, so that windows fall differently each time.

    With `whole` there is no offset, and the last batch of a text in order may have fewer steps:
    nothing is left out but what does not fill a row, to measure on.

    Raises DataError where the text is too short for one batch.
    """

    def __init__(
        self,
        ids: Tensor,
        *,
        batch_size: int,
        num_steps: int,
        random: bool = False,
        whole: bool = False,
        split: str = "train",
    ) -> None:
        if batch_size < 1 or num_steps < 1:
            wrong = f"batch_size {batch_size}, num_steps {num_steps}"
            raise SettingError(split, wrong, "give 1 or more of each")
        assert not (random and whole), "windows in random order are for training"
        self.ids, self.num_steps = ids, num_steps
        self.random, self.whole, self._batch_size = random, whole, batch_size
        self._most: int | None = None
        if len(self) == 0:
            needs = batch_size * num_steps + (1 if whole else num_steps)
            wrong = f"{len(ids)} tokens make no batch of {batch_size} by {num_steps}"
            remedy = f"give at least {needs} tokens, or a smaller batch_size"
            raise DataError(split, wrong, remedy)

    @property
    def batch_size(self) -> int:
        return self._batch_size

    @property
    def examples(self) -> int:
        """How many tokens an epoch sees."""
        whole = len(self) * self.num_steps
        steps = min(whole, self._columns) if self.whole else whole
        return steps * self.batch_size

    @property
    def _usable(self) -> int:
        """Tokens that have a next one, after the largest offset."""
        return len(self.ids) - 1 - (0 if self.whole else self.num_steps - 1)

    @property
    def _columns(self) -> int:
        """Steps that each row of a text in order has."""
        return max(0, self._usable) // self.batch_size

    def __len__(self) -> int:
        if self.random:
            batches = self._columns // self.num_steps
        else:
            up = self.num_steps - 1 if self.whole else 0
            batches = (self._columns + up) // self.num_steps
        return batches if self._most is None else min(batches, self._most)

    def epoch(self, seed: int, epoch: int, first: int = 0) -> Iterator[tuple[Inputs, Tensor]]:
        offset = 0 if self.whole else derive(seed, epoch, 1) % self.num_steps
        text, starts_NB = self.ids[offset:], self._starts(seed, epoch).to(self.ids.device)
        for number in range(first, len(self)):
            steps = self.num_steps
            if not self.random:
                steps = min(steps, self._columns - number * steps)
            places_BT = starts_NB[number, :, None] + torch.arange(steps + 1, device=text.device)
            window = text[places_BT]
            yield (window[:, :-1], self.random or number == 0), window[:, 1:].long()

    def _starts(self, seed: int, epoch: int) -> Tensor:
        """Where each row of each batch begins, counted from the offset: (batches, B)."""
        if self.random:
            order = permutation(self._usable // self.num_steps, seed, epoch)
            chosen = order[: len(self) * self.batch_size] * self.num_steps
            return chosen.view(len(self), self.batch_size)
        rows = torch.arange(self.batch_size) * self._columns
        return rows + torch.arange(len(self))[:, None] * self.num_steps

    def to(self, device: torch.device, *, channels_last: bool = False) -> TokenBatches:
        moved = copy.copy(self)
        moved.ids = self.ids.to(device)
        return moved

    def limit(self, batches: int) -> TokenBatches:
        if batches < 1:
            raise SettingError("limit-batches", f"is {batches}", "give 1 or more")
        limited = copy.copy(self)
        limited._most = batches
        return limited

    def fingerprint(self) -> str:
        return fingerprints.of_tensors([self.ids])
