"""Learning rates over time against torch's schedulers, step by step, and where torch has none
against closed forms; a resumed run goes on at the rate of its place."""

from __future__ import annotations

import math
import warnings

import pytest
import torch

from fathom.core.catalogue import load
from fathom.recipes import rates, schedules
from fathom.scratch.optim.lr_scheduler import SlantedTriangularLR

torchs = torch.optim.lr_scheduler
STEPS = 40


def rates_of(make, lr=0.3):
    """What a scheduler of torch sets before each of some steps."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = make(optimizer)
        found = []
        for _ in range(STEPS):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
    return found


SAME = {
    "constant": (schedules.constant(), lambda o: torchs.ConstantLR(o, factor=1.0)),
    "factor": (schedules.factor(0.9), lambda o: torchs.ExponentialLR(o, 0.9)),
    "multi-factor": (
        schedules.multi_factor([15, 30], 0.5),
        lambda o: torchs.MultiStepLR(o, [15, 30], 0.5),
    ),
    "cosine": (
        schedules.cosine(STEPS - 1, final=0.01 / 0.3),
        lambda o: torchs.CosineAnnealingLR(o, STEPS - 1, 0.01),
    ),
    "restarts": (
        schedules.warm_restarts(5, times=2),
        lambda o: torchs.CosineAnnealingWarmRestarts(o, 5, T_mult=2),
    ),
    "warm-up": (
        schedules.warmed_up(5, schedules.cosine(STEPS - 6)),
        lambda o: torchs.SequentialLR(
            o,
            [
                torchs.LambdaLR(o, lambda t: t / 5),
                torchs.CosineAnnealingLR(o, STEPS - 6),
            ],
            [5],
        ),
    ),
    "slanted": (
        schedules.slanted_triangle(STEPS, rises=0.1, ratio=32),
        lambda o: SlantedTriangularLR(o, STEPS, 0.1, 32),
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_a_schedule_is_torch_s(name):
    ours, make = SAME[name]
    found = [0.3 * ours(t) for t in range(STEPS)]
    assert found == pytest.approx(rates_of(make), rel=1e-9, abs=1e-12)


def test_one_cycle_is_torch_s_in_rate_and_momentum():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.3, momentum=0.9)
    scheduler = torchs.OneCycleLR(optimizer, 0.3, total_steps=STEPS, pct_start=0.3)
    rises = (0.3 * STEPS - 1) / (STEPS - 1)
    rate = schedules.one_cycle(STEPS - 1, rises=rises)
    momentum = schedules.one_cycle_momentum(STEPS - 1, rises=rises)
    for t in range(STEPS):
        group = optimizer.param_groups[0]
        assert 0.3 * rate(t) == pytest.approx(group["lr"], rel=1e-9)
        assert momentum(t) == pytest.approx(group["momentum"], rel=1e-9)
        optimizer.step()
        if t + 1 < STEPS:
            scheduler.step()


def test_what_torch_has_not():
    assert [schedules.square_root()(t) for t in (0, 3, 99)] == pytest.approx([1, 0.5, 0.1])
    assert schedules.factor(0.5, least=0.2)(10) == 0.2
    up = schedules.warmed_up(4, schedules.constant(), along_cosine=True)
    assert [up(t) for t in (0, 1, 2, 3, 4, 9)] == pytest.approx(
        [0, (1 - math.cos(math.pi / 4)) / 2, 0.5, (1 + math.cos(math.pi / 4)) / 2, 1, 1]
    )


@pytest.mark.parametrize("name", rates.ALL)
def test_every_plan_begins_at_time_zero_and_stays_between_zero_and_its_height(name):
    """The book's warm-up begins with its highest rate, since it asks for the epoch before."""
    plan = rates.plan(name, 30)
    heights = [plan.factor(30 * i / 1000) for i in range(1000)]
    assert all(0 <= height <= 1 for height in heights)
    assert max(heights) == pytest.approx(1, abs=2e-3)
    if "warm-up" in name:
        assert heights[0] == 0


def test_the_book_s_rates_at_its_thirty_epochs():
    plan = {name: rates.plan(name, 30) for name in rates.ALL}
    times = (0, 5, 14, 15, 20, 29)
    at = {name: [p.lr * p.factor(t) for t in times] for name, p in plan.items()}
    assert at["constant"] == [0.3] * 6
    assert at["square-root"] == pytest.approx(
        [0.1 * (t + 1) ** -0.5 for t in (0, 5, 14, 15, 20, 29)]
    )
    assert at["multi-factor"] == [0.5, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert at["cosine"][4:] == pytest.approx([0.01, 0.01])
    assert at["warm-up"][1] == pytest.approx(0.3)
    assert at["warm-up"][4:] == pytest.approx([0.01, 0.01])


def experiment(**settings):
    torch.manual_seed(0)
    return load("schedules").function(**{**load("schedules").sample, **settings})


def test_the_momentum_moves_against_the_rate_in_its_group_alone():
    e = experiment(schedule=["constant", "one-cycle"], epochs=1)
    inputs, targets = next(e.train.epoch(0, 0))
    rates_, momenta = [], []
    for _ in range(len(e.train)):
        e.optimizer.zero_grad()
        e.objective(e.model(inputs), targets).backward()
        rates_.append([group["lr"] for group in e.optimizer.param_groups])
        e.optimizer.step()
        momenta.append([group["momentum"] for group in e.optimizer.param_groups])
        e.schedule.step()
    assert {momentum for momentum, _ in momenta} == {0}
    cycled = [momentum for _, momentum in momenta]
    peak = max(range(len(rates_)), key=lambda t: rates_[t][1])
    assert cycled[0] == 0.95
    assert cycled.index(min(cycled)) == peak
    assert min(cycled) == pytest.approx(0.85, abs=1e-3)
    assert len({rate for rate, _ in rates_}) == 1


def test_a_lane_learns_as_it_would_alone():
    """The sum of losses has each lane's own gradient, whatever runs beside it."""
    alone = experiment(schedule=["constant"], activation="sigmoid")
    beside = experiment(schedule=["cosine", "constant", "averaged"], activation="sigmoid")
    for e in (alone, beside):
        for inputs, targets in list(e.train.epoch(0, 0, first=40)):
            e.optimizer.zero_grad()
            loss = e.objective(e.model(inputs), targets)
            loss.backward()
            e.optimizer.step()
            e.schedule.step()
    for one, other in zip(
        alone.model["constant"].parameters(), beside.model["constant"].parameters(), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)
    inputs, targets = next(alone.train.epoch(0, 0))
    outputs = beside.model(inputs).detach()
    mean = beside.objective(outputs, targets)
    each = [alone.objective(outputs[:, i : i + 1], targets) for i in range(3)]
    assert float(mean) == pytest.approx(float(sum(each)) / 3, rel=1e-6)


def test_one_cycle_learns_digits_in_half_the_epochs(tried_once):
    """On what ships with Fathom; a held-out digit is 0.28 of a hundredth."""
    numbers = tried_once("lr-finder").said.json["findings"]["numbers"]
    best = numbers["constant, best accuracy on the way"]["value"]
    assert best > 0.95
    assert numbers["1cycle, accuracy at the end"]["value"] >= best - 0.006
