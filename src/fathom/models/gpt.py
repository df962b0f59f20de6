"""A Transformer that only writes: from the tokens so far to the logits of the next one.

Source   Radford et al. 2018 and 2019 (GPT, GPT-2): a decoder alone, normalised before each part.
Differs  Positions are sines and cosines and not learned, so that there is one for any length; the
         vectors of the tokens, which also weigh the output, begin with a variance of 1/H and are
         scaled by √H.
Shapes   B batch, T steps, H features, V tokens in the vocabulary.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from fathom.models.attention import Kept, KeysValues, SelfAttention
from fathom.models.dropout import dropout
from fathom.models.graphs import TOKENS, Graph, some_tokens
from fathom.models.transformer import FeedForward, TokensInPlace


class Block(torch.nn.Module):
    """A step looks at the steps so far, then thinks for itself; what goes in is normalised."""

    def __init__(self, size: int, heads: int, dropout: float, nn: Any) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(size)
        self.attention = SelfAttention(size, heads, dropout, nn=nn)
        self.norm2 = nn.LayerNorm(size)
        self.ffn = FeedForward(size, 4 * size, nn.GELU(), nn)
        self.p = dropout

    def forward(
        self, x_BTH: Tensor, past: KeysValues | None, *, kept: Kept = None
    ) -> tuple[Tensor, KeysValues]:
        normed_BTH = self.norm1(x_BTH)
        taken_BTH, own = self.attention(normed_BTH, past=past, causal=True, kept=kept)
        x_BTH = x_BTH + dropout(taken_BTH, self.p, self.training)
        made_BTH = self.ffn(self.norm2(x_BTH))
        return x_BTH + dropout(made_BTH, self.p, self.training), own


class State(NamedTuple):
    """The tokens (B, T) read so far, and each block's keys and values of them."""

    tokens: Tensor
    past: tuple[KeysValues, ...]


class GPT(torch.nn.Module):
    """Reads texts of any length; of what is read piece by piece it sees the last `context` tokens.

    When those are full, the latter half is read anew from place 0: a network knows the places that
    it was trained on.
    """

    def __init__(
        self,
        tokens: TokensInPlace,
        blocks: Any,
        norm: torch.nn.Module,
        context: int | None,
        nn: Any,
    ) -> None:
        super().__init__()
        self.tokens, self.blocks, self.norm, self.context = tokens, blocks, norm, context
        self._linear = nn.functional.linear

    def forward(self, inputs: Tensor | tuple[Tensor, bool]) -> Tensor:
        """Tokens (B, T), each window of a text for itself, to logits (B, T, V)."""
        return self.read(inputs if isinstance(inputs, Tensor) else inputs[0])[0]

    def read(self, tokens_BT: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """The logits (B, T, V) after each token, and the state after the last."""
        T, seen = tokens_BT.shape[1], 0 if state is None else state.tokens.shape[1]
        if state is not None and self.context is not None and seen + T > self.context:
            kept_BT = state.tokens[:, seen - max(0, min(seen, self.context // 2 - T)) :]
            logits_BTV, state = self.read(torch.cat([kept_BT, tokens_BT], dim=1))
            return logits_BTV[:, -T:], state
        x_BTH = self.tokens(tokens_BT, seen)
        past = []
        for number, block in enumerate(self.blocks):
            x_BTH, own = block(x_BTH, None if state is None else state.past[number])
            past.append(own)
        so_far = tokens_BT if state is None else torch.cat([state.tokens, tokens_BT], dim=1)
        return self._logits(x_BTH), State(so_far, tuple(past))

    def maps(self, tokens_BT: Tensor) -> Tensor:
        """The weights of all attention while reading these tokens: (B, layers, N, T, T)."""
        x_BTH, kept = self.tokens(tokens_BT), list[Tensor]()
        for block in self.blocks:
            x_BTH, _ = block(x_BTH, None, kept=kept)
        return torch.stack(kept, dim=1)

    def graphs(self) -> list[Graph]:
        """One that is given all tokens so far, or the last `context` of them."""
        tokens_BT = some_tokens(self.tokens.embedding.num_embeddings)
        return [Graph(self.forward, {"tokens": tokens_BT}, ["logits"], {"tokens": TOKENS})]

    def _logits(self, x_BTH: Tensor) -> Tensor:
        return self._linear(self.norm(x_BTH), self.tokens.embedding.weight)


def gpt(
    vocab_size: int,
    *,
    hidden_size: int = 128,
    num_layers: int = 4,
    num_heads: int = 4,
    dropout: float = 0.1,
    context: int | None = None,
    nn: Any = torch.nn,
) -> GPT:
    """A language model over `vocab_size` tokens, whose vectors are also the output's weights."""
    tokens = TokensInPlace(vocab_size, hidden_size, dropout, nn)
    blocks = [Block(hidden_size, num_heads, dropout, nn) for _ in range(num_layers)]
    return GPT(tokens, nn.ModuleList(blocks), nn.LayerNorm(hidden_size), context, nn)
