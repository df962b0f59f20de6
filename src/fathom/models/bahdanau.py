"""Sequence to sequence with attention: at each step the decoder looks back at the whole source.

Source   Bahdanau et al. 2015, arXiv:1409.0473; book 10.4.
Differs  The book projects the encoder's outputs anew at each step; here once. The encoder reads a
         source to its end and no padding after it, and keys after the end cannot be seen, in
         training and in use.
Shapes   B sentences, S steps of the sources, T of the targets, E embedding, H hidden, L layers,
         V tokens of the target's vocabulary.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from fathom.models.attention import AdditiveAttention, Kept, padding_mask
from fathom.models.graphs import SOURCE, Graph, some_tokens
from fathom.models.initialise import xavier
from fathom.models.seq2seq import Encoder, Inputs, gru


class State(NamedTuple):
    """What a step needs: the source, as values (B, S, H) and as keys that are projected, a mask
    (B, 1, S), True where a source goes on, if not all do to the end, and what the decoder
    remembers (B, L, H)."""

    values: Tensor
    keys: Tensor
    mask: Tensor | None
    hidden: Tensor


class Decoder(torch.nn.Module):
    """Targets from an encoded source: the last layer's state asks what to look at next."""

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
        self.attention = AdditiveAttention(hidden_size, hidden_size, hidden_size, dropout, nn=nn)
        self.embedding = nn.Embedding(tokens, embedding_size)
        self.rnn = gru(embedding_size + hidden_size, hidden_size, num_layers, dropout, nn)
        self.output = nn.Linear(hidden_size, tokens)

    def forward(self, given_BT: Tensor, state: State, *, kept: Kept = None) -> tuple[Tensor, State]:
        """Logits (B, T, V) of the token after each that is given, and the state after the last."""
        embedded_TBE = self.embedding(given_BT.t())
        hidden_LBH = state.hidden.transpose(0, 1).contiguous()
        outputs = []
        for embedded_BE in embedded_TBE:
            context_B1H = self.attention.attend(
                hidden_LBH[-1].unsqueeze(1), state.keys, state.values, state.mask, kept=kept
            )
            seen_1BX = torch.cat([context_B1H.squeeze(1), embedded_BE], dim=1)[None]
            output_1BH, hidden_LBH = self.rnn(seen_1BX, hidden_LBH)
            outputs.append(output_1BH)
        logits_TBV = self.output(torch.cat(outputs))
        return logits_TBV.transpose(0, 1), state._replace(hidden=hidden_LBH.transpose(0, 1))


class Bahdanau(torch.nn.Module):
    """Encoder and decoder with attention between them.

    `start` and `step` are those of `text.decode.Decoder`.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, inputs: Inputs) -> Tensor:
        """(source_BS, source_lens_B, given_BT) to logits (B, T, V)."""
        source_BS, lens_B, given_BT = inputs
        return self.decoder(given_BT, self.start(source_BS, lens_B))[0]

    def start(self, source_BS: Tensor, source_lens_B: Tensor) -> State:
        steps = source_BS.shape[1]
        embedded_SBE = self.encoder.embedding(source_BS.t())
        packed = pack_padded_sequence(embedded_SBE, source_lens_B, enforce_sorted=False)
        packed, hidden_LBH = self.encoder.rnn(packed)
        values_BSH, _ = pad_packed_sequence(packed, batch_first=True, total_length=steps)
        mask_B1S = padding_mask(source_lens_B, source_BS)
        keys_BSH = self.decoder.attention.key(values_BSH)
        return State(values_BSH, keys_BSH, mask_B1S, hidden_LBH.transpose(0, 1))

    def step(self, tokens_B: Tensor, state: State) -> tuple[Tensor, State]:
        logits_B1V, state = self.decoder(tokens_B[:, None], state)
        return logits_B1V[:, 0], state

    def graphs(self) -> list[Graph]:
        """Sources of one length, without padding, to all that a step needs; and one step."""

        def encode(source_BS: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            y_SBH, hidden_LBH = self.encoder.rnn(self.encoder.embedding(source_BS.t()))
            values_BSH = y_SBH.transpose(0, 1)
            return values_BSH, self.decoder.attention.key(values_BSH), hidden_LBH.transpose(0, 1)

        def step(
            tokens_B1: Tensor, values: Tensor, keys: Tensor, hidden: Tensor
        ) -> tuple[Tensor, Tensor]:
            logits_B1V, after = self.decoder(tokens_B1, State(values, keys, None, hidden))
            return logits_B1V, after.hidden

        source_BS = some_tokens(self.encoder.embedding.num_embeddings)
        tokens_B1 = some_tokens(self.decoder.embedding.num_embeddings, steps=1)
        state = dict(zip(["values", "keys", "hidden"], encode(source_BS), strict=True))
        given = {"tokens": tokens_B1, **state}
        free = {"tokens": {0: "batch"}, "values": SOURCE, "keys": SOURCE, "hidden": {0: "batch"}}
        return [
            Graph(encode, {"source": source_BS}, list(state), {"source": SOURCE}, "encoder"),
            Graph(step, given, ["logits", "hidden_after"], free, "decoder"),
        ]

    def maps(self, inputs: Inputs) -> dict[str, Tensor]:
        """The weights of the target's steps over the source's, as `source`: (B, 1, 1, T, S).

        The two ones are layers and heads, of which a Transformer has more.
        """
        source_BS, lens_B, given_BT = inputs
        kept: list[Tensor] = []
        self.decoder(given_BT, self.start(source_BS, lens_B), kept=kept)
        return {"source": torch.cat(kept, dim=1)[:, None, None]}


def bahdanau(
    sources: int,
    targets: int,
    *,
    embedding_size: int = 32,
    hidden_size: int = 32,
    num_layers: int = 2,
    dropout: float = 0.1,
    nn: Any = torch.nn,
) -> Bahdanau:
    """Between vocabularies of so many `sources` and `targets`; weights of Xavier as in the book."""
    sizes = embedding_size, hidden_size, num_layers, dropout, nn
    model = Bahdanau(Encoder(sources, *sizes), Decoder(targets, *sizes))
    xavier(model, nn)
    return model
