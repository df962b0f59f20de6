"""Receptive fields of whole networks, against the formula for chains and known figures."""

from __future__ import annotations

import pytest
import torch

from fathom import scratch
from fathom.models import receptive
from fathom.models.networks import make_network
from fathom.vision.windows import receptive_field

VGG16 = [w for block in (2, 2, 3, 3, 3) for w in [(3, 1, 1)] * block + [(2, 2)]]
ALEXNET = [(11, 4, 1), (3, 2), (5, 1, 2), (3, 2), *[(3, 1, 1)] * 3, (3, 2)]
NIN = [(11, 4), (3, 2), (5, 1, 2), (3, 2), (3, 1, 1), (3, 2), (3, 1, 1)]


def seen(name, size, channels, nn=torch.nn):
    model = receptive.paths(make_network(name, 3, size=size, width=8, nn=nn))
    return receptive.fields(model, torch.rand(1, channels, size, size, dtype=torch.float64))


@pytest.mark.parametrize("nn", [torch.nn, scratch.nn], ids=["torch", "scratch"])
@pytest.mark.parametrize(
    ("name", "size", "channels", "chain"),
    [
        ("vgg16", 224, 3, VGG16),
        ("book-alexnet", 259, 1, ALEXNET),
        ("book-nin", 259, 1, NIN),
    ],
    ids=["vgg16", "alexnet", "nin"],
)
def test_a_chain_sees_as_far_as_the_formula_says(name, size, channels, chain, nn):
    if nn is scratch.nn and name == "vgg16":
        pytest.skip("two minutes of unfolded windows")
    field = [f for f in seen(name, size, channels, nn).values() if not receptive.touches_border(f)]
    assert receptive.extent(field[-1]) == receptive_field(*chain)


def test_branches_and_shortcuts_see_as_far_as_their_longest_path():
    """ResNet-18 from its 7x7 on: each basic block is two 3x3, whose strides are 1, 2, 2, 2."""
    blocks = [w for s in (1, 2, 2) for w in ((3, s, 1), (3, 1, 1), (3, 1, 1), (3, 1, 1))]
    chain = [(7, 2, 3), (3, 2, 1), *blocks]
    fields = seen("resnet18", 320, 3)
    assert receptive.extent(fields["layer3"]) == receptive_field(*chain)


def test_gradients_of_a_linear_layer_are_its_kernel():
    kernel = torch.arange(1.0, 10.0).view(1, 1, 3, 3)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3, padding=1, bias=False))
    model[0].weight.data.copy_(kernel)
    (field,) = receptive.fields(model, torch.rand(2, 1, 9, 9)).values()
    torch.testing.assert_close(field[3:6, 3:6], kernel[0, 0] / 45)
    assert receptive.extent(field) == 3
    assert not receptive.touches_border(field)
    assert receptive.touches_border(field[3:6, 3:6])


def test_the_square_that_holds_95_percent_of_a_bell():
    """Of two normal coordinates 95 % lie within 2.236 deviations of both: erf(2.236/sqrt 2)²."""
    at = torch.arange(201, dtype=torch.float64) - 100
    bell = torch.exp(-at.square() / (2 * 20**2))
    field = bell[:, None] * bell
    assert abs(receptive.effective_extent(field) - 2 * 2.236 * 20) <= 2
    one = torch.zeros(9, 9)
    one[2, 3] = 1
    assert receptive.effective_extent(one) == 1


def test_a_network_is_left_as_it_was():
    model = make_network("book-resnet18", 3, width=4)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    receptive.paths(model)
    receptive.stages(model.eval(), torch.rand(1, 1, 32, 32))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
