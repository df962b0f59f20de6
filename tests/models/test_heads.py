"""A new head on trained layers, the groups they learn in, and what it means to be frozen."""

from __future__ import annotations

import copy

import pytest
import torch

from fathom import scratch
from fathom.core.errors import CheckpointError
from fathom.models.heads import (
    freeze_at_rate_zero,
    layer_groups,
    parameter_groups,
    replace_head,
)
from fathom.models.networks import make_network
from fathom.models.normalised import IMAGENET, Normalise, normalised
from fathom.models.resnet import resnet


def small(nn=torch.nn):
    return normalised(resnet(18, 7, width=4, nn=nn), IMAGENET)


@pytest.mark.parametrize("nn", [torch.nn, scratch.nn], ids=["torch", "scratch"])
def test_the_head_alone_is_new(nn):
    model = small(nn)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    head = replace_head(model, 3, nn=nn)
    assert model.fc is head
    assert isinstance(head, nn.Linear)
    after = model.state_dict()
    assert list(after) == list(before)
    changed = {n for n, v in after.items() if v.shape != before[n].shape or (v != before[n]).any()}
    assert changed == {"fc.weight", "fc.bias"}
    assert model(torch.rand(2, 3, 32, 32)).shape == (2, 3)
    hidden = replace_head(model, 5, hidden=6, nn=nn)
    assert [tuple(p.shape) for p in hidden.parameters()] == [(6, 32), (6,), (5, 6), (5,)]


def test_a_head_is_put_inside_of_what_holds_the_old_one():
    model = make_network("vgg11", 4, width=2)
    head = replace_head(model, 3, nn=torch.nn)
    groups = layer_groups(model, head)
    rates = [1.0, *[0.1] * (len(groups) - 1)]
    found = parameter_groups(groups, rates)
    assert found[0]["params"] == list(head.parameters())
    together = [p for group in found for p in group["params"]]
    assert len(together) == len(set(together))
    assert set(together) == set(model.parameters())
    with pytest.raises(CheckpointError, match="ends in no linear layer"):
        replace_head(torch.nn.Sequential(torch.nn.ReLU()), 3, nn=torch.nn)


def test_groups_go_from_the_head_to_the_first_layer_and_leave_none_out():
    model = small()
    head = replace_head(model, 3, nn=torch.nn)
    names = {id(part): name for name, part in model.named_children()}
    groups = layer_groups(model, head)
    kernels = [[names[id(p)] for p in group if list(p.parameters())] for group in groups]
    assert kernels == [["fc"], ["layer4"], ["layer3"], ["layer2"], ["layer1"], ["conv1", "bn1"]]


def test_a_frozen_group_neither_learns_nor_drifts_and_the_others_do():
    torch.manual_seed(0)
    model = small()
    head = replace_head(model, 3, nn=torch.nn)
    groups = layer_groups(model, head)
    optimizer = torch.optim.SGD(
        parameter_groups(groups, [0.1, 0.1, 0, 0, 0, 0]), lr=0.1, momentum=0.9, weight_decay=0.1
    )
    freeze_at_rate_zero(model, optimizer, groups)
    before = copy.deepcopy(model.state_dict())

    def step():
        model.train()
        optimizer.zero_grad()
        model(torch.rand(4, 3, 32, 32)).square().sum().backward()
        optimizer.step()
        return {n for n, v in model.state_dict().items() if not torch.equal(v, before[n])}

    changed = step()
    assert {name.partition(".")[0] for name in changed} == {"fc", "layer4"}
    assert "layer4.0.bn1.running_mean" in changed
    assert model.layer3[0].conv1.weight.grad is None
    optimizer.param_groups[2]["lr"] = 0.1  # the next group is let go
    optimizer.param_groups[1]["lr"] = 0.0  # and one is stopped
    before = copy.deepcopy(model.state_dict())
    assert {name.partition(".")[0] for name in step()} == {"fc", "layer3"}
    model.eval()
    model(torch.rand(2, 3, 32, 32))
    assert not any(part.training for part in model.modules()), "measuring is left alone"


def test_normalising_is_that_of_the_formula_and_no_weight():
    x = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    mean, std = (torch.tensor(row, dtype=torch.float64)[:, None, None] for row in IMAGENET)
    layer = Normalise(*IMAGENET).double()
    torch.testing.assert_close(layer(x), (x - mean) / std, rtol=1e-6, atol=1e-6)
    assert not layer.state_dict()
    plain = resnet(18, 7, width=4).eval()
    model = normalised(plain, IMAGENET).eval()
    assert list(model.state_dict()) == list(plain.state_dict())
    pictures = torch.rand(2, 3, 32, 32)
    expected = plain(layer.float()(pictures))
    torch.testing.assert_close(model(pictures), expected)
