"""Mean pooling is torch's, forward and backward, whichever way it is computed."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from fathom.models.pooling import MeanPool2d, mean_pool


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("shape", [(3, 6, 28, 28), (2, 16, 10, 10), (2, 1, 7, 9), (1, 3, 5, 4)])
def test_outputs_and_slopes_are_torch_s(shape, layout, dtype, training):
    torch.manual_seed(0)
    ours = torch.randn(shape, dtype=dtype).to(memory_format=layout).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    pooled, expected = MeanPool2d(2).train(training)(ours), functional.avg_pool2d(theirs, 2)
    torch.testing.assert_close(pooled, expected)
    slope = torch.randn_like(expected)
    pooled.backward(slope)
    expected.backward(slope)
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_the_sooner_way_is_taken_and_prints_as_torch_does():
    pictures = torch.randn(2, 6, 8, 8).to(memory_format=torch.channels_last).requires_grad_()
    layer = MeanPool2d(2)
    assert "MeanByConvolution" in layer(pictures).grad_fn.name()
    assert "AvgPool2D" in layer.eval()(pictures).grad_fn.name()
    assert layer.extra_repr() == "kernel_size=2, stride=2"


@pytest.mark.parametrize(
    ("arguments", "sooner"),
    [((2,), True), ((2, 2), True), ((3, 1, 1), False), ((5, 3), False), ((2, 2, 1), False)],
)
def test_windows_that_overlap_or_stand_over_are_torch_s(arguments, sooner):
    layer, x = mean_pool(*arguments), torch.randn(2, 3, 11, 11)
    assert isinstance(layer, MeanPool2d) is sooner
    torch.testing.assert_close(layer(x), functional.avg_pool2d(x, *arguments))
