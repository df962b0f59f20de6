"""Batch normalisation by means over the training data: those of torch's own `update_bn`."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.optim.swa_utils import update_bn

from fathom import scratch
from fathom.data.batches import TensorBatches
from fathom.models.lenet import batch_norm_lenet
from fathom.models.population import by_population


def pictures(count=40, batch_size=16):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (count, 1, 28, 28), generator=generator, dtype=torch.uint8)
    return TensorBatches(images, torch.zeros(count, dtype=torch.long), batch_size=batch_size)


@pytest.mark.parametrize("nn", [torch.nn, scratch.nn])
def test_means_and_variances_are_torchs_and_the_model_stays_as_it_was(nn):
    torch.manual_seed(0)
    model = batch_norm_lenet(nn=nn).train()
    before = copy.deepcopy(model.state_dict())
    expected = batch_norm_lenet().train()
    expected.load_state_dict(before)
    data = pictures()
    update_bn(data.epoch(0, 0), expected)
    found = by_population(model, data)
    assert not any(module.training for module in found.modules())
    assert all(module.training for module in model.modules())
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value, rtol=1e-5, atol=1e-6)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_of_one_whole_batch_the_first_means_are_those_of_its_convolution():
    torch.manual_seed(0)
    model, data = batch_norm_lenet(), pictures(batch_size=40)
    found = by_population(model, data)
    inputs, _ = next(iter(data.epoch(0, 0)))
    maps = model[0](inputs).detach().double().transpose(0, 1).flatten(1)
    torch.testing.assert_close(found[1].running_mean.double(), maps.mean(1), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found[1].running_var.double(), maps.var(1), rtol=1e-5, atol=1e-6)


def test_a_few_batches_are_the_first_of_the_epoch():
    torch.manual_seed(0)
    model, data = batch_norm_lenet(), pictures(batch_size=8)
    maps = [model[0](inputs).detach().double() for inputs, _ in data.epoch(0, 0)]
    two = torch.cat(maps[:2])
    found = by_population(model, data, most=2)
    means = two.transpose(0, 1).flatten(1).mean(1)
    torch.testing.assert_close(found[1].running_mean.double(), means, rtol=1e-5, atol=1e-6)
