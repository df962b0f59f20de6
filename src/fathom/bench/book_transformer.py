"""The Transformer as the book computes it, for benchmarks to race with: not to be used.

Queries, keys and values each have a layer; heads are made by copies; masks are made anew in each
attention, and hidden scores written over by -1e6; a decoder keeps what went into its layers and
makes keys and values of all of it at each step, the source's too.

Source   Book 10.3 to 10.7, as they are described.
Shapes   B sentences, L queries, S keys, N heads, D features of a head, H = N D.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

State = list[Any]


def masked_softmax(scores_BLS: Tensor, lens: Tensor | None) -> Tensor:
    """`lens` is (B,), or a length for each query (B, L)."""
    if lens is None:
        return nn.functional.softmax(scores_BLS, dim=-1)
    shape = scores_BLS.shape
    lens = torch.repeat_interleave(lens, shape[1]) if lens.dim() == 1 else lens.reshape(-1)
    flat_RS = scores_BLS.reshape(-1, shape[-1])
    places_1S = torch.arange(shape[-1], dtype=torch.float32, device=flat_RS.device)[None, :]
    flat_RS[~(places_1S < lens[:, None])] = -1e6
    return nn.functional.softmax(flat_RS.reshape(shape), dim=-1)


class Heads(nn.Module):
    """Attention with several heads, split by copies."""

    def __init__(self, size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, nn.Dropout(dropout)
        self.query, self.key, self.value, self.output = (
            nn.Linear(size, size, bias=False) for _ in range(4)
        )

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, lens: Tensor | None) -> Tensor:
        q, k, v = (
            self.split(layer(x))
            for layer, x in ((self.query, queries), (self.key, keys), (self.value, values))
        )
        if lens is not None:
            lens = torch.repeat_interleave(lens, repeats=self.heads, dim=0)
        scores = torch.bmm(q, k.transpose(1, 2)) / math.sqrt(q.shape[-1])
        taken = torch.bmm(self.dropout(masked_softmax(scores, lens)), v)
        taken = taken.reshape(-1, self.heads, taken.shape[1], taken.shape[2]).permute(0, 2, 1, 3)
        return self.output(taken.reshape(taken.shape[0], taken.shape[1], -1))

    def split(self, x: Tensor) -> Tensor:
        """(B, L, H) to (B N, L, D)."""
        x = x.reshape(x.shape[0], x.shape[1], self.heads, -1).permute(0, 2, 1, 3)
        return x.reshape(-1, x.shape[2], x.shape[3])


class Places(nn.Module):
    """Tokens, scaled, and the codes of their places."""

    def __init__(self, tokens: int, size: int, dropout: float) -> None:
        super().__init__()
        self.embedding, self.size = nn.Embedding(tokens, size), size
        self.dropout = nn.Dropout(dropout)
        self.codes = torch.zeros(1, 1000, size)
        angles = torch.arange(1000.0)[:, None] / 10_000 ** (torch.arange(0, size, 2) / size)
        self.codes[:, :, 0::2], self.codes[:, :, 1::2] = angles.sin(), angles.cos()

    def forward(self, tokens_BL: Tensor) -> Tensor:
        x = self.embedding(tokens_BL) * math.sqrt(self.size)
        return self.dropout(x + self.codes[:, : x.shape[1], :].to(x.device))


class Thinking(nn.Module):
    """The part of a block that is for each step by itself, and what is added and normalised."""

    def __init__(self, size: int, inner: int, norms: int, dropout: float) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(size, inner), nn.Linear(inner, size)
        self.dropout = nn.Dropout(dropout)
        self.norms = nn.ModuleList([nn.LayerNorm(size) for _ in range(norms)])

    def add(self, number: int, x: Tensor, made: Tensor) -> Tensor:
        return self.norms[number](self.dropout(made) + x)

    def forward(self, x: Tensor) -> Tensor:
        return self.add(-1, x, self.outer(nn.functional.relu(self.inner(x))))


class BookTransformer(nn.Module):
    """Trained on whole targets; used by `begin` and `word`."""

    thinks: Any
    decides: Any

    def __init__(
        self,
        sources: int,
        targets: int,
        *,
        hidden_size: int,
        num_layers: int,
        num_heads: int,
        ffn_size: int,
        dropout: float,
    ) -> None:
        super().__init__()
        size = hidden_size
        self.read, self.write = Places(sources, size, dropout), Places(targets, size, dropout)

        def attentions() -> nn.ModuleList:
            return nn.ModuleList([Heads(size, num_heads, dropout) for _ in range(num_layers)])

        def thoughts(norms: int) -> nn.ModuleList:
            parts = [Thinking(size, ffn_size, norms, dropout) for _ in range(num_layers)]
            return nn.ModuleList(parts)

        self.looks, self.thinks = attentions(), thoughts(2)
        self.recalls, self.seeks, self.decides = attentions(), attentions(), thoughts(3)
        self.output = nn.Linear(size, targets)

    def forward(self, inputs: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """(source_BS, lens_B, given_BT) to logits (B, T, V)."""
        source_BS, lens_B, given_BT = inputs
        return self.word(given_BT, self.begin(source_BS, lens_B))

    def begin(self, source_BS: Tensor, lens_B: Tensor) -> State:
        x = self.read(source_BS)
        for look, think in zip(self.looks, self.thinks, strict=True):
            x = think(think.add(0, x, look(x, x, x, lens_B)))
        return [x, lens_B, [None] * len(self.recalls)]

    def word(self, given_BT: Tensor, state: State) -> Tensor:
        """Logits (B, T, V); what went into the layers is added to the state's list."""
        x, (memory, lens_B, before) = self.write(given_BT), state
        for n, (recall, seek, decide) in enumerate(
            zip(self.recalls, self.seeks, self.decides, strict=True)
        ):
            so_far = x if before[n] is None else torch.cat((before[n], x), dim=1)
            before[n] = so_far
            lens_BT = None
            if self.training:
                lens_BT = torch.arange(1, x.shape[1] + 1).repeat(x.shape[0], 1)
            y = decide.add(0, x, recall(x, so_far, so_far, lens_BT))
            x = decide(decide.add(1, y, seek(y, memory, memory, lens_B)))
        return self.output(x)
