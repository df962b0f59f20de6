"""Activations and their slopes against NumPy's and SciPy's; exclusive or learnt and not learnt."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import special

from calling import done
from fathom.core.seeds import seed_everything
from fathom.data import synthetic
from fathom.recipes import activations as study

NUMPYS = {
    "ReLU": lambda x: np.maximum(x, 0),
    "pReLU": lambda x: np.where(x > 0, x, 0.1 * x),
    "sigmoid": special.expit,
    "tanh": np.tanh,
}


@pytest.mark.parametrize("name", NUMPYS)
def test_values_are_numpys_and_slopes_their_differences(name):
    kind = study._activations(0.1)[name]
    x = torch.linspace(-5, 5, 400, dtype=torch.float64)  # zero is not among them
    np.testing.assert_allclose(kind.value(x).numpy(), NUMPYS[name](x.numpy()), rtol=1e-12)
    step = 1e-6
    differences = (NUMPYS[name](x.numpy() + step) - NUMPYS[name](x.numpy() - step)) / (2 * step)
    np.testing.assert_allclose(kind.slope(x).numpy(), differences, atol=1e-8)


def test_the_network_by_hand_is_exclusive_or():
    assert study._by_hand(study.CORNERS) == [a ^ b for a, b in study.CORNERS]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_hidden_layer_learns_what_a_line_cannot(seed):
    seed_everything(seed)
    points, labels = synthetic.exclusive_or(200, 0.25, seed=seed)
    (corners, share), fields = study._learnt([8], points, labels)
    assert corners == 4
    assert share > 0.97
    assert len(fields) == len(study.SHOWN_AFTER)
    assert float((fields[0] - 0.5).abs().max()) < 0.02  # nothing is known at first
    assert float((fields[-1] - 0.5).abs().mean()) > 0.4
    (corners, _), _ = study._learnt([], points, labels)
    assert corners <= 3


@pytest.mark.parametrize("words", [["--slope", 0], ["--slope", 3, "--seed", 5]])
def test_its_claims_hold_for_other_slopes_and_seeds(words, tmp_path):
    found = done("try", "activations", *words, "--out", tmp_path / "run", "--json").json["findings"]
    assert all(found["claims"].values())
    for _, mistakes, most in found["tables"]["Perceptron"]["rows"]:
        assert 0 < mistakes <= most
