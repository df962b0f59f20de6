"""Attention: what a query takes from values, a mean weighted by how well their keys fit.

Source   Bahdanau et al. 2015, arXiv:1409.0473 (additive); Vaswani et al. 2017, arXiv:1706.03762
         (scaled dot product, several heads); book 10.3 and 10.5.
Differs  The book hides a key by the score -1e6, which half precision does not have, which leaves
         weights on padding where a query may see nothing, and it writes it into the scores it was
         given. Here a hidden key scores minus infinity in a copy, and a query that may see no key
         gets zeros and has no gradient: as from torch's `scaled_dot_product_attention`, where
         torch's `softmax` gives NaN. Keys and values of a head come from one product.
Shapes   B batch, L queries, S keys and values, N heads, D features of a head, H = N D; masks are
         boolean, True where a key may be seen, of any shape that broadcasts to the scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fathom.models.dropout import dropout

Kept = list[Tensor] | None
"""A list that the weights of each attention are added to, to be looked at."""
KeysValues = tuple[Tensor, Tensor]
"""The keys of some steps and their values, both (B, N, S, D)."""
SHORT = 16  # keys, fewer than a vector unit takes at once


def valid_mask(valid_lens: Tensor, keys: int) -> Tensor:
    """Which keys lie within a length: (B,) to (B, 1, S), a length a query (B, L) to (B, L, S)."""
    lens = valid_lens.unsqueeze(-1) if valid_lens.dim() > 1 else valid_lens[:, None, None]
    return torch.arange(keys, device=lens.device) < lens


def padding_mask(lens_B: Tensor, padded_BS: Tensor) -> Tensor | None:
    """(B, 1, S), True where a sentence goes on; None if all do to the end, if asking is cheap."""
    S = padded_BS.shape[1]
    if lens_B.device.type == "cpu" and int(lens_B.min()) >= S:
        return None
    return valid_mask(lens_B.to(padded_BS.device), S)


def causal_mask(queries: int, keys: int, device: torch.device | None = None) -> Tensor:
    """(L, S): the last query sees all keys, each before it one key fewer."""
    seen = torch.ones(queries, keys, dtype=torch.bool, device=device)
    return seen.tril(keys - queries)


def masked_softmax(
    scores: Tensor,
    mask: Tensor | None = None,
    *,
    softmax: Callable[..., Tensor] = torch.nn.functional.softmax,
) -> Tensor:
    """The softmax of scores (*, L, S) over the keys that a mask lets see; zeros where it is none.

    Neither argument is written to. Weights of hidden keys, and their gradients, are exactly 0.
    """
    if mask is None:
        return softmax(scores, dim=-1)
    shown = scores.masked_fill(~mask, -math.inf)
    nothing = ~mask.any(-1, keepdim=True)
    if mask.device.type == "cpu" and not nothing.any():  # elsewhere, looking means waiting
        return softmax(shown, dim=-1)
    # A row of minus infinity would be NaN, and NaN times 0 in its gradient: let it be any row.
    return softmax(shown.masked_fill(nothing, 0), dim=-1).masked_fill(nothing, 0)


def keys_first(softmax: Callable[..., Tensor], scores: Tensor, dim: int) -> Tensor:
    """The softmax over the last dimension, with the keys in rows: the same numbers.

    A softmax over ten numbers leaves a vector unit idle; this way it works on many queries at
    once, at five to ten times the speed.
    """
    return softmax(scores.movedim(dim, 0).contiguous(), dim=0).movedim(0, dim)


class AdditiveAttention(torch.nn.Module):
    """Scores by a small network: w · tanh(W q + U k); queries and keys may differ in size."""

    def __init__(
        self,
        query_size: int,
        key_size: int,
        hidden_size: int,
        dropout: float = 0.0,
        *,
        nn: Any = torch.nn,
    ) -> None:
        super().__init__()
        self.query = nn.Linear(query_size, hidden_size, bias=False)
        self.key = nn.Linear(key_size, hidden_size, bias=False)
        self.score = nn.Linear(hidden_size, 1, bias=False)
        self.p = dropout
        self._softmax = nn.functional.softmax

    def forward(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor | None = None,
        *,
        kept: Kept = None,
    ) -> Tensor:
        """(B, L, query_size), (B, S, key_size) and (B, S, V) to (B, L, V)."""
        return self.attend(queries, self.key(keys), values, mask, kept=kept)

    def attend(
        self,
        queries: Tensor,
        keys_BSH: Tensor,
        values: Tensor,
        mask: Tensor | None = None,
        *,
        kept: Kept = None,
    ) -> Tensor:
        """The same with keys that went through `key` before: once, for many queries."""
        features_BLSH = torch.tanh(self.query(queries).unsqueeze(2) + keys_BSH.unsqueeze(1))
        scores_BLS = self.score(features_BLSH).squeeze(-1)
        weights_BLS = masked_softmax(scores_BLS, mask, softmax=self._softmax)
        if kept is not None:
            kept.append(weights_BLS)
        return dropout(weights_BLS, self.p, self.training) @ values


class DotProductAttention(torch.nn.Module):
    """softmax(q kᵀ / √D) v, by the library's own function, or step by step: to keep the weights,
    and to train on a processor over few keys or with dropout, where that is faster.

    Divided by √D the scores of random vectors have variance 1, whatever their size.
    """

    def __init__(self, dropout: float = 0.0, *, nn: Any = torch.nn) -> None:
        super().__init__()
        self.p = dropout
        self._at_once = nn.functional.scaled_dot_product_attention
        self._softmax = nn.functional.softmax

    def forward(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor | None = None,
        *,
        causal: bool = False,
        kept: Kept = None,
    ) -> Tensor:
        """(*, L, D), (*, S, D) and (*, S, V) to (*, L, V).

        With `causal` the last query sees all keys, each before it one fewer, of those that the
        mask lets see.
        """
        L, S = queries.shape[-2], keys.shape[-2]
        short = self.training and S < SHORT and queries.device.type == "cpu"
        in_steps = kept is not None or short or self._drops(queries)
        causal = causal and bool(L > 1)  # a number, where a graph is drawn of it
        if causal and (L != S or mask is not None or in_steps):
            before = causal_mask(L, S, queries.device)
            mask, causal = before if mask is None else mask & before, False
        if not in_steps:
            p = self.p if self.training else 0.0
            return self._at_once(queries, keys, values, mask, p, causal)
        softmax = partial(keys_first, self._softmax) if short else self._softmax
        scores = (queries / math.sqrt(queries.shape[-1])) @ keys.transpose(-2, -1)
        weights = masked_softmax(scores, mask, softmax=softmax)
        if kept is not None:
            kept.append(weights)
        return dropout(weights, self.p, self.training) @ values

    def _drops(self, x: Tensor) -> bool:
        """Whether weights are dropped where torch's function is slow at that."""
        return self.training and self.p > 0 and x.device.type == "cpu"

    def extra_repr(self) -> str:
        return f"dropout={self.p}"


class MultiHeadAttention(torch.nn.Module):
    """Attention in several subspaces at once, each with queries, keys and values of its own.

    Weights begin as Xavier's, each projection for itself.
    """

    def __init__(
        self,
        hidden_size: int,
        num_heads: int,
        dropout: float = 0.0,
        *,
        bias: bool = False,
        nn: Any = torch.nn,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(hidden_size, hidden_size, bias=bias)
        self.key_value = nn.Linear(hidden_size, 2 * hidden_size, bias=bias)
        self.output = nn.Linear(hidden_size, hidden_size, bias=bias)
        self.attention = DotProductAttention(dropout, nn=nn)
        _begin([self.query, self.key_value, self.output], num_heads, nn)

    def forward(
        self,
        queries_BLH: Tensor,
        memory_BSH: Tensor,
        mask: Tensor | None = None,
        *,
        causal: bool = False,
        kept: Kept = None,
    ) -> Tensor:
        """What the queries take from a memory, (B, L, H); a mask is (B, 1, S) or (B, L, S)."""
        projected = self.keys_values(memory_BSH)
        return self.attend(queries_BLH, projected, mask, causal=causal, kept=kept)

    def keys_values(self, memory_BSH: Tensor) -> KeysValues:
        """Of a memory: made once, looked at often."""
        keys_BNSD, values_BNSD = _heads(self.key_value(memory_BSH), 2, self.num_heads)
        return keys_BNSD, values_BNSD

    def attend(
        self,
        queries_BLH: Tensor,
        keys_values: KeysValues,
        mask: Tensor | None = None,
        *,
        causal: bool = False,
        kept: Kept = None,
    ) -> Tensor:
        """The same with keys and values that were made before; `kept` gets (B, N, L, S)."""
        (queries_BNLD,) = _heads(self.query(queries_BLH), 1, self.num_heads)
        mask = None if mask is None else mask.unsqueeze(-3)
        taken_BNLD = self.attention(queries_BNLD, *keys_values, mask, causal=causal, kept=kept)
        return self.output(taken_BNLD.transpose(1, 2).flatten(2))


class SelfAttention(torch.nn.Module):
    """Several heads over the steps of one sequence, each step asking, being asked and answering."""

    def __init__(
        self,
        hidden_size: int,
        num_heads: int,
        dropout: float = 0.0,
        *,
        bias: bool = False,
        nn: Any = torch.nn,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query_key_value = nn.Linear(hidden_size, 3 * hidden_size, bias=bias)
        self.output = nn.Linear(hidden_size, hidden_size, bias=bias)
        self.attention = DotProductAttention(dropout, nn=nn)
        _begin([self.query_key_value, self.output], num_heads, nn)

    def forward(
        self,
        x_BLH: Tensor,
        mask: Tensor | None = None,
        *,
        past: KeysValues | None = None,
        causal: bool = False,
        kept: Kept = None,
    ) -> tuple[Tensor, KeysValues]:
        """What each step takes, and the keys and values of all steps so far.

        `past` are those of the steps before these. `kept` gets (B, N, L, S).
        """
        queries, keys, values = _heads(self.query_key_value(x_BLH), 3, self.num_heads)
        if past is not None:
            keys, values = torch.cat([past[0], keys], dim=2), torch.cat([past[1], values], dim=2)
        mask = None if mask is None else mask.unsqueeze(-3)
        taken_BNLD = self.attention(queries, keys, values, mask, causal=causal, kept=kept)
        return self.output(taken_BNLD.transpose(1, 2).flatten(2)), (keys, values)


def _heads(x_BSX: Tensor, parts: int, heads: int) -> tuple[Tensor, ...]:
    """(B, S, parts N D) to each part's (B, N, S, D)."""
    B, S, X = x_BSX.shape
    return x_BSX.view(B, S, parts, heads, X // (parts * heads)).transpose(1, 3).unbind(2)


def _begin(layers: list[torch.nn.Linear], heads: int, nn: Any) -> None:
    size = layers[0].in_features
    assert size % heads == 0, f"{size} features are no multiple of {heads} heads"
    with torch.no_grad():
        for layer in layers:
            for weight_HH in layer.weight.split(size):
                nn.init.xavier_uniform_(weight_HH)
