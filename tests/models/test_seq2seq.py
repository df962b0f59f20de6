"""Sequence to sequence: its equations cell by cell; the same context in training and in use."""

from __future__ import annotations

import pytest
import torch

from fathom import scratch
from fathom.models.seq2seq import seq2seq


def by_hand(model, source, given):
    """One sentence, cell by cell, with torch's cells: encoder, context, decoder."""

    def cells(rnn):
        found = []
        for layer in range(rnn.num_layers):
            cell = torch.nn.GRUCell(
                rnn.input_size if layer == 0 else rnn.hidden_size, rnn.hidden_size
            ).double()
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            cell.load_state_dict({n: getattr(rnn, f"{n}_l{layer}") for n in names})
            found.append(cell)
        return found

    encoder, decoder = model.encoder, model.decoder
    states = [torch.zeros(1, encoder.rnn.hidden_size).double()] * encoder.rnn.num_layers
    for token in source:
        x = encoder.embedding.weight[token][None]
        for n, cell in enumerate(cells(encoder.rnn)):
            x = states[n] = cell(x, states[n])
    context, logits = states[-1], []
    for token in given:
        x = torch.cat([decoder.embedding.weight[token][None], context], 1)
        for n, cell in enumerate(cells(decoder.rnn)):
            x = states[n] = cell(x, states[n])
        logits.append(decoder.output(x)[0])
    return torch.stack(logits)


@pytest.mark.parametrize("nn", [torch.nn, scratch.nn], ids=["torch", "scratch"])
@pytest.mark.parametrize("layers", [1, 3])
def test_it_computes_its_equations_and_sees_no_padding(nn, layers):
    model = seq2seq(8, 7, embedding_size=3, hidden_size=5, num_layers=layers, nn=nn).double().eval()
    source = torch.tensor([[4, 5, 6, 3], [7, 3, 1, 1]])
    given = torch.tensor([[2, 4, 5], [2, 6, 1]])
    logits = model((source, torch.tensor([4, 2]), given))
    torch.testing.assert_close(logits[0], by_hand(model, [4, 5, 6, 3], [2, 4, 5]))
    torch.testing.assert_close(logits[1], by_hand(model, [7, 3], [2, 6, 1]))


def test_a_step_in_use_is_a_step_of_training():
    model = seq2seq(8, 7).double().eval()
    source, lens = torch.tensor([[4, 5, 3], [6, 3, 1]]), torch.tensor([3, 2])
    given = torch.tensor([[2, 4, 5, 6], [2, 5, 5, 4]])
    state, steps = model.start(source, lens), []
    for token in given.t():
        logits, state = model.step(token, state)
        steps.append(logits)
    torch.testing.assert_close(torch.stack(steps, 1), model((source, lens, given)))


def test_what_follows_makes_no_difference():
    model = seq2seq(8, 7).double().eval()
    source, lens = torch.tensor([[4, 5, 3]]), torch.tensor([3])
    one, other = torch.tensor([[2, 4, 5, 6]]), torch.tensor([[2, 4, 6, 4]])
    torch.testing.assert_close(
        model((source, lens, one))[:, :2], model((source, lens, other))[:, :2]
    )


def test_weights_are_xavier_s_as_in_the_book():
    model = seq2seq(50, 60, embedding_size=64, hidden_size=128)
    weight = model.decoder.rnn.weight_ih_l0
    bound = (6 / sum(weight.shape)) ** 0.5
    assert float(weight.detach().abs().max()) == pytest.approx(bound, rel=0.01)
    assert float(model.encoder.embedding.weight.detach().std()) == pytest.approx(1, rel=0.05)
