"""The Transformer: attention in place of recurrence, in an encoder and in a decoder.

Source   Vaswani et al. 2017, arXiv:1706.03762; book 10.7.
Differs  The book's decoder keeps the inputs of its layers and makes keys and values of all of them
         at each step; here those are made once and kept, the source's too. The book's vectors of
         tokens begin with a variance of 1, which the scale makes H, and the codes of places drown
         in them: a quarter of our dates came out right, most of the others with two digits
         exchanged.
Shapes   B sentences, S steps of the sources, T of the targets, H features, N heads, D = H / N,
         V tokens of the target's vocabulary.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fathom.models.attention import (
    Kept,
    KeysValues,
    MultiHeadAttention,
    SelfAttention,
    padding_mask,
)
from fathom.models.dropout import dropout
from fathom.models.graphs import SOURCE, TOKENS, Graph, some_tokens
from fathom.models.positions import PositionalEncoding

Inputs = tuple[Tensor, Tensor, Tensor]


class TokensInPlace(torch.nn.Module):
    """Tokens (B, T) to vectors (B, T, H) that know their place.

    The vectors begin with a variance of 1/H and are scaled by √H, so that they and the codes of
    places, which have a variance of 1/2, both are heard.
    """

    def __init__(self, tokens: int, size: int, dropout: float, nn: Any) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, size)
        nn.init.normal_(self.embedding.weight, std=size**-0.5)
        self.positions = PositionalEncoding(size, dropout)
        self.scale = math.sqrt(size)

    def forward(self, tokens_BT: Tensor, first: int = 0) -> Tensor:
        return self.positions(self.embedding(tokens_BT) * self.scale, first)


class FeedForward(torch.nn.Module):
    """The same two layers for each step by itself (Xavier's weights)."""

    def __init__(self, size: int, inner_size: int, activation: torch.nn.Module, nn: Any) -> None:
        super().__init__()
        self.inner = nn.Linear(size, inner_size)
        self.activation = activation
        self.output = nn.Linear(inner_size, size)
        nn.init.xavier_uniform_(self.inner.weight)
        nn.init.xavier_uniform_(self.output.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.activation(self.inner(x)))


class AddNorm(torch.nn.Module):
    """What came in and what was made of it, added and normalised."""

    def __init__(self, size: int, dropout: float, nn: Any) -> None:
        super().__init__()
        self.p = dropout
        self.norm = nn.LayerNorm(size)

    def forward(self, x: Tensor, made: Tensor) -> Tensor:
        return self.norm(x + dropout(made, self.p, self.training))


class EncoderBlock(torch.nn.Module):
    """Every step looks at every step of its sentence, then thinks for itself."""

    def __init__(self, size: int, heads: int, inner_size: int, dropout: float, nn: Any) -> None:
        super().__init__()
        self.attention = SelfAttention(size, heads, dropout, nn=nn)
        self.add_norm1 = AddNorm(size, dropout, nn)
        self.ffn = FeedForward(size, inner_size, nn.ReLU(), nn)
        self.add_norm2 = AddNorm(size, dropout, nn)

    def forward(self, x_BSH: Tensor, mask_B1S: Tensor | None, *, kept: Kept = None) -> Tensor:
        x_BSH = self.add_norm1(x_BSH, self.attention(x_BSH, mask_B1S, kept=kept)[0])
        return self.add_norm2(x_BSH, self.ffn(x_BSH))


class DecoderBlock(torch.nn.Module):
    """A step looks at the steps so far, then at the source, then thinks for itself."""

    def __init__(self, size: int, heads: int, inner_size: int, dropout: float, nn: Any) -> None:
        super().__init__()
        self.attention = SelfAttention(size, heads, dropout, nn=nn)
        self.add_norm1 = AddNorm(size, dropout, nn)
        self.source_attention = MultiHeadAttention(size, heads, dropout, nn=nn)
        self.add_norm2 = AddNorm(size, dropout, nn)
        self.ffn = FeedForward(size, inner_size, nn.ReLU(), nn)
        self.add_norm3 = AddNorm(size, dropout, nn)

    def forward(
        self,
        x_BTH: Tensor,
        source: KeysValues,
        mask_B1S: Tensor | None,
        *,
        past: KeysValues | None = None,
        kept: Kept = None,
        kept_source: Kept = None,
    ) -> tuple[Tensor, KeysValues]:
        """These steps, and the keys and values of all so far, `past` being those before them."""
        taken_BTH, own = self.attention(x_BTH, past=past, causal=True, kept=kept)
        x_BTH = self.add_norm1(x_BTH, taken_BTH)
        taken_BTH = self.source_attention.attend(x_BTH, source, mask_B1S, kept=kept_source)
        x_BTH = self.add_norm2(x_BTH, taken_BTH)
        return self.add_norm3(x_BTH, self.ffn(x_BTH)), own


class Encoder(torch.nn.Module):
    """Sources to a vector for each of their steps."""

    def __init__(
        self, tokens: int, size: int, layers: int, heads: int, inner: int, dropout: float, nn: Any
    ) -> None:
        super().__init__()
        self.tokens = TokensInPlace(tokens, size, dropout, nn)
        self.blocks = nn.ModuleList(
            [EncoderBlock(size, heads, inner, dropout, nn) for _ in range(layers)]
        )

    def forward(self, source_BS: Tensor, mask_B1S: Tensor | None, *, kept: Kept = None) -> Tensor:
        x_BSH = self.tokens(source_BS)
        for block in self.blocks:
            x_BSH = block(x_BSH, mask_B1S, kept=kept)
        return x_BSH


class Decoder(torch.nn.Module):
    """Targets to logits of the token after each, given keys and values of the source."""

    def __init__(
        self, tokens: int, size: int, layers: int, heads: int, inner: int, dropout: float, nn: Any
    ) -> None:
        super().__init__()
        self.tokens = TokensInPlace(tokens, size, dropout, nn)
        self.blocks = nn.ModuleList(
            [DecoderBlock(size, heads, inner, dropout, nn) for _ in range(layers)]
        )
        self.output = nn.Linear(size, tokens)
        nn.init.xavier_uniform_(self.output.weight)

    def sources(self, encoded_BSH: Tensor) -> tuple[KeysValues, ...]:
        """What each block looks at the source by."""
        return tuple(block.source_attention.keys_values(encoded_BSH) for block in self.blocks)

    def forward(
        self,
        given_BT: Tensor,
        sources: tuple[KeysValues, ...],
        mask_B1S: Tensor | None,
        *,
        past: tuple[KeysValues, ...] | None = None,
        kept: Kept = None,
        kept_source: Kept = None,
    ) -> tuple[Tensor, tuple[KeysValues, ...]]:
        """Logits (B, T, V), and each block's keys and values of all tokens so far."""
        x_BTH = self.tokens(given_BT, 0 if past is None else past[0][0].shape[2])
        so_far = []
        for number, (block, source) in enumerate(zip(self.blocks, sources, strict=True)):
            before = None if past is None else past[number]
            x_BTH, own = block(
                x_BTH, source, mask_B1S, past=before, kept=kept, kept_source=kept_source
            )
            so_far.append(own)
        return self.output(x_BTH), tuple(so_far)


class State(NamedTuple):
    """What a step needs: each block's keys and values of the source, and of the target so far.

    The mask (B, 1, S) is True where a source goes on; where all do to the end there is none.
    """

    mask: Tensor | None
    sources: tuple[KeysValues, ...]
    past: tuple[KeysValues, ...] | None


class Transformer(torch.nn.Module):
    """Encoder and decoder: trained on whole sequences at once, used step by step.

    `start` and `step` are those of `text.decode.Decoder`.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, inputs: Inputs) -> Tensor:
        """(source_BS, source_lens_B, given_BT) to logits (B, T, V)."""
        source_BS, lens_B, given_BT = inputs
        state = self.start(source_BS, lens_B)
        return self.decoder(given_BT, state.sources, state.mask)[0]

    def start(self, source_BS: Tensor, source_lens_B: Tensor) -> State:
        mask_B1S = padding_mask(source_lens_B, source_BS)
        encoded_BSH = self.encoder(source_BS, mask_B1S)
        return State(mask_B1S, self.decoder.sources(encoded_BSH), None)

    def step(self, tokens_B: Tensor, state: State) -> tuple[Tensor, State]:
        logits_B1V, past = self.decoder(
            tokens_B[:, None], state.sources, state.mask, past=state.past
        )
        return logits_B1V[:, 0], state._replace(past=past)

    def graphs(self) -> list[Graph]:
        """Sources of one length, without padding, to vectors; and, of these and all tokens so far,
        the logits of the next after each."""

        def encode(source_BS: Tensor) -> Tensor:
            return self.encoder(source_BS, None)

        def decode(tokens_BT: Tensor, encoded_BSH: Tensor) -> Tensor:
            return self.decoder(tokens_BT, self.decoder.sources(encoded_BSH), None)[0]

        source_BS = some_tokens(self.encoder.tokens.embedding.num_embeddings)
        given_BT = some_tokens(self.decoder.tokens.embedding.num_embeddings, steps=4)
        given = {"tokens": given_BT, "encoded": encode(source_BS)}
        free = {"tokens": TOKENS, "encoded": SOURCE}
        return [
            Graph(encode, {"source": source_BS}, ["encoded"], {"source": SOURCE}, "encoder"),
            Graph(decode, given, ["logits"], free, "decoder"),
        ]

    def maps(self, inputs: Inputs) -> dict[str, Tensor]:
        """The weights of all attention while reading what `forward` reads: (B, layers, N, L, S).

        `encoder`, of the source to itself; `decoder`, of the target to itself; and `source`, of
        the target to the source.
        """
        source_BS, lens_B, given_BT = inputs
        kept: dict[str, list[Tensor]] = {"encoder": [], "decoder": [], "source": []}
        mask_B1S = padding_mask(lens_B, source_BS)
        encoded_BSH = self.encoder(source_BS, mask_B1S, kept=kept["encoder"])
        sources = self.decoder.sources(encoded_BSH)
        self.decoder(given_BT, sources, mask_B1S, kept=kept["decoder"], kept_source=kept["source"])
        return {name: torch.stack(layers, dim=1) for name, layers in kept.items()}


def transformer(
    sources: int,
    targets: int,
    *,
    hidden_size: int = 32,
    num_layers: int = 2,
    num_heads: int = 4,
    ffn_size: int = 64,
    dropout: float = 0.1,
    nn: Any = torch.nn,
) -> Transformer:
    """Between vocabularies of so many `sources` and `targets`; the book's sizes."""
    sizes = hidden_size, num_layers, num_heads, ffn_size, dropout, nn
    return Transformer(Encoder(sources, *sizes), Decoder(targets, *sizes))
