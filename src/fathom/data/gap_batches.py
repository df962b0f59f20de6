"""Windows of a text with gaps: what comes next is asked for at every place, and what is missing.

Source   Book 9.4.1 (a missing word); Devlin et al. 2018, arXiv:1810.04805 (masked tokens).
Shapes   N windows, B in a batch, T steps: inputs (tokens_BT, gapped_BT), targets (next_BT,
         missing_BT), where `missing` asks for nothing but in the gaps.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor

from fathom.core.errors import DataError
from fathom.core.order import uniforms
from fathom.data import fingerprints
from fathom.data.plan import Plan, Planned

NOTHING = -100  # a label that torch's losses leave out
Pair = tuple[Tensor, Tensor]


class GapBatches(Planned):
    """`ids` (M,) in windows of `num_steps`, each with `gaps` places hidden behind number `gap`.

    The gaps of a window are a function of seed, epoch and window: others in each epoch. Raises
    DataError where the text is too short for one window.
    """

    def __init__(
        self,
        ids: Tensor,
        *,
        gap: int,
        gaps: int,
        batch_size: int,
        num_steps: int,
        shuffle: bool = True,
        split: str = "train",
    ) -> None:
        assert 1 <= gaps <= num_steps, "a gap is a place of the window"
        if len(ids) <= num_steps:
            wrong = f"has {len(ids)} tokens, no window of {num_steps} and one after it"
            raise DataError(split, wrong, "give a longer text, or fewer --num-steps")
        self.rows = ids.unfold(0, num_steps + 1, num_steps).contiguous()
        self.gap, self.gaps = gap, gaps
        self.plan = Plan(len(self.rows), batch_size, shuffle, split=split)

    def epoch(self, seed: int, epoch: int, first: int = 0) -> Iterator[tuple[Pair, Pair]]:
        for indices in self.plan.batches(seed, epoch, first, str(self.rows.device)):
            window = self.rows[indices].long()
            tokens_BT, next_BT = window[:, :-1], window[:, 1:]
            chance_BT = uniforms(indices, seed, epoch, tokens_BT.shape[1])
            hidden_BT = torch.zeros_like(tokens_BT, dtype=torch.bool)
            hidden_BT.scatter_(1, chance_BT.topk(self.gaps).indices, True)
            yield (
                (tokens_BT, tokens_BT.masked_fill(hidden_BT, self.gap)),
                (next_BT, tokens_BT.masked_fill(~hidden_BT, NOTHING)),
            )

    def to(self, device: torch.device, *, channels_last: bool = False) -> GapBatches:
        moved = copy.copy(self)
        moved.rows = self.rows.to(device)
        return moved

    def fingerprint(self) -> str:
        return fingerprints.of_tensors([self.rows])
