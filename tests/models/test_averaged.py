"""Averaged weights against torch's own, with the batch statistics that belong to them."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, update_bn

from fathom.models.averaged import Averaged, measure_statistics
from fathom.models.lanes import Lanes


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2)
    )


def batches(count=6):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(10, 4, generator=generator) for _ in range(count)]


def trained(model, after_step, steps=12):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    if after_step:
        optimizer.register_step_post_hook(after_step)
    torch.manual_seed(3)
    seen = []
    for step in range(steps):
        model.train()
        optimizer.zero_grad()
        model(batches()[step % 6]).square().mean().backward()
        optimizer.step()
        seen.append(copy.deepcopy(model))
    return seen


def test_the_mean_is_torch_s_with_its_statistics():
    averaged = Averaged(network(), start=6, every=2, inputs=batches)
    trained(averaged.model, averaged.after_step)
    theirs = network()
    swa = AveragedModel(theirs)
    for step, model in enumerate(trained(theirs, None), 1):
        if step >= 6 and step % 2 == 0:
            swa.update_parameters(model)
    # torch's pass is in training mode, where units are dropped; batch norm comes before that.
    update_bn(batches(), swa)
    inputs = torch.randn(7, 4)
    torch.testing.assert_close(averaged.eval()(inputs), swa.eval()(inputs), rtol=1e-6, atol=1e-7)
    assert int(averaged.count) == 4


def test_before_the_first_mean_it_is_the_model_and_in_training_always():
    averaged = Averaged(network(), start=100, every=1, inputs=batches)
    trained(averaged.model, averaged.after_step)
    inputs = torch.randn(7, 4)
    torch.testing.assert_close(averaged.eval()(inputs), averaged.model.eval()(inputs))


def test_it_goes_on_from_its_state():
    """What a checkpoint holds is enough: the count and the mean are part of the state."""
    whole = Averaged(network(), start=2, every=1, inputs=batches)
    trained(whole.model, whole.after_step, steps=5)
    again = Averaged(network(), start=2, every=1, inputs=batches)
    again.load_state_dict(copy.deepcopy(whole.state_dict()))
    for averaged in (whole, again):
        with torch.no_grad():
            for parameter in averaged.model.parameters():
                parameter.add_(1.0)
        averaged.after_step()
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_measuring_statistics_draws_no_random_numbers_and_leaves_modes_alone():
    model = network().train()
    before = torch.get_rng_state()
    momentum = model[1].momentum
    measure_statistics(model, batches())
    assert torch.equal(before, torch.get_rng_state())
    assert all(module.training for module in model.modules())
    assert model[1].momentum == momentum
    hidden = [model[0](batch).detach() for batch in batches()]
    means = torch.stack([h.mean(0) for h in hidden]).mean(0)
    torch.testing.assert_close(model[1].running_mean, means)


def test_lanes_give_each_output_in_its_place():
    lanes = Lanes({"one": nn.Linear(4, 2), "other": nn.Linear(4, 2)})
    inputs = torch.randn(5, 4)
    outputs = lanes(inputs)
    assert outputs.shape == (5, 2, 2)
    torch.testing.assert_close(outputs[:, 1], lanes["other"](inputs))
