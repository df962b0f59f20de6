"""Depthwise convolution: torch's numbers, and derivatives of both orders."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from fathom.scratch.nn import functional as ours

DOUBLE = torch.float64
CASES = [
    ((7,), (3,), {}),
    ((6, 7), (3, 2), {"stride": (2, 1), "padding": 1}),
    ((9, 8), (3, 3), {"dilation": (1, 2), "padding": (0, 2)}),
    ((4, 5, 4), (2, 3, 2), {"stride": 2, "padding": 1}),
]


def drawn(sizes: tuple[int, ...], kernel: tuple[int, ...]) -> list[torch.Tensor]:
    torch.manual_seed(0)
    shapes = [(2, 3, *sizes), (3, 1, *kernel), (3,)]
    return [torch.randn(shape, dtype=DOUBLE, requires_grad=True) for shape in shapes]


@pytest.mark.parametrize(("sizes", "kernel", "settings"), CASES, ids=str)
def test_outputs_and_gradients_are_torchs(sizes, kernel, settings) -> None:
    results = []
    for library in (ours, functional):
        leaves = drawn(sizes, kernel)
        output = getattr(library, f"conv{len(sizes)}d")(*leaves, groups=3, **settings)
        output.sin().sum().backward()
        results.append([output, *(leaf.grad for leaf in leaves)])
    torch.testing.assert_close(*results, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("sizes", "kernel", "settings"), CASES[:3], ids=str)
def test_derivatives_are_those_of_finite_differences(sizes, kernel, settings) -> None:
    def run(*leaves: torch.Tensor) -> torch.Tensor:
        return getattr(ours, f"conv{len(sizes)}d")(*leaves, groups=3, **settings)

    leaves = tuple(drawn(sizes, kernel))
    assert torch.autograd.gradcheck(run, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, leaves, fast_mode=True)


def test_several_outputs_for_a_channel_take_the_common_way() -> None:
    x, weight = torch.randn(2, 3, 6, 6), torch.randn(6, 1, 3, 3)
    torch.testing.assert_close(
        ours.conv2d(x, weight, groups=3), functional.conv2d(x, weight, groups=3)
    )
