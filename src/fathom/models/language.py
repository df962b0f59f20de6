"""Language models: from the tokens so far to the logits of the next one, by a recurrent network.

Source   Book 8.4 to 8.6 (a plain recurrence), 9.1 (GRU), 9.2 (LSTM), 9.3 (several layers).
Differs  The book's from-scratch RNN has one bias where torch's layers have two, and weights drawn
         from a normal distribution of 0.01; we follow torch.
Shapes   B batch, T steps, V tokens in the vocabulary, E features, H hidden: `tokens_BT` to logits
         (B, T, V). A state is (layers, B, H), an LSTM's a pair of them.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from fathom.models.graphs import TOKENS, Graph, some_tokens

Cell = Literal["rnn", "gru", "lstm"]
State = tuple[Tensor, ...]


class LanguageModel(torch.nn.Module):
    """Tokens as vectors, a recurrence over them, and a linear layer that bets on the next token.

    Given (tokens, fresh) it reads on from where the batch before ended, unless `fresh`; the state
    is carried without its history, so gradients reach back to the batch's first step and no
    further (truncated backpropagation through time, book 8.7). Given tokens alone, it begins anew
    and carries nothing.
    """

    def __init__(
        self, embedding: torch.nn.Module, rnn: torch.nn.Module, decoder: torch.nn.Module
    ) -> None:
        super().__init__()
        self.embedding, self.rnn, self.decoder = embedding, rnn, decoder
        self.register_buffer("hidden", None, persistent=False)
        self.register_buffer("cell", None, persistent=False)

    def forward(self, inputs: Tensor | tuple[Tensor, bool]) -> Tensor:
        if isinstance(inputs, Tensor):
            return self.read(inputs)[0]
        tokens_BT, fresh = inputs
        logits_BTV, state = self.read(tokens_BT, None if fresh else self.carried(len(tokens_BT)))
        self.hidden, self.cell = (*(part.detach() for part in state), None)[:2]
        return logits_BTV

    def carried(self, batch: int) -> State | None:
        """The state after the last batch, if that had as many rows."""
        parts = tuple(part for part in (self.hidden, self.cell) if part is not None)
        return parts if parts and parts[0].shape[1] == batch else None

    def read(self, tokens_BT: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """The logits (B, T, V) after each token, and the state after the last."""
        x_TBE = self.embedding(tokens_BT.t())
        if state is None:
            y_TBH, after = self.rnn(x_TBE)
        else:
            y_TBH, after = self.rnn(x_TBE, state if len(state) > 1 else state[0])
        logits_BTV = self.decoder(y_TBH).transpose(0, 1)
        return logits_BTV, after if isinstance(after, tuple) else (after,)

    def graphs(self) -> list[Graph]:
        """One that reads on: begin with a state of zeros, give back the one that it returns."""

        def read(tokens_BT: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
            logits_BTV, after = self.read(tokens_BT, state)
            return logits_BTV, *after

        vocab_size: Any = self.decoder.out_features
        tokens_BT = some_tokens(vocab_size)
        state = self.read(tokens_BT)[1]
        names = ["hidden", "cell"][: len(state)]
        return [
            Graph(
                read,
                {"tokens": tokens_BT, **dict(zip(names, state, strict=True))},
                ["logits", *(f"{name}_after" for name in names)],
                {"tokens": TOKENS, **{name: {1: "batch"} for name in names}},
            )
        ]


class OneHot(torch.nn.Module):
    """Each token as a vector of V numbers, one of which is 1 (book 8.5)."""

    unit: Tensor

    def __init__(self, num_embeddings: int) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.register_buffer("unit", torch.zeros(()), persistent=False)  # knows device and type

    def forward(self, tokens: Tensor) -> Tensor:
        hot = torch.nn.functional.one_hot(tokens.long(), self.num_embeddings)
        return hot.to(self.unit.dtype)

    def extra_repr(self) -> str:
        return str(self.num_embeddings)


def language_model(
    vocab_size: int,
    hidden_size: int = 256,
    *,
    cell: Cell = "rnn",
    num_layers: int = 1,
    embedding_size: int | None = None,
    dropout: float = 0.0,
    nn: Any = torch.nn,
) -> LanguageModel:
    """A language model over `vocab_size` tokens.

    Without `embedding_size` tokens are one-hot vectors, as in the book. `dropout` is between
    layers.
    """
    width = embedding_size or vocab_size
    layer = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[cell]
    if embedding_size is not None:
        vectors = nn.Embedding(vocab_size, width)
    elif getattr(layer, "reads_numbers", False):
        vectors = nn.Identity()  # it looks the rows of its weights up
    else:
        vectors = OneHot(vocab_size)
    return LanguageModel(
        vectors,
        layer(width, hidden_size, num_layers, dropout=dropout),
        nn.Linear(hidden_size, vocab_size),
    )
