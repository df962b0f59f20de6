"""Dropout: the masks of one seed, what the extremes do, errors."""

from __future__ import annotations

import pytest
import torch
from torch import nn as torch_nn

from fathom.scratch import nn
from fathom.scratch.nn import functional

KINDS = {
    "Dropout": [(40,), (5, 6)],
    "Dropout1d": [(4, 5, 6), (5, 6)],
    "Dropout2d": [(4, 5, 3, 2), (4, 5, 6)],
    "Dropout3d": [(4, 5, 3, 2, 2), (4, 3, 2, 2)],
    "AlphaDropout": [(40,), (5, 6)],
    "FeatureAlphaDropout": [(4, 5, 6), (4, 5, 3, 2)],
}
CASES = [(name, shape) for name, shapes in KINDS.items() for shape in shapes]


@pytest.mark.filterwarnings("ignore:dropout2d")
@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("name", "shape"), CASES)
def test_one_seed_drops_the_same_in_both(name: str, shape, p: float, inplace: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(shape, dtype=torch.float64)
    results, gradients = [], []
    for library in (nn, torch_nn):
        leaf = x.clone().requires_grad_()
        torch.manual_seed(5)
        y = getattr(library, name)(p, inplace)(leaf * 1)
        y.backward(torch.ones_like(y))
        results.append(y.detach())
        gradients.append(leaf.grad)
    torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", KINDS)
def test_nothing_is_dropped_when_not_training(name: str) -> None:
    x = torch.randn(KINDS[name][0])
    assert getattr(nn, name)(0.9).eval()(x) is x


def test_selu_statistics_survive_alpha_dropout() -> None:
    torch.manual_seed(0)
    y = nn.AlphaDropout(0.2)(nn.SELU()(torch.randn(200_000)))
    assert abs(y.mean().item()) < 0.02
    assert abs(y.var().item() - 1) < 0.02


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_a_probability_is_from_zero_to_one(p: float) -> None:
    with pytest.raises(ValueError, match=f"between 0 and 1, but got {p}"):
        nn.Dropout(p)
    with pytest.raises(ValueError, match=f"between 0 and 1, but got {p}"):
        functional.dropout(torch.zeros(2), p)


@pytest.mark.parametrize(("name", "rank"), [("Dropout1d", 4), ("Dropout2d", 2), ("Dropout3d", 3)])
def test_wrong_ranks_are_named(name: str, rank: int) -> None:
    with pytest.raises(RuntimeError, match=f"{rank}D input of shape"):
        getattr(nn, name)()(torch.zeros([2] * rank))
