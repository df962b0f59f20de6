"""Dropout by sixteen bits: how many are left out, which, and what that does to means."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from fathom.models.dropout import dropout


@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.9])
def test_as_many_are_left_out_as_is_asked_and_the_mean_stays(p):
    torch.manual_seed(1)
    x = torch.ones(400_003)
    y = dropout(x, p, True)
    zeros = int((y == 0).sum())
    assert stats.binomtest(zeros, len(x), p).pvalue > 1e-4
    assert len(y.unique()) == 2
    assert float(y.max()) == pytest.approx(1 / (1 - p), rel=1e-4)


def test_neighbours_know_nothing_of_each_other():
    """Four share a random number: every pattern of four is as frequent as chance has it."""
    torch.manual_seed(2)
    kept = (dropout(torch.ones(100_000, 4), 0.3, True) > 0).long()
    found = torch.bincount(kept @ torch.tensor([8, 4, 2, 1]), minlength=16)
    odds = torch.tensor([0.7 ** k.bit_count() * 0.3 ** (4 - k.bit_count()) for k in range(16)])
    assert stats.chisquare(found.numpy(), (odds * 100_000).numpy()).pvalue > 1e-3


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_gradients_go_where_numbers_went(dtype):
    x = torch.randn(3, 5, 7, dtype=dtype).transpose(0, 1).requires_grad_()
    y = dropout(x, 0.4, True)
    assert (y.dtype, y.shape) == (dtype, x.shape)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient * x, y)


def test_the_ends_and_in_use():
    x = torch.randn(9)
    assert dropout(x, 0.5, False) is x
    assert dropout(x, 0.0, True) is x
    assert not dropout(x, 1.0, True).any()
    assert dropout(torch.empty(0), 0.5, True).shape == (0,)


def test_one_seed_is_one_dropout():
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(dropout(torch.ones(99), 0.5, True))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
