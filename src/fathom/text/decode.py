"""Decoding: translations token by token from any model that encodes a source and takes steps.

A decoder carries a state: whatever it needs to go on, in tensors, tuples and dicts of tensors,
each with the batch as its first dimension. So states are reordered, repeated and cut down here,
once for all models, and a whole batch is decoded together.

Source   Book 9.7.5 (greedy decoding).
Shapes   B sentences, S steps of the sources, T of what is decoded, V tokens in the vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

State = Any


class Decoder(Protocol):
    """What can be decoded from: in evaluation mode, under `no_grad`."""

    def start(self, source_BS: Tensor, source_lens_B: Tensor) -> State:
        """The state before the first step: the sources encoded."""
        ...

    def step(self, tokens_B: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits (B, V) of the token after `tokens_B`, and the state after it."""
        ...


@dataclass(frozen=True)
class Decoded:
    """Tokens (B, T), `end` from the first `end` on, and the log-probability (B,) of each row.

    Its last token `end` counts in the log-probability; a row that did not come to its end in
    time has none.
    """

    tokens: Tensor
    log_probs: Tensor

    def rows(self, end: int) -> list[list[int]]:
        """The tokens of each row before its end."""
        rows = self.tokens.tolist()
        return [row[: row.index(end)] if end in row else row for row in rows]


def reordered(state: State, index_N: Tensor) -> State:
    """The state of these rows of the batch, in this order; a row may come more than once."""
    if isinstance(state, Tensor):
        return state.index_select(0, index_N)
    if isinstance(state, dict):
        return type(state)({name: reordered(part, index_N) for name, part in state.items()})
    if isinstance(state, list | tuple):
        parts = [reordered(part, index_N) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
    return state


def greedy(
    decoder: Decoder,
    source_BS: Tensor,
    source_lens_B: Tensor,
    *,
    begin: int,
    end: int,
    max_steps: int,
) -> Decoded:
    """The most probable token at each step, for the whole batch, until all have come to `end`."""
    state = decoder.start(source_BS, source_lens_B)
    B = len(source_BS)
    tokens_B = source_BS.new_full((B,), begin)
    log_probs_B = torch.zeros(B, device=source_BS.device)
    ended_B = torch.zeros(B, dtype=torch.bool, device=source_BS.device)
    steps: list[Tensor] = []
    for _ in range(max_steps):
        logits_BV, state = decoder.step(tokens_B, state)
        logits_BV = logits_BV.float()
        best = logits_BV.max(1)
        gained_B = best.values - logits_BV.logsumexp(1)
        log_probs_B += gained_B.masked_fill(ended_B, 0)
        tokens_B = best.indices.masked_fill(ended_B, end)
        steps.append(tokens_B)
        ended_B |= tokens_B == end
        if ended_B.all():
            break
    return Decoded(torch.stack(steps, dim=1), log_probs_B)
