"""The range test: its rules against other implementations, and that it leaves no trace."""

from __future__ import annotations

import copy
import itertools
import json
import math

import numpy as np
import pytest
import torch
from torch import nn
from toy import TOY, ToyBatches, toy_data

from calling import UNMEASURED, call, done
from fathom.core.catalogue import entries, load
from fathom.core.experiment import Experiment
from fathom.core.seeds import random_states
from fathom.engine.finder import (
    RangeTest,
    longest_descent,
    range_test,
    running_mean,
    runs_away,
)
from fathom.engine.prepare import prepare

EXPERIMENTS = [
    entry.recipe for entry in entries() if entry.status == "ready" and entry.kind == "experiment"
]


def same(one, other) -> bool:
    """Bit for bit, through dicts and lists."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other or (one != one and other != other)


def everything(experiment):
    model = experiment.model
    return copy.deepcopy(
        {
            "weights": dict(model.state_dict()),
            "buffers": dict(model.named_buffers()),
            "gradients": [p.grad is None for p in model.parameters()],
            "modes": [module.training for module in model.modules()],
            "optimizer": experiment.optimizer.state_dict(),
            "random": random_states(),
        }
    )


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_it_leaves_every_experiment_as_it_was(name, monkeypatch, tmp_path):
    monkeypatch.setenv("FATHOM_OFFLINE", "1")
    monkeypatch.delenv("FATHOM_DATA", raising=False)
    recipe = load(name)
    prepared = prepare(recipe, recipe.settings(recipe.sample), seed=3, device="cpu")
    experiment = prepared.experiment
    before = everything(experiment)
    test = range_test(experiment, prepared.train, seed=3, first=1e-4, last=1e-2, steps=3)
    assert len(test.rates) == 3
    assert same(before, everything(experiment))


def test_it_also_puts_back_what_training_had_built_up():
    """Momentum, steps counted, running statistics, a gradient that somebody still needs."""
    experiment = TOY.function()
    before = range_test(experiment, experiment.train, seed=0, steps=20)
    inputs, targets = next(experiment.train.epoch(0, 0))
    for _ in range(3):
        experiment.optimizer.zero_grad()
        experiment.objective(experiment.model(inputs), targets).backward()
        experiment.optimizer.step()
    kept = everything(experiment)
    gradients = [p.grad.clone() for p in experiment.model.parameters()]
    first = range_test(experiment, experiment.train, seed=0, steps=20)
    assert same(kept, everything(experiment))
    assert same(gradients, [p.grad for p in experiment.model.parameters()])
    assert range_test(experiment, experiment.train, seed=0, steps=20) == first
    assert first != before


def test_rates_grow_by_a_constant_factor_and_groups_keep_their_proportions():
    model = nn.Linear(6, 2)
    groups = [{"params": [model.weight], "lr": 0.5}, {"params": [model.bias], "lr": 0.1}]
    optimizer = torch.optim.SGD(groups)
    used = []
    optimizer.register_step_pre_hook(
        lambda o, args, kwargs: used.append([group["lr"] for group in o.param_groups])
    )
    batches = ToyBatches(*toy_data(), 6)
    experiment = Experiment(model, batches, nn.functional.cross_entropy, optimizer, 1)
    test = range_test(experiment, batches, seed=0, first=1e-5, last=1e-1, steps=41)
    assert test.rates == pytest.approx(np.geomspace(1e-5, 1e-1, 41).tolist())
    assert [high for high, _ in used] == pytest.approx(test.rates)
    assert [low / high for high, low in used] == pytest.approx([0.2] * 41)


def test_a_warm_up_that_begins_at_zero_is_no_rate_of_zero():
    model = nn.Linear(6, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step / 10)
    assert optimizer.param_groups[0]["lr"] == 0
    batches = ToyBatches(*toy_data(), 6)
    experiment = Experiment(
        model, batches, nn.functional.cross_entropy, optimizer, 1, schedule=schedule
    )
    test = range_test(experiment, batches, seed=0, first=1e-5, last=1.0, steps=60)
    assert test.losses[-1] < 0.8 * test.losses[0]
    assert optimizer.param_groups[0]["lr"] == 0


def test_it_ends_where_the_loss_is_no_number():
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batches = ToyBatches(torch.ones(12, 1), torch.ones(12, 1), 6)

    seen: list[int] = []

    def objective(outputs, targets):
        seen.append(1)
        return (outputs - targets).square().mean() * (math.inf if len(seen) > 5 else 1.0)

    experiment = Experiment(model, batches, objective, optimizer, 1)
    test = range_test(experiment, batches, seed=0)
    assert len(test.rates) == len(test.losses) == 5
    assert "no longer finite" in test.ended


def test_the_running_mean_weighs_each_loss_by_its_age():
    losses = np.random.default_rng(0).normal(size=50)
    means: list[float] = []
    for count in range(1, 51):
        means.append(running_mean(losses[:count].tolist(), means))
        weights = 0.95 ** np.arange(count)[::-1]
        assert means[-1] == pytest.approx(np.average(losses[:count], weights=weights), rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_longest_descent_is_that_of_a_search_through_all(seed):
    values = np.random.default_rng(seed).permutation(9).tolist()
    start, end = longest_descent(values)
    best = max(
        len(chosen)
        for size in range(1, 10)
        for chosen in itertools.combinations(values, size)
        if all(a > b for a, b in itertools.pairwise(chosen))
    )
    inside = values[start : end + 1]
    reached = max(
        len(chosen)
        for size in range(1, len(inside) + 1)
        for chosen in itertools.combinations(inside, size)
        if chosen[0] == inside[0]
        and chosen[-1] == inside[-1]
        and all(a > b for a, b in itertools.pairwise(chosen))
    )
    assert reached == best


def curve(means):
    rates = np.geomspace(1e-6, 10, len(means)).tolist()
    return RangeTest(rates, list(means), list(means), "")


def test_the_rules_on_a_curve_whose_answers_are_known():
    """Flat to 1e-3, straight down to 1e-1 where it is least, and up again."""
    rates = np.geomspace(1e-6, 10, 141)
    logs = np.log10(rates)
    means = np.interp(logs, [-6, -3, -1, 1], [2.0, 2.0, 1.0, 5.0])
    means[:60] += np.linspace(1e-9, 0, 60)  # so flat that it just falls
    found = curve(means).suggestions()
    assert found["minimum / 10"] == pytest.approx(1e-2, rel=0.01)
    assert 1e-3 < found["steepest"] < 1e-1
    assert found["valley"] < 1e-1


def test_a_loss_that_never_falls_has_no_suggestion():
    assert curve(np.linspace(1, 2, 100)).suggestions() == {}
    assert RangeTest([], [], [], "").suggestions() == {}


@pytest.mark.parametrize(("end", "away"), [([1.9], False), ([2.1], True), ([0.5, 0.4, 1.7], True)])
def test_four_times_the_least_is_running_away(end, away):
    assert runs_away([2.0] * 10 + [0.5] * 5 + end) is away


def test_a_loss_below_zero_is_judged_by_how_far_it_fell():
    assert not runs_away([1.0] * 11 + [-1.0, 8.9])
    assert runs_away([1.0] * 11 + [-1.0, 9.1])


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("found") / "run"
    return folder, done("try", "softmax-regression", "--find-lr", "--out", folder, *UNMEASURED)


def test_the_command_says_a_rate_and_what_to_do_with_it(found):
    folder, said = found
    facts = json.loads((folder / "run.json").read_text())
    assert facts["status"] == "done"
    rates = {name: entry["value"] for name, entry in facts["findings"]["numbers"].items()}
    assert all(1e-6 <= rate <= 10 for rate in rates.values())
    assert facts["suggested_lr"] == float(f"{rates['lr by valley']:.2g}")
    command = next(line for line in said.out.splitlines() if line.startswith("next"))
    assert "fathom run softmax-regression --data digits" in command
    assert command.endswith(f"--lr {facts['suggested_lr']:.4g}")
    assert (folder / "figures" / "lr-finder.png").exists()
    assert (folder / "figures" / "lr-finder.svg").exists()
    assert not (folder / "model.safetensors").exists()


def test_a_run_that_only_looked_is_not_gone_on_with(found):
    said = call("resume", found[0])
    assert said.status == 2
    assert "done in one piece" in said.error


def test_where_there_is_no_rate_to_find():
    said = call("try", "vectorization", "--find-lr")
    assert said.status == 2
    assert "leave out --find-lr" in said.error
