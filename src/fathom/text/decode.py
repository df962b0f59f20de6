"""Decoding: translations token by token from any model that encodes a source and takes steps.

A decoder carries a state: whatever it needs to go on, in tensors, tuples and dicts of tensors,
each with the batch as its first dimension. So states are reordered, repeated and cut down here,
once for all models, and a whole batch is decoded together.

Source   Book 9.7.5 (greedy), 9.8 (beam, exhaustive, length penalty).
Differs  In a beam, a translation that ends leaves its place to the others, and search stops when
         none of those can become better than the best that has ended. The exhaustive search
         leaves out only what cannot be better: a probability falls with every token.
Shapes   B sentences, S steps of the sources, T of what is decoded, V tokens in the vocabulary, K
         beginnings of each sentence, R beginnings of all together.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from fathom.core.errors import SettingError
from fathom.text.sampling import next_token

State = Any
FIRST = 8  # the beam from which an exhaustive search sets out
MOST = 200_000  # beginnings that an exhaustive search follows at once


class Decoder(Protocol):
    """What can be decoded from: in evaluation mode, under `no_grad`."""

    def start(self, source_BS: Tensor, source_lens_B: Tensor) -> State:
        """The state before the first step: the sources encoded."""
        ...

    def step(self, tokens_B: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits (B, V) of the token after `tokens_B`, and the state after it: not the old one
        written over."""
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

    def scores(self, end: int, alpha: float) -> Tensor:
        """(B,): what a search with this `alpha` compares."""
        lengths_B = ((self.tokens != end).sum(1) + 1).clamp(max=self.tokens.shape[1])
        return score(self.log_probs, lengths_B, alpha)


def reordered(state: State, index_N: Tensor, *, but: Set[Tensor] = frozenset()) -> State:
    """The state of these rows of the batch, in this order; a row may come more than once.

    The tensors in `but`, themselves and not their like, stay as they are.
    """
    if isinstance(state, Tensor):
        return state if state in but else state.index_select(0, index_N)
    if isinstance(state, dict):
        named = {name: reordered(part, index_N, but=but) for name, part in state.items()}
        return type(state)(named)
    if isinstance(state, list | tuple):
        parts = [reordered(part, index_N, but=but) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
    return state


def tensors(state: State) -> set[Tensor]:
    """All tensors of a state."""
    if isinstance(state, Tensor):
        return {state}
    if isinstance(state, dict):
        return tensors([*state.values()])
    return set().union(*map(tensors, state)) if isinstance(state, list | tuple) else set()


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

    def likeliest(logits_BV: Tensor) -> tuple[Tensor, Tensor]:
        best = logits_BV.log_softmax(1).max(1)
        return best.indices, best.values

    return _token_by_token(decoder, source_BS, source_lens_B, likeliest, begin, end, max_steps)


def sampled(
    decoder: Decoder,
    source_BS: Tensor,
    source_lens_B: Tensor,
    *,
    begin: int,
    end: int,
    max_steps: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Decoded:
    """Tokens drawn as `sampling.next_token` draws them; the log-probabilities are the model's."""

    def draw(logits_BV: Tensor) -> tuple[Tensor, Tensor]:
        tokens_B = next_token(
            logits_BV, temperature=temperature, top_k=top_k, top_p=top_p, generator=generator
        ).to(logits_BV.device)
        return tokens_B, logits_BV.log_softmax(1).gather(1, tokens_B[:, None])[:, 0]

    return _token_by_token(decoder, source_BS, source_lens_B, draw, begin, end, max_steps)


def _token_by_token(
    decoder: Decoder,
    source_BS: Tensor,
    source_lens_B: Tensor,
    choose: Callable[[Tensor], tuple[Tensor, Tensor]],
    begin: int,
    end: int,
    max_steps: int,
) -> Decoded:
    """The tokens that `choose` takes of the logits (B, V) of each step, and their log-probs.

    A row that has ended is led on until all have; what it says then is struck out.
    """
    state = decoder.start(source_BS, source_lens_B)
    tokens_B = source_BS.new_full((len(source_BS),), begin)
    steps: list[tuple[Tensor, Tensor]] = []
    going_on = list(range(len(source_BS)))
    while going_on and len(steps) < max_steps:
        logits_BV, state = decoder.step(tokens_B, state)
        tokens_B, log_probs_B = choose(logits_BV.float())
        steps.append((tokens_B, log_probs_B))
        said = tokens_B.tolist()
        going_on = [row for row in going_on if said[row] != end]
    tokens_BT, log_probs_BT = (torch.stack(parts, dim=1) for parts in zip(*steps, strict=True))
    is_end_BT = tokens_BT == end
    after_BT = is_end_BT.cumsum(1) > is_end_BT
    return Decoded(
        tokens_BT.masked_fill(after_BT, end), log_probs_BT.masked_fill(after_BT, 0).sum(1)
    )


def score(log_prob: Tensor, length: Tensor | int, alpha: float) -> Tensor:
    """What translations are compared by: log-probability / length^alpha, `end` being counted.

    With 0 the more probable one is better, which is often the shorter; with 1, the one whose
    tokens are more probable on average.
    """
    return log_prob / length**alpha


class Step(NamedTuple):
    """A step of a beam, to be looked at: from which beginning of the step before each of the K
    came (B, K), by which token, and the log-probability so far; minus infinity for none."""

    parents: Tensor
    tokens: Tensor
    log_probs: Tensor


def beam(
    decoder: Decoder,
    source_BS: Tensor,
    source_lens_B: Tensor,
    *,
    width: int,
    begin: int,
    end: int,
    max_steps: int,
    alpha: float = 0.0,
    kept: list[Step] | None = None,
) -> Decoded:
    """The best by `score` of what is found by following the `width` most probable beginnings.

    All beginnings of all sentences take a step together. Of width 1 it is `greedy`; as wide as
    there are sequences, `exhaustive`. Each step is added to `kept`, if given.
    """
    state = decoder.start(source_BS, source_lens_B)
    B, device = len(source_BS), source_BS.device
    at_B1 = torch.arange(B, device=device)[:, None]
    last_BK = source_BS.new_full((B, 1), begin)
    log_probs_BK = torch.zeros(B, 1, device=device)
    best_B = torch.full((B,), -torch.inf, device=device)
    shared: Set[Tensor] = frozenset()  # the same for all beginnings of a sentence
    steps: list[Step] = []
    while len(steps) < max_steps:
        logits_RV, state = decoder.step(last_BK.flatten(), state)
        (K, V) = last_BK.shape[1], logits_RV.shape[1]
        gained_BKV = logits_RV.float().log_softmax(1).view(B, K, V)
        reached_BX = (log_probs_BK[:, :, None] + gained_BKV).flatten(1)
        log_probs_BK, chosen_BK = reached_BX.topk(min(width, K * V), dim=1)
        parents_BK, last_BK = chosen_BK // V, chosen_BK % V
        steps.append(Step(parents_BK, last_BK, log_probs_BK))
        from_R, grown = (at_B1 * K + parents_BK).flatten(), last_BK.shape[1] > K
        state = reordered(state, from_R, but=frozenset() if grown else shared)
        if K == 1:  # they come from one, and what no step replaces they go on having in common
            shared = tensors(state)

        ended_BK = last_BK == end
        scores_BK = score(log_probs_BK, len(steps), alpha).masked_fill(~ended_BK, -torch.inf)
        best_B = torch.maximum(best_B, scores_BK.amax(1))
        log_probs_BK = log_probs_BK.masked_fill(ended_BK, -torch.inf)
        if not (score(log_probs_BK.amax(1), max_steps, alpha) > best_B).any():
            break
    if kept is not None:
        kept += steps
    return _best(steps, end, max_steps, alpha)


def _best(steps: Sequence[Step], end: int, max_steps: int, alpha: float) -> Decoded:
    """The best of all beginnings of each sentence that came to their end, or ran out of steps.

    They stand in a row, X, those of each step after those of the step before.
    """
    parents_BX, tokens_BX, log_probs_BX = (torch.cat(part, 1) for part in zip(*steps, strict=True))
    widths = [step.tokens.shape[1] for step in steps]
    lengths_X = [t for t, width in enumerate(widths, 1) for _ in range(width)]
    lengths_1X = torch.tensor([lengths_X], device=tokens_BX.device)
    complete_BX = (tokens_BX == end) | (lengths_1X == max_steps)
    scores_BX = score(log_probs_BX, lengths_1X, alpha).masked_fill(~complete_BX, -torch.inf)
    best_B1 = scores_BX.argmax(1, keepdim=True)

    before = [0, 0, *itertools.accumulate(widths)]  # where the parents of each step stand
    rows = []
    for (last,), parents, tokens in zip(
        best_B1.tolist(), parents_BX.tolist(), tokens_BX.tolist(), strict=True
    ):
        row, at = [end] * len(steps), last
        for t in range(lengths_X[last], 0, -1):
            row[t - 1] = tokens[at]
            at = before[t - 1] + parents[at]
        rows.append(row)
    return Decoded(tokens_BX.new_tensor(rows), log_probs_BX.gather(1, best_B1)[:, 0])


def beginnings(kept: Sequence[Step], sentence: int) -> dict[tuple[int, ...], float]:
    """Every beginning that a beam held of one sentence, with its log-probability."""
    found: dict[tuple[int, ...], float] = {}
    before: list[tuple[int, ...]] = [()]
    for step in kept:
        parents, tokens, log_probs = (part[sentence].tolist() for part in step)
        before = [(*before[parent], token) for parent, token in zip(parents, tokens, strict=True)]
        held = zip(before, log_probs, strict=True)
        found |= {tokens: log_prob for tokens, log_prob in held if log_prob > -math.inf}
    return found


def exhaustive(
    decoder: Decoder,
    source_BS: Tensor,
    source_lens_B: Tensor,
    *,
    begin: int,
    end: int,
    max_steps: int,
    alpha: float = 0.0,
) -> Decoded:
    """The best by `score` of all there are.

    Only beginnings that may still become better than what is known are followed, from what a beam
    finds on: with `alpha` 0 fewer than 1 / p at each step, p being its probability. Raises
    SettingError where there are too many even so.
    """
    ids: dict[str, Any] = dict(begin=begin, end=end, max_steps=max_steps, alpha=alpha)
    first = beam(decoder, source_BS, source_lens_B, width=FIRST, **ids)
    best_B = first.scores(end, alpha)
    best_log_B = first.log_probs.clone()
    best_BT = source_BS.new_full((len(source_BS), max_steps), end)
    best_BT[:, : first.tokens.shape[1]] = first.tokens

    state = decoder.start(source_BS, source_lens_B)
    of_R = torch.arange(len(source_BS), device=source_BS.device)  # whose beginning it is
    tokens_RT = source_BS.new_empty(len(source_BS), 0)
    last_R = source_BS.new_full((len(source_BS),), begin)
    log_probs_R = torch.zeros(len(source_BS), device=source_BS.device)
    for t in range(1, max_steps + 1):
        logits_RV, state = decoder.step(last_R, state)
        reached_RV = log_probs_R[:, None] + logits_RV.float().log_softmax(1)
        ended_RV = torch.full_like(reached_RV, t == max_steps, dtype=torch.bool)
        ended_RV[:, end] = True

        scores_RV = score(reached_RV, t, alpha).masked_fill(~ended_RV, -torch.inf)
        scores_R, best_token_R = scores_RV.max(1)
        best_B = best_B.scatter_reduce(0, of_R, scores_R, "amax")
        for r in ((scores_R == best_B[of_R]) & (scores_R > -torch.inf)).nonzero()[:, 0].tolist():
            b, token = int(of_R[r]), best_token_R[r]
            best_log_B[b] = reached_RV[r, token]
            best_BT[b] = end
            best_BT[b, :t] = torch.cat([tokens_RT[r], token[None]])

        hopeful_RV = score(reached_RV, max_steps, alpha) > best_B[of_R, None]
        r, last_R = (hopeful_RV & ~ended_RV).nonzero(as_tuple=True)
        if len(r) > MOST:
            wrong = f"would follow {len(r):,} beginnings of {t} tokens"
            raise SettingError("an exhaustive search", wrong, "use a beam, or a better model")
        if not len(r):
            break
        tokens_RT = torch.cat([tokens_RT[r], last_R[:, None]], dim=1)
        log_probs_R, of_R, state = reached_RV[r, last_R], of_R[r], reordered(state, r)
    return Decoded(best_BT, best_log_B)
