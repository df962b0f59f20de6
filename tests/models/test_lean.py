"""Lean twins: the same tensors, states and hooks (what they compute: `test_every_model.py`)."""

from __future__ import annotations

import pytest
import torch

from fathom import scratch
from fathom.models.gpt import gpt
from fathom.models.language import language_model
from fathom.models.lean import lean
from fathom.models.transformer import transformer

LIBRARIES = pytest.mark.parametrize("nn", [torch.nn, scratch.nn], ids=["torch", "scratch"])
GIVEN = torch.tensor([[2, 4, 5, 6, 5], [2, 5, 5, 4, 4], [2, 6, 4, 4, 5]])


@LIBRARIES
@pytest.mark.parametrize("build", [gpt, language_model], ids=["gpt", "rnn"])
def test_a_twin_reads_on_like_the_model(build, nn):
    model = build(9, 12, nn=nn) if build is language_model else build(9, hidden_size=12, nn=nn)
    model.eval()
    logits, state = lean(model).read(GIVEN)
    expected, expected_state = model.read(GIVEN)
    assert torch.equal(logits, expected)
    again, _ = lean(model).read(GIVEN, state)
    assert torch.equal(again, model.read(GIVEN, expected_state)[0])


def test_a_twin_holds_the_same_tensors():
    model = transformer(8, 7)
    ours, twins = dict(model.named_parameters()), dict(lean(model).named_parameters())
    assert list(ours) == list(twins)
    assert all(twins[name] is parameter for name, parameter in ours.items())
    assert isinstance(lean(model), type(model))


def test_what_a_twin_is_given_does_not_reach_the_model():
    model = language_model(9, 12)
    twin = lean(model)
    twin((GIVEN, True))
    assert twin.carried(3) is not None
    assert model.carried(3) is None
    twin((GIVEN, False))
    twin.eval()
    assert not twin.rnn.training
    assert model.rnn.training


def test_what_computes_is_what_the_class_computes():
    class Odd(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x) + 1

    model = torch.nn.Sequential(Odd(3, 3), torch.nn.ReLU())
    x = torch.randn(2, 3)
    assert torch.equal(lean(model)(x), model(x))


def test_layers_with_hooks_keep_them():
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3))
    seen = []
    model[1].register_forward_hook(lambda *call: seen.append(call))
    lean(model)(torch.randn(2, 3))
    assert len(seen) == 1
    assert lean(model[1]) is model[1]


def test_nothing_stays_nothing():
    model = torch.nn.Module()
    model.part = None
    model.register_module("layer", None)
    assert lean(model).layer is None
