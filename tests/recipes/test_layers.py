"""Layers of one's own: NumPy says what they compute and how a step moves them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fathom.core.seeds import seed_everything
from fathom.recipes.layers import CenteredLayer, CutOff, MyLinear, custom_layers


@pytest.mark.parametrize("seed", range(3))
def test_the_study_holds_its_claims(seed):
    seed_everything(seed)
    custom_layers().check("custom-layers")


def test_both_compute_what_numpy_computes():
    x = torch.randn(6, 4)
    layer = MyLinear(4, 3)
    weight, bias = (p.detach().numpy() for p in layer.parameters())
    expected = np.maximum(x.numpy() @ weight + bias, 0)
    assert layer(x).detach().numpy() == pytest.approx(expected, abs=1e-6)
    assert CenteredLayer()(x).numpy() == pytest.approx(x.numpy() - x.numpy().mean(), abs=1e-6)


def test_a_gradient_step_worked_out_by_hand():
    """d(sum of outputs)/dW is x transposed times the mask of what is positive."""
    x = torch.randn(6, 4)
    layer = MyLinear(4, 3)
    layer(x).sum().backward()
    weight, bias = (p.detach().numpy() for p in layer.parameters())
    mask = (x.numpy() @ weight + bias > 0).astype(np.float32)
    assert layer.weight.grad.numpy() == pytest.approx(x.numpy().T @ mask, abs=1e-5)
    assert layer.bias.grad.numpy() == pytest.approx(mask.sum(0), abs=1e-5)


def test_with_data_no_gradient_comes():
    layer = CutOff(4, 3)
    assert not layer(torch.randn(6, 4)).requires_grad
