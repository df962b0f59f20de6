"""The distributions that the first weights of the book's networks are drawn from."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from fathom import scratch
from fathom.core.errors import SettingError
from fathom.models.lenet import lenet
from fathom.models.linear import linear_regression, softmax_regression
from fathom.models.mlp import mlp

LIBRARIES = pytest.mark.parametrize("nn", [torch.nn, scratch.nn], ids=["torch", "scratch"])


@LIBRARIES
@pytest.mark.parametrize(
    "build",
    [
        lambda nn: linear_regression(5000, nn=nn),
        lambda nn: softmax_regression(784, 10, nn=nn),
        lambda nn: mlp(784, (256,), 10, nn=nn),
    ],
    ids=["linear", "softmax", "mlp"],
)
def test_weights_are_normal_with_deviation_a_hundredth_and_biases_zero(build, nn):
    torch.manual_seed(4)
    for name, parameter in build(nn).named_parameters():
        values = parameter.detach().flatten()
        if name.endswith("bias"):
            assert not values.any()
        else:
            assert stats.kstest(values.numpy(), "norm", args=(0, 0.01)).pvalue > 1e-3


@LIBRARIES
def test_lenets_weights_are_uniform_within_xaviers_bound(nn):
    torch.manual_seed(4)
    fans = {"0": (25, 150), "3": (150, 400), "7": (400, 120), "9": (120, 84), "11": (84, 10)}
    model = lenet(nn=nn)
    for layer, (fan_in, fan_out) in fans.items():
        bound = math.sqrt(6 / (fan_in + fan_out))
        values = model.get_parameter(f"{layer}.weight").detach().flatten().numpy()
        assert stats.kstest(values, "uniform", args=(-bound, 2 * bound)).pvalue > 1e-3


@LIBRARIES
def test_relu_lenets_weights_are_normal_on_hes_scale_and_its_biases_zero(nn):
    torch.manual_seed(4)
    fans = {"0": 25, "3": 150, "7": 400, "9": 120, "11": 84}
    model = lenet(activation="relu", nn=nn)
    for layer, fan_in in fans.items():
        values = model.get_parameter(f"{layer}.weight").detach().flatten().numpy()
        assert stats.kstest(values, "norm", args=(0, math.sqrt(2 / fan_in))).pvalue > 1e-3
        assert not model.get_parameter(f"{layer}.bias").any()


def test_one_seed_gives_both_libraries_the_same_lenet():
    models = []
    for nn in (torch.nn, scratch.nn):
        torch.manual_seed(7)
        models.append(lenet(nn=nn).state_dict())
    torch.testing.assert_close(models[0], models[1], rtol=0, atol=0)


@pytest.mark.parametrize("size", [12, 13, 27, 28, 32, 64])
def test_lenet_takes_any_size_from_twelve(size):
    assert lenet(4, size=size, in_channels=3)(torch.rand(2, 3, size, size)).shape == (2, 4)


def test_a_smaller_picture_is_an_error_in_words():
    with pytest.raises(SettingError, match="size 11: is too small for LeNet; use 12 or more"):
        lenet(size=11)


def test_dropout_lies_behind_each_hidden_layer():
    kinds = [type(part).__name__ for part in mlp(4, (3, 2), 2, dropout=(0.2, 0.5)).children()]
    assert kinds == ["Flatten", *["Linear", "ReLU", "Dropout"] * 2, "Linear"]


def test_one_rate_of_dropout_is_for_all_and_none_leaves_no_layer():
    rates = [part.p for part in mlp(4, (3, 2), 2, dropout=0.3).children() if hasattr(part, "p")]
    assert rates == [0.3, 0.3]
    assert not any(isinstance(part, torch.nn.Dropout) for part in mlp(4, (3, 2), 2).children())
