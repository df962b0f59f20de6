"""Gradients by hand against SymPy, SciPy and torch; what is kept against a count."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
import torch
from scipy.optimize import approx_fprime

from calling import call, done
from fathom.recipes import backpropagation as study
from fathom.scratch import autograd

KINDS = ["relu", "sigmoid", "tanh"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("decay", [0.0, 0.7])
def test_the_lines_of_the_docstring_are_torchs_modules(kind, decay):
    given = study._given(3)
    W1, W2 = (torch.tensor(given[name], requires_grad=True) for name in ("W1", "W2"))
    hidden = getattr(torch, kind)(torch.nn.functional.linear(torch.tensor(given["x"]), W1))
    outputs = torch.nn.functional.linear(hidden, W2)
    loss = torch.nn.functional.mse_loss(outputs, torch.tensor(given["y"]), reduction="sum") / 2
    (loss + decay / 2 * (W1.norm() ** 2 + W2.norm() ** 2)).backward()
    found = study.gradients(given, kind, decay)
    np.testing.assert_allclose(found["W1"], W1.grad, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found["W2"], W2.grad, rtol=1e-10, atol=1e-12)


def test_and_scipys_differences():
    given = study._given(4)

    def objective(weights):
        moved = {"W1": weights[:6].reshape(2, 3), "W2": weights[6:].reshape(2, 2)}
        return study._network(**{**given, **moved}, phi=np.tanh, decay=0.3)[-1]

    weights = np.concatenate([given["W1"].ravel(), given["W2"].ravel()])
    found = study.gradients(given, "tanh", 0.3)
    expected = approx_fprime(weights, objective, 1e-7)
    np.testing.assert_allclose(found["W1"].ravel(), expected[:6], atol=1e-5)
    np.testing.assert_allclose(found["W2"].ravel(), expected[6:], atol=1e-5)


def test_the_graph_that_is_drawn_bears_sympys_derivatives():
    w1, w2 = sympy.symbols("w1 w2")
    h = sympy.tanh(w1 * 1.5)
    J = (w2 * h - 0.7) ** 2 / 2 + (w1**2 + w2**2) * 0.1
    nodes, _ = autograd.graph(study._with_one_unit("tanh", 0.2))
    drawn = {node.label: node for node in nodes}
    at = {w1: 0.8, w2: -0.5}
    assert float(drawn["J"].value) == pytest.approx(float(J.subs(at)), rel=1e-12)
    for symbol in (w1, w2):
        expected = float(sympy.diff(J, symbol).subs(at))
        assert float(drawn[symbol.name].gradient) == pytest.approx(expected, rel=1e-12)
    by_o = float((w2 * h - 0.7).subs(at))
    assert float(drawn["o"].gradient) == pytest.approx(by_o, rel=1e-12)


@pytest.mark.parametrize("layers", [1, 5])
def test_each_layer_keeps_its_outputs_and_the_first_its_inputs(layers):
    assert study._kept(16, layers) == 16 * study.WIDTH * (layers + 1)
    assert study._kept(16, layers, predict=True) == 0


@pytest.mark.parametrize("words", [["--activation", "relu"], ["--weight-decay", 0, "--seed", 8]])
def test_its_claims_hold_for_other_settings(words, tmp_path):
    found = done("try", "backprop", *words, "--out", tmp_path / "run", "--json").json["findings"]
    assert all(found["claims"].values())


def test_an_activation_that_is_not_known(tmp_path):
    said = call("try", "backprop", "--activation", "rleu", "--out", tmp_path / "run")
    assert said.status == 2
    assert "did you mean 'relu'" in said.error
