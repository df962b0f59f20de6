"""Batches of sentence pairs: padded to the longest of the batch, and of like lengths if asked.

What is fed and what is asked is laid out once: the decoder is given `<bos>` and the target but
for its last token, and is asked for the target; where a target has ended nothing is asked.

Source   Book 9.5.5 and 9.7.4 (teacher forcing).
Shapes   N pairs, B in a batch, S steps of sources, T of targets: ((source_BS, source_lens_B,
         given_BT), asked_BT).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor

from fathom.core.order import derive, permutation
from fathom.data import fingerprints
from fathom.data.pairs import BOS, PAD, Numbered
from fathom.data.plan import Plan, Planned

NOTHING = -100  # a label that torch's losses leave out
POOL = 64  # batches whose pairs are sorted among each other
Inputs = tuple[Tensor, Tensor, Tensor]


class PairBatches(Planned):
    """Pairs in batches; a `Batches` of `core.experiment`.

    `bucketed` sorts what is shuffled by length, in pools of many batches, so that little is
    padded: which pairs meet is still chance, and the batches come in random order.

    The lengths stay on the CPU, where packing asks for them. Raises DataError if there is not
    one batch.
    """

    def __init__(
        self,
        pairs: Numbered,
        *,
        batch_size: int,
        shuffle: bool = True,
        bucketed: bool = False,
        split: str = "train",
    ) -> None:
        self.pairs, self.bucketed = pairs, bucketed
        self.plan = Plan(len(pairs), batch_size, shuffle, split=split)

    def epoch(self, seed: int, epoch: int, first: int = 0) -> Iterator[tuple[Inputs, Tensor]]:
        for indices in self._batches(seed, epoch)[first : len(self)]:
            yield self.batch(indices)

    def _batches(self, seed: int, epoch: int) -> list[Tensor]:
        count, size = len(self.pairs), self.batch_size
        if not self.bucketed:
            return self.plan.batches(seed, epoch)
        order = permutation(count, seed, epoch)
        lens = self.pairs.source_lens * (1 << 20) + self.pairs.target_lens
        pools = [pool[lens[pool].argsort(stable=True)] for pool in order.split(POOL * size)]
        batches = [batch for pool in pools for batch in pool.split(size)]
        return [batches[i] for i in permutation(len(batches), derive(seed, 1), epoch).tolist()]

    def batch(self, indices: Tensor) -> tuple[Inputs, Tensor]:
        """The pairs of these numbers, no wider than the longest of them."""
        pairs = self.pairs
        source_lens_B = pairs.source_lens[indices]
        S, T = int(source_lens_B.max()), int(pairs.target_lens[indices].max())
        indices = indices.to(pairs.source.device)
        source_BS = pairs.source[indices, :S].long()
        target_BT = pairs.target[indices, :T].long()
        begin_B1 = target_BT.new_full((len(indices), 1), BOS)
        given_BT = torch.cat([begin_B1, target_BT[:, :-1]], dim=1)
        return (source_BS, source_lens_B, given_BT), target_BT.masked_fill(
            target_BT == PAD, NOTHING
        )

    def to(self, device: torch.device, *, channels_last: bool = False) -> PairBatches:
        moved = copy.copy(self)
        moved.pairs = Numbered(
            self.pairs.source.to(device),
            self.pairs.source_lens,
            self.pairs.target.to(device),
            self.pairs.target_lens,
        )
        return moved

    def fingerprint(self) -> str:
        held = self.pairs
        return fingerprints.of_tensors([held.source, held.target])
