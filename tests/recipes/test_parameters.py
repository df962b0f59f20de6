"""Parameters: what is drawn is tested by SciPy, tied gradients by differences in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from fathom.core.seeds import seed_everything
from fathom.recipes.parameters import INITIALISERS, INPUTS, UNITS, _filled, parameters


@pytest.mark.parametrize("seed", range(5))
def test_the_study_holds_its_claims(seed):
    seed_everything(seed)
    found = parameters()
    found.check("parameters")
    shown = found.tables["Found by walking the tree"].rows
    assert [row[0] for row in shown][-2:] == ["1.weight", "1.bias"]
    assert all(math.isfinite(value) for row in shown for value in row[2:])


def test_what_is_drawn_passes_kolmogorov_smirnov():
    seed_everything(1)
    bound = math.sqrt(6 / (INPUTS + UNITS))
    laws = {
        "normal, std 0.01": stats.norm(0, 0.01),
        "Xavier, uniform": stats.uniform(-bound, 2 * bound),
    }
    for name, law in laws.items():
        weight = _filled(INITIALISERS[name]).numpy().ravel()
        assert stats.kstest(weight, law.cdf).pvalue > 1e-4


def test_our_own_is_uniform_where_it_is_not_zero():
    seed_everything(2)
    weight = _filled(INITIALISERS["U(-10, 10) or 0"]).numpy().ravel()
    kept = np.abs(weight[weight != 0])
    assert stats.kstest(kept, stats.uniform(5, 5).cdf).pvalue > 1e-4
    assert stats.binomtest(int((weight == 0).sum()), weight.size, 0.5).pvalue > 1e-4
    assert abs((weight > 0).sum() - (weight < 0).sum()) < 6 * math.sqrt(kept.size)


def test_a_tied_gradient_is_the_slope_of_the_whole():
    """By differences: the shared weights moved in both places at once."""
    seed_everything(0)
    shared = torch.nn.Linear(3, 3, bias=False).double()
    x = torch.rand(5, 3).double()
    net = torch.nn.Sequential(shared, torch.nn.Tanh(), shared)
    net(x).sum().backward()

    def total(weight):
        return (np.tanh(x.numpy() @ weight.T) @ weight.T).sum()

    weight = shared.weight.detach().numpy()
    for i in range(3):
        for j in range(3):
            step = np.zeros((3, 3))
            step[i, j] = 1e-6
            slope = (total(weight + step) - total(weight - step)) / 2e-6
            assert shared.weight.grad[i, j].item() == pytest.approx(slope, abs=1e-7)
