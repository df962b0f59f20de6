"""Language models: state carried and begun anew, gradients that stop at the batch, one step at a
time as all at once."""

from __future__ import annotations

import pytest
import torch

from fathom.models.language import language_model

CELLS = ["rnn", "gru", "lstm"]
TOKENS = torch.tensor([[1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 0]], dtype=torch.int32)


def model(cell="gru", **more):
    torch.manual_seed(0)
    return language_model(7, 8, cell=cell, num_layers=2, **more).double()


@pytest.mark.parametrize("cell", CELLS)
def test_it_is_torch_s_layers_on_one_hot_vectors(cell):
    ours = model(cell)
    hot = torch.nn.functional.one_hot(TOKENS.t().long(), 7).double()
    states, _ = ours.rnn(hot)
    expected = ours.decoder(states).transpose(0, 1)
    torch.testing.assert_close(ours(TOKENS), expected)


def test_an_embedding_of_unit_vectors_is_one_hot():
    hot, embedded = model("lstm"), model("lstm", embedding_size=7)
    weights = {k: v for k, v in hot.state_dict().items()}
    embedded.load_state_dict({**weights, "embedding.weight": torch.eye(7)})
    torch.testing.assert_close(embedded(TOKENS), hot(TOKENS))


@pytest.mark.parametrize("cell", CELLS)
def test_the_state_goes_on_from_batch_to_batch(cell):
    ours = model(cell)
    whole = ours(TOKENS)
    first = ours((TOKENS[:, :2], True))
    second = ours((TOKENS[:, 2:], False))
    torch.testing.assert_close(torch.cat([first, second], 1), whole)


@pytest.mark.parametrize("cell", CELLS)
def test_it_begins_anew_where_it_is_told_to(cell):
    ours = model(cell)
    ours((TOKENS, True))
    torch.testing.assert_close(ours((TOKENS, True)), ours(TOKENS))
    assert not torch.equal(ours((TOKENS, False)), ours(TOKENS))


def test_tokens_alone_carry_nothing():
    ours = model("lstm")
    ours((TOKENS, True))
    hidden, cell = ours.hidden.clone(), ours.cell.clone()
    ours(TOKENS)
    assert torch.equal(ours.hidden, hidden)
    assert torch.equal(ours.cell, cell)


def test_another_number_of_rows_begins_anew():
    ours = model()
    ours((TOKENS, True))
    torch.testing.assert_close(ours((TOKENS[:1], False)), ours(TOKENS[:1]))


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_stop_where_the_batch_began(cell):
    """Truncated: as if the carried state were given, not computed."""
    ours = model(cell)
    ours((TOKENS[:, :3], True))
    assert not ours.hidden.requires_grad
    state = ours.carried(2)
    ours((TOKENS[:, 3:], False)).square().sum().backward()
    found = [p.grad.clone() for p in ours.parameters()]
    ours.zero_grad()
    ours.read(TOKENS[:, 3:], state)[0].square().sum().backward()
    torch.testing.assert_close(found, [p.grad for p in ours.parameters()])


def test_what_is_carried_is_no_weight():
    ours = model("lstm")
    names = list(ours.state_dict())
    ours((TOKENS, True))
    assert list(ours.state_dict()) == names
    assert not any("hidden" in name or name == "cell" for name in names)
