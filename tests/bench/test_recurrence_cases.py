"""Layers as benchmarked: the loop, ours and torch's are one function."""

from __future__ import annotations

import pytest
import torch

from fathom.bench import recurrences
from fathom.scratch import nn as scratch_nn


@pytest.mark.parametrize("cell", recurrences.GATES)
def test_all_contenders_compute_the_same(cell):
    x = torch.randn(5, 3, recurrences.WIDTH, generator=torch.Generator().manual_seed(0))
    contenders = (
        recurrences.Looped(cell),
        recurrences.layer(scratch_nn, cell),
        recurrences.layer(torch.nn, cell),
    )
    found = []
    for model in contenders:
        own = x.double().requires_grad_()
        states = model.double()(own)[0]
        states.square().sum().backward()
        found.append((states.detach(), own.grad))
    for states, gradient in found[:2]:
        torch.testing.assert_close(states, found[2][0])
        torch.testing.assert_close(gradient, found[2][1])


@pytest.mark.parametrize("contender", ["ours", "peer", "bare"])
def test_a_turn_is_so_many_passes_back(contender, monkeypatch):
    monkeypatch.setattr(recurrences, "STEPS", 2)
    backward, seen = torch.Tensor.backward, []

    def noted(states, gradient):
        seen.append(tuple(states.shape))
        backward(states, gradient)

    turn = recurrences.CASES["rnn-layer"].build[contender]()
    monkeypatch.setattr(torch.Tensor, "backward", noted)
    turn()
    assert seen == [(2, recurrences.ROWS, recurrences.WIDTH)] * recurrences.PASSES
