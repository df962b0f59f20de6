"""Networks that read from the left, or from both sides, and say what stands at each place.

Source   Schuster and Paliwal 1997; book 9.4.
Shapes   B batch, T steps, V tokens, H hidden.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fathom.models.graphs import TOKENS, Graph, some_tokens

Inputs = tuple[Tensor, Tensor]
Outputs = tuple[Tensor, Tensor, Tensor]


class Tagger(torch.nn.Module):
    """Tokens (B, T) to logits (B, T, V): one guess at each place, from all that its LSTM reads."""

    def __init__(
        self, embedding: torch.nn.Module, rnn: torch.nn.Module, output: torch.nn.Module
    ) -> None:
        super().__init__()
        self.embedding, self.rnn, self.output = embedding, rnn, output

    def forward(self, tokens_BT: Tensor) -> Tensor:
        y_TBH, _ = self.rnn(self.embedding(tokens_BT.t()))
        return self.output(y_TBH).transpose(0, 1)


class Readers(torch.nn.Module):
    """Three taggers that learn side by side and share nothing.

    `ahead` reads the whole text from both sides and is asked for the next token, which it has
    read: the mistake. `left` and `both` read the text with gaps and are asked what is missing.
    """

    def __init__(self, ahead: Tagger, left: Tagger, both: Tagger) -> None:
        super().__init__()
        self.ahead, self.left, self.both = ahead, left, both

    def forward(self, inputs: Inputs) -> Outputs:
        """(tokens_BT, gapped_BT) to the logits (B, T, V) of the three."""
        tokens_BT, gapped_BT = inputs
        return self.ahead(tokens_BT), self.left(gapped_BT), self.both(gapped_BT)

    def graphs(self) -> list[Graph]:
        """The one that fills gaps best; a gap is the token after the vocabulary's last."""
        vocab_size: Any = self.both.embedding.num_embeddings
        tokens_BT = some_tokens(vocab_size)
        return [Graph(self.both.forward, {"tokens": tokens_BT}, ["logits"], {"tokens": TOKENS})]


def tagger(
    tokens: int,
    embedding_size: int = 32,
    hidden_size: int = 256,
    num_layers: int = 2,
    *,
    bidirectional: bool = True,
    nn: Any = torch.nn,
) -> Tagger:
    """An LSTM; one token more than is guessed stands for a gap."""
    directions = 2 if bidirectional else 1
    return Tagger(
        nn.Embedding(tokens + 1, embedding_size),
        nn.LSTM(embedding_size, hidden_size, num_layers, bidirectional=bidirectional),
        nn.Linear(directions * hidden_size, tokens),
    )
