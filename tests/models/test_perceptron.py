"""The perceptron, against one that goes from example to example, and its bound."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fathom.data import synthetic
from fathom.models.perceptron import bound, perceptron


def one_by_one(x, signs) -> tuple[np.ndarray, int]:
    """Rosenblatt's rule as it is told."""
    weight, mistakes, clean = np.zeros(x.shape[1]), 0, False
    while not clean:
        clean = True
        for row, sign in zip(x, signs, strict=True):
            if sign * (row @ weight) <= 0:
                weight, mistakes, clean = weight + sign * row, mistakes + 1, False
    return weight, mistakes


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("margin", [0.3, 0.05])
def test_it_goes_round_in_the_order_of_the_examples(seed, margin):
    x, signs, normal = synthetic.separable(60, 5, margin, seed)
    expected, mistakes = one_by_one(x.numpy(), signs.numpy())
    found = perceptron(x, signs)
    assert found.mistakes == mistakes <= bound(x, signs, normal)
    np.testing.assert_allclose(found.weight.numpy(), expected, rtol=1e-9, atol=1e-12)
    assert ((x @ found.weight).sign() == signs).all()


def test_the_bound_by_hand():
    x = torch.tensor([[3.0, 4.0], [-1.0, 0.0]])
    signs = torch.tensor([1.0, -1.0])
    assert bound(x, signs, torch.tensor([2.0, 0.0])) == pytest.approx(25.0)


def test_orthogonal_examples_reach_it():
    x, ones = torch.eye(12), torch.ones(12)
    assert perceptron(x, ones).mistakes == 12 == round(bound(x, ones, ones))
