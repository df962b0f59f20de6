"""Sequence to sequence: a GRU reads the source into a state, another writes the target from it.

Source   Sutskever, Vinyals and Le 2014, arXiv:1409.3215; Cho et al. 2014, arXiv:1406.1078;
         book 9.6 and 9.7.
Differs  The decoder's context is the encoder's last state, in training and in use; the book's
         takes its own last state for it when it translates, which it was never trained for. The
         encoder reads a source to its end and no padding after it, so what else is in a batch
         makes no difference.
Shapes   B sentences, S steps of the sources, T of the targets, E embedding, H hidden, L layers,
         V tokens of the target's vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

from fathom.models.graphs import SOURCE, TOKENS, Graph, some_tokens
from fathom.models.initialise import xavier

Inputs = tuple[Tensor, Tensor, Tensor]
State = tuple[Tensor, Tensor]


class Encoder(torch.nn.Module):
    """Sources to what a GRU remembers of them: the last state of each layer."""

    def __init__(
        self,
        tokens: int,
        embedding_size: int,
        hidden_size: int,
        num_layers: int,
        dropout: float,
        nn: Any,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, embedding_size)
        self.rnn = gru(embedding_size, hidden_size, num_layers, dropout, nn)

    def forward(self, source_BS: Tensor, lens_B: Tensor) -> Tensor:
        """(B, S) and (B,) on the CPU to (L, B, H)."""
        embedded_SBE = self.embedding(source_BS.t())
        return self.rnn(pack_padded_sequence(embedded_SBE, lens_B, enforce_sorted=False))[1]


class Decoder(torch.nn.Module):
    """Targets from the encoder's state, which it starts from and is shown again at each step."""

    def __init__(
        self,
        tokens: int,
        embedding_size: int,
        hidden_size: int,
        num_layers: int,
        dropout: float,
        nn: Any,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, embedding_size)
        self.rnn = gru(embedding_size + hidden_size, hidden_size, num_layers, dropout, nn)
        self.output = nn.Linear(hidden_size, tokens)

    def forward(
        self, given_BT: Tensor, context_BH: Tensor, state_LBH: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, T, V) of the token after each that is given, and the state after the last."""
        embedded_TBE = self.embedding(given_BT.t())
        context_TBH = context_BH.expand(embedded_TBE.shape[0], -1, -1)
        y_TBH, state_LBH = self.rnn(torch.cat([embedded_TBE, context_TBH], dim=2), state_LBH)
        return self.output(y_TBH.transpose(0, 1)), state_LBH


class Seq2Seq(torch.nn.Module):
    """Encoder and decoder: trained on whole sequences at once, used step by step.

    `start` and `step` are those of `text.decode.Decoder`.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, inputs: Inputs) -> Tensor:
        """(source_BS, source_lens_B, given_BT) to logits (B, T, V)."""
        source_BS, lens_B, given_BT = inputs
        state_LBH = self.encoder(source_BS, lens_B)
        return self.decoder(given_BT, state_LBH[-1], state_LBH)[0]

    def start(self, source_BS: Tensor, source_lens_B: Tensor) -> State:
        """(context_BH, state_BLH)."""
        state_LBH = self.encoder(source_BS, source_lens_B)
        return state_LBH[-1], state_LBH.transpose(0, 1)

    def step(self, tokens_B: Tensor, state: State) -> tuple[Tensor, State]:
        context_BH, state_BLH = state
        state_LBH = state_BLH.transpose(0, 1).contiguous()
        logits_B1V, state_LBH = self.decoder(tokens_B[:, None], context_BH, state_LBH)
        return logits_B1V[:, 0], (context_BH, state_LBH.transpose(0, 1))

    def graphs(self) -> list[Graph]:
        """Sources of one length, without padding, to what the decoder begins from and is shown."""

        def encode(source_BS: Tensor) -> tuple[Tensor, Tensor]:
            state_LBH = self.encoder.rnn(self.encoder.embedding(source_BS.t()))[1]
            return state_LBH[-1], state_LBH

        source_BS = some_tokens(self.encoder.embedding.num_embeddings)
        given_BT = some_tokens(self.decoder.embedding.num_embeddings, steps=4)
        state = dict(zip(["context", "state"], encode(source_BS), strict=True))
        given = {"tokens": given_BT, **state}
        free = {"tokens": TOKENS, "context": {0: "batch"}, "state": {1: "batch"}}
        return [
            Graph(encode, {"source": source_BS}, list(state), {"source": SOURCE}, "encoder"),
            Graph(self.decoder.forward, given, ["logits", "state_after"], free, "decoder"),
        ]


def seq2seq(
    sources: int,
    targets: int,
    *,
    embedding_size: int = 32,
    hidden_size: int = 32,
    num_layers: int = 2,
    dropout: float = 0.1,
    nn: Any = torch.nn,
) -> Seq2Seq:
    """Between vocabularies of so many `sources` and `targets`; weights of Xavier as in the book."""
    sizes = embedding_size, hidden_size, num_layers, dropout, nn
    model = Seq2Seq(Encoder(sources, *sizes), Decoder(targets, *sizes))
    xavier(model, nn)
    return model


def gru(inputs: int, hidden: int, layers: int, dropout: float, nn: Any) -> torch.nn.Module:
    """Layers of gated recurrent units; `dropout` is between them, so one layer has none."""
    rate = dropout if layers > 1 else 0.0
    built: torch.nn.Module = nn.GRU(inputs, hidden, layers, dropout=rate)
    return built
