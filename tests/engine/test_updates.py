"""Updates: accumulation, clipping and schedules, compared with other ways to the same thing."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from fathom.engine.guard import Guard
from fathom.engine.updates import accumulate, descend, supervised

CPU = torch.device("cpu")


def network(dtype=torch.float64) -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).to(dtype)


def batch(count: int = 10, dtype=torch.float64):
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(count, 5, generator=generator, dtype=dtype)
    return inputs, torch.arange(count) % 3


def plain(model: nn.Module, metrics=None):
    return supervised(model, nn.functional.cross_entropy, metrics or {}, device=CPU)


def grads(model: nn.Module) -> list[torch.Tensor]:
    return [p.grad.clone() for p in model.parameters()]


def test_supervised_leaves_the_gradients_of_the_mean_loss():
    model = network()
    inputs, targets = batch()
    values = plain(model, {"top": lambda o, t: (o.argmax(1) == t).double().mean()})(batch())
    loss = nn.functional.cross_entropy(model(inputs), targets)
    expected = torch.autograd.grad(loss, list(model.parameters()))
    torch.testing.assert_close(grads(model), list(expected), rtol=1e-12, atol=1e-14)
    assert values["loss"].item() == pytest.approx(loss.item(), rel=1e-14)
    assert not any(value.requires_grad for value in values.values())
    assert values["top"].item() == (model(inputs).argmax(1) == targets).double().mean()


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 10])
@pytest.mark.parametrize("count", [10, 7])
def test_accumulated_gradients_equal_those_of_the_whole_batch(parts, count):
    model = network()
    whole = plain(model, {"mean": lambda o, t: o.mean()})
    values = whole(batch(count))
    expected = grads(model)
    model.zero_grad(set_to_none=True)
    again = accumulate(whole, model.parameters(), parts)(batch(count))
    torch.testing.assert_close(grads(model), expected, rtol=1e-12, atol=1e-12)
    for name, value in values.items():
        assert again[name].item() == pytest.approx(value.item(), rel=1e-12, abs=1e-12)


def test_accumulation_leaves_unused_parameters_without_gradient():
    """A gradient of zeros would let weight decay and momentum move them."""
    model = network()
    unused = nn.Linear(2, 2)
    accumulate(plain(model), [*model.parameters(), *unused.parameters()], 3)(batch())
    assert all(p.grad is None for p in unused.parameters())
    assert all(p.grad is not None for p in model.parameters())


def stepped(model: nn.Module, **words):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return descend(plain(model), optimizer, Guard(model, optimizer), **words), optimizer


@pytest.mark.parametrize("clip", [0.01, 1e6])
def test_clipping_equals_scaling_by_hand(clip):
    model = network()
    other = copy.deepcopy(model)
    update, _ = stepped(model, clip=clip)
    values = update(batch())
    plain(other)(batch())
    norm = math.sqrt(sum(float((g**2).sum()) for g in grads(other)))
    assert values["gradient_norm"].item() == pytest.approx(norm, rel=1e-12)
    factor = min(1.0, clip / (norm + 1e-6))
    for moved, before in zip(model.parameters(), other.parameters(), strict=True):
        expected = before - 0.1 * factor * before.grad
        torch.testing.assert_close(moved.detach(), expected.detach(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("every", [1, 4])
def test_schedules_by_step_and_by_epoch(every):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    done = 0
    update = descend(
        plain(model),
        optimizer,
        Guard(model, optimizer),
        schedule=schedule,
        ends_epoch=None if every == 1 else lambda: (done + 1) % every == 0,
    )
    rates = []
    for _ in range(9):
        update(batch())
        done += 1
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == [0.1 * 0.5 ** ((step + 1) // every) for step in range(9)]


def test_a_refused_update_changes_nothing():
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    guard = Guard(model, optimizer, on_nan="skip")
    update = descend(plain(model), optimizer, guard, clip=1.0, schedule=schedule)
    before = copy.deepcopy(model.state_dict())
    inputs, targets = batch()
    values = update((inputs * math.nan, targets))
    assert values["skipped"].item() == 1
    assert "gradient_norm" not in values
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert not optimizer.state
    assert update(batch())["skipped"].item() == 0
    assert optimizer.param_groups[0]["lr"] == 0.05


def test_autocast_computes_in_bf16_and_takes_the_loss_in_single_precision():
    model = network(torch.float32)
    kinds = []
    model[2].register_forward_hook(lambda module, given, made: kinds.append(made.dtype))

    def objective(outputs, targets):
        kinds.append(outputs.dtype)
        return nn.functional.cross_entropy(outputs, targets)

    gradients = supervised(model, objective, {}, device=CPU, dtype=torch.bfloat16)
    gradients(batch(dtype=torch.float32))
    assert kinds == [torch.bfloat16, torch.float32]
    half = grads(model)
    model.zero_grad()
    plain(model)(batch(dtype=torch.float32))
    torch.testing.assert_close(half, grads(model), rtol=0.1, atol=0.02)


def test_an_overflow_in_fp16_is_skipped_and_its_scale_halved():
    """With a scaler the guard skips, and its count shows in the metrics."""
    model = network(torch.float32)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    factor = 1e35  # the loss is finite, its scaled gradients are not

    def objective(outputs, targets):
        return factor * nn.functional.cross_entropy(outputs, targets)

    gradients = supervised(model, objective, {}, device=CPU, scale=scaler.scale)
    guard = Guard(model, optimizer, on_nan="skip")
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    update = descend(gradients, optimizer, guard, schedule=schedule, scaler=scaler)
    before = copy.deepcopy(model.state_dict())
    inputs, targets = batch(dtype=torch.float32)
    assert update((inputs, targets))["skipped"].item() == 1
    assert scaler.get_scale() == 2.0**15
    assert optimizer.param_groups[0]["lr"] == 0.1
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
    factor = 1.0
    assert update((inputs, targets))["skipped"].item() == 0
    assert scaler.get_scale() == 2.0**15
    assert optimizer.param_groups[0]["lr"] == 0.05
