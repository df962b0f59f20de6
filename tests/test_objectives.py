"""Objectives against torch's, values and gradients."""

from __future__ import annotations

import pytest
import torch

from fathom.core.errors import DataError
from fathom.objectives import cross_entropy, half_squared_error


@pytest.mark.parametrize("classes", [1, 2, 10, 1000])
@pytest.mark.parametrize("count", [1, 7, 256])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_cross_entropy_is_torch_s(count, classes, scale):
    generator = torch.Generator().manual_seed(count + classes)
    logits = (torch.randn(count, classes, generator=generator).double() * scale).requires_grad_()
    labels = torch.randint(classes, (count,), generator=generator)
    found = cross_entropy(logits, labels)
    (gradient,) = torch.autograd.grad(found, logits)
    expected = torch.nn.functional.cross_entropy(logits, labels)
    (expected_gradient,) = torch.autograd.grad(expected, logits)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-12, atol=1e-12)


def test_half_squared_error_is_half_of_torch_s():
    outputs = torch.randn(5, 3, dtype=torch.double, requires_grad=True)
    targets = torch.randn(5, 3, dtype=torch.double)
    found = half_squared_error(outputs, targets)
    torch.testing.assert_close(found, torch.nn.functional.mse_loss(outputs, targets) / 2)
    (gradient,) = torch.autograd.grad(found, outputs)
    torch.testing.assert_close(gradient, (outputs - targets).detach() / 15)


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(DataError, match=r"outputs are \(4, 1\) and targets \(4,\)"):
        half_squared_error(torch.zeros(4, 1), torch.zeros(4))
