"""Layers made of their functions: settings, buffers, what is printed, wrong arguments named."""

from __future__ import annotations

import inspect

import pytest
import torch

from fathom.scratch import nn
from fathom.scratch.nn import functional

X = torch.tensor([-5.0, 0.5, 5.0])


def test_settings_are_attributes_and_may_change() -> None:
    clip = nn.Hardtanh(-2, 2)
    assert clip(X).tolist() == [-2, 0.5, 2]
    clip.max_val = 1.0
    assert clip(X).tolist() == [-2, 0.5, 1]
    assert repr(clip) == "Hardtanh(min_val=-2, max_val=1.0)"


def test_older_names_are_understood() -> None:
    assert nn.Hardtanh(min_value=-3, max_value=3)(X).tolist() == [-3, 0.5, 3]


def test_weights_are_buffers_and_saved() -> None:
    weight = torch.tensor([1.0, 2.0])
    assert torch.equal(nn.CrossEntropyLoss(weight).state_dict()["weight"], weight)
    assert list(nn.CrossEntropyLoss().state_dict()) == []
    assert nn.CrossEntropyLoss(weight).double().weight.dtype == torch.float64


def test_a_signature_is_that_of_torch_and_the_name_of_the_place() -> None:
    assert list(inspect.signature(nn.Threshold).parameters) == ["threshold", "value", "inplace"]
    assert nn.Threshold.__module__ == "fathom.scratch.nn.activation"
    assert nn.Threshold.__doc__ == functional.threshold.__doc__


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda: nn.MSELoss(size=1), "MSELoss: got an unexpected keyword argument 'size'"),
        (lambda: nn.Threshold(1), "Threshold: missing a required argument: 'value'"),
        (lambda: functional.mse_loss(X), "mse_loss: missing a required argument: 'target'"),
        (lambda: functional.relu(X, False, 3), "relu: too many positional arguments"),
        (lambda: functional.hardtanh(X, 1, min_val=2), "multiple values for argument 'min_val'"),
    ],
)
def test_wrong_arguments_are_named(use, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        use()


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda: nn.Dropout(2), "between 0 and 1, but got 2"),
        (lambda: nn.MultiMarginLoss(3), "got 3"),
        (lambda: nn.HuberLoss(delta=-1), "got -1"),
        (lambda: nn.TripletMarginLoss(-1), "got -1"),
        (lambda: nn.TripletMarginWithDistanceLoss(margin=0), "got 0"),
        (lambda: nn.Hardtanh(2, 1), "max_val, 1, must be larger than min_val, 2"),
    ],
)
def test_wrong_settings_are_refused_when_the_layer_is_made(use, words: str) -> None:
    with pytest.raises((ValueError, AssertionError), match=words):
        use()


def test_infinities_pass_a_leaky_rectifier_that_learns() -> None:
    x, weight = torch.tensor([float("inf"), float("-inf"), 0.0]), torch.tensor([0.25])
    torch.testing.assert_close(
        functional.prelu(x, weight), torch.nn.functional.prelu(x, weight), rtol=0, atol=0
    )
