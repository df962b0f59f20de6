"""Batches of tuples in tuples: pieces, and gradients of pieces that count differently."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from fathom.engine.nested import each, leaves, split
from fathom.engine.updates import accumulate, supervised


def batch_of(size: int):
    numbers = torch.arange(size)
    return ((numbers, numbers[:, None].expand(size, 3)), True), numbers * 2


@given(st.integers(1, 20), st.integers(1, 25))
def test_pieces_make_the_whole(size, parts):
    pieces = split(batch_of(size), parts)
    assert len(pieces) <= parts
    for place in range(3):
        whole = list(leaves(batch_of(size)))[place]
        assert torch.equal(torch.cat([list(leaves(piece))[place] for piece in pieces]), whole)
    assert all(piece[0][1] is True for piece in pieces)
    assert [len(piece[1]) for piece in pieces] == [
        len(chunk) for chunk in torch.arange(size).chunk(parts)
    ]


def test_each_keeps_the_form():
    found = each(torch.neg, ((torch.ones(2), None), "word"))
    assert torch.equal(found[0][0], -torch.ones(2))
    assert found[0][1] is None
    assert found[1] == "word"


def test_pieces_weigh_by_what_their_mean_is_over():
    """Tokens that are padding count nowhere: pieces give the gradients of the whole batch."""
    torch.manual_seed(0)
    model = nn.Linear(3, 5)
    inputs = torch.randn(6, 4, 3)
    labels = torch.randint(5, (6, 4)).masked_fill(torch.rand(6, 4) < 0.5, -100)

    def objective(outputs, targets):
        return nn.functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())

    def tokens(targets):
        return (targets >= 0).sum()

    gradients = supervised(model, objective, {}, device=torch.device("cpu"))
    whole = gradients((inputs, labels))
    expected = [parameter.grad.clone() for parameter in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = None
    pieces = accumulate(gradients, model.parameters(), 4, tokens)((inputs, labels))
    torch.testing.assert_close(pieces["loss"], whole["loss"])
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
