"""Normalisation: second derivatives, large means, running averages, half precision, errors."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn as torch_nn

from fathom.scratch import nn
from fathom.scratch.nn.normalisation import standardise

DOUBLE = torch.float64
LAYERS = {
    "BatchNorm1d": ((5,), {}, (4, 5)),
    "BatchNorm2d": ((3,), {}, (2, 3, 2, 2)),
    "InstanceNorm1d": ((3,), {"affine": True}, (2, 3, 4)),
    "InstanceNorm2d": ((3,), {}, (2, 3, 2, 2)),
    "LayerNorm": ((4,), {}, (2, 3, 4)),
    "RMSNorm": ((4,), {}, (2, 3, 4)),
    "GroupNorm": ((2, 4), {}, (2, 4, 3)),
    "LocalResponseNorm": ((3,), {}, (2, 5, 3)),
}


def build(library, name: str, dtype: torch.dtype = DOUBLE):
    args, kwargs, _ = LAYERS[name]
    torch.manual_seed(0)
    layer = getattr(library, name)(*args, **kwargs).to(dtype)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    return layer


@pytest.mark.parametrize("name", LAYERS)
def test_first_and_second_derivatives_are_those_of_finite_differences(name: str) -> None:
    layer = build(nn, name)
    x = torch.randn(LAYERS[name][2], dtype=DOUBLE, requires_grad=True)
    parameters = list(layer.parameters())

    def run(x, *weights):
        names = [key for key, _ in layer.named_parameters()]
        given = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(copy.deepcopy(layer), given, (x,))

    assert torch.autograd.gradcheck(run, (x, *parameters))
    assert torch.autograd.gradgradcheck(run, (x, *parameters))


@pytest.mark.parametrize("name", LAYERS)
def test_a_large_mean_costs_no_more_digits_than_in_torch(name: str) -> None:
    x = 1000 + torch.randn(LAYERS[name][2])
    ours, theirs = (build(library, name, torch.float32) for library in (nn, torch_nn))
    truth = build(torch_nn, name)(x.double())
    error, allowed = ((f(x) - truth).abs().max() for f in (ours, theirs))
    assert error <= 2 * allowed + 1000 * torch.finfo(torch.float32).eps  # as a mean of 1000 has


@pytest.mark.parametrize("momentum", [0.1, 0.7, None])
@pytest.mark.parametrize("name", ["BatchNorm2d", "InstanceNorm2d"])
def test_running_averages_follow_torchs(name: str, momentum: float | None) -> None:
    ours, theirs = (
        getattr(library, name)(3, momentum=momentum, track_running_stats=True)
        for library in (nn, torch_nn)
    )
    if name == "InstanceNorm2d" and momentum is None:
        pytest.skip("torch keeps no average of instances without a momentum")
    for _ in range(5):
        x = 3 + 2 * torch.randn(4, 3, 5, 5)
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-5)
    for key, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[key], value, rtol=1e-5, atol=1e-6)
    ours.eval(), theirs.eval()
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-5)
    assert torch.equal(ours(x), ours(x))


def test_weights_without_a_count_of_batches_can_be_loaded() -> None:
    state = {"weight": torch.ones(3), "bias": torch.zeros(3), "running_mean": torch.ones(3),
             "running_var": torch.ones(3)}  # fmt: skip
    layer = nn.Sequential(nn.BatchNorm1d(3))
    layer.load_state_dict({f"0.{key}": value for key, value in state.items()})
    assert layer[0].running_mean.tolist() == [1, 1, 1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", [name for name in LAYERS if name != "LocalResponseNorm"])
def test_half_precision_is_as_near_the_truth_as_torchs(name: str, dtype: torch.dtype) -> None:
    ours, theirs = (build(library, name, dtype) for library in (nn, torch_nn))
    x = (3 * torch.randn(LAYERS[name][2])).to(dtype)
    truth = copy.deepcopy(theirs).double()(x.double())
    results = [f(x) for f in (ours, theirs)]
    error, allowed = ((y.double() - truth).abs().max() for y in results)
    assert results[0].dtype == results[1].dtype
    assert error <= 2 * allowed + 2 * torch.finfo(dtype).eps * truth.abs().max()


def test_channels_of_an_example_do_not_mix() -> None:
    x = torch.randn(2, 3, 4, 4)
    y, mean, variance = standardise(x, None, None, (2, 3), 0.0)
    torch.testing.assert_close(mean.flatten(1), x.flatten(2).mean(2))
    torch.testing.assert_close(variance.flatten(1), x.flatten(2).var(2, correction=0))
    changed = x.clone()
    changed[0, 0] = 9
    assert torch.equal(standardise(changed, None, None, (2, 3), 0.0)[0][0, 1:], y[0, 1:])


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda: nn.BatchNorm1d(3)(torch.zeros(1, 3)), r"more than 1 value.*\[1, 3\]"),
        (lambda: nn.BatchNorm1d(3)(torch.zeros(2, 4)), r"3 channels.*\(2, 4\)"),
        (lambda: nn.BatchNorm2d(3)(torch.zeros(2, 3)), r"expected 4D.*2D.*\(2, 3\)"),
        (lambda: nn.InstanceNorm1d(3)(torch.zeros(2, 3, 1)), r"more than 1 value.*\[2, 3, 1\]"),
        (lambda: nn.InstanceNorm1d(3, affine=True)(torch.zeros(2, 4, 2)), r"3.*\(2, 4, 2\)"),
        (lambda: nn.LayerNorm((3, 4))(torch.zeros(2, 4)), r"\[3, 4\].*\[2, 4\]"),
        (lambda: nn.RMSNorm(4)(torch.zeros(2, 5)), r"\[4\].*\[2, 5\]"),
        (lambda: nn.GroupNorm(2, 4)(torch.zeros(2, 5, 3)), r"\[2, 5, 3\] and num_groups=2"),
        (lambda: nn.GroupNorm(2, 5), r"\(5\) must be divisible by num_groups \(2\)"),
        (lambda: nn.LocalResponseNorm(2)(torch.zeros(2, 3)), r"\(2, 3\)"),
    ],
)
def test_wrong_sizes_are_named(use, words: str) -> None:
    with pytest.raises((RuntimeError, ValueError), match=words):
        use()


def test_an_empty_batch_passes() -> None:
    assert nn.LayerNorm(4)(torch.zeros(0, 4)).shape == (0, 4)
    assert nn.GroupNorm(2, 4)(torch.zeros(0, 4, 3)).shape == (0, 4, 3)
    layer = nn.BatchNorm1d(4)
    assert layer(torch.zeros(0, 4)).shape == (0, 4)
    assert layer.running_mean.tolist() == [0] * 4
    layer = nn.InstanceNorm1d(4, track_running_stats=True)
    assert layer(torch.zeros(0, 4, 3)).shape == (0, 4, 3)
    assert layer.running_var.tolist() == [1] * 4
