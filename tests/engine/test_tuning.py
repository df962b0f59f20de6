"""Measuring which threads and precision are fast changes nothing of what is learned."""

from __future__ import annotations

import copy
import random

import numpy
import pytest
import torch
from toy import TOY

from fathom.core.errors import SettingError
from fathom.core.seeds import random_states
from fathom.engine import tuning
from fathom.engine.trial import endless
from fathom.engine.tuning import choose
from fathom.engine.updates import supervised

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread():
    yield
    torch.set_num_threads(1)


def chosen(monkeypatch, threads="auto", precision="auto", rounds=2):
    """A choice for the toy; the toy, and what it was before."""
    monkeypatch.setattr(tuning, "ROUNDS", rounds)
    monkeypatch.setattr(tuning, "cores", lambda: 2)
    toy = TOY.function()
    toy.model.train()
    before = copy.deepcopy(toy.model.state_dict())
    choice = choose(
        lambda dtype: supervised(toy.model, toy.objective, {}, device=CPU, dtype=dtype),
        toy.model,
        toy.optimizer,
        endless(toy.train, 0),
        device=CPU,
        threads=threads,
        precision=precision,
    )
    return choice, toy, before


def test_measuring_changes_neither_weights_nor_random_state(monkeypatch):
    random.seed(1)
    numpy.random.seed(2)
    torch.manual_seed(3)
    TOY.function()
    states = random_states()
    torch.manual_seed(3)
    choice, toy, before = chosen(monkeypatch)
    after = random_states()
    assert choice.threads in (1, 2)
    assert choice.precision in ("fp32", "bf16")
    assert torch.equal(states["torch"], after["torch"])
    assert states["python"] == after["python"]
    assert all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
        for a, b in zip(states["numpy"], after["numpy"], strict=True)
    )
    for name, value in toy.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(parameter.grad is None for parameter in toy.model.parameters())
    assert torch.get_num_threads() == choice.threads


def test_what_is_given_is_not_measured(monkeypatch):
    monkeypatch.setattr(tuning, "_race", None)
    choice, _, _ = chosen(monkeypatch, threads="2", precision="fp32")
    assert (choice.threads, choice.precision, choice.why) == (2, "fp32", [])
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(("gain", "expected"), [(1.05, 1), (1.5, 2)])
def test_more_threads_must_gain(monkeypatch, gain, expected):
    monkeypatch.setattr(tuning, "_race", lambda *given, **clock: {1: gain, 2: 1.0})
    choice, _, _ = chosen(monkeypatch, precision="fp32")
    assert choice.threads == expected
    assert choice.why == [f"threads {expected} (2 give {gain:.2f}x the speed of 1)"]


GAINS = {"quick": 1.5, "slow": 1.1}


@pytest.mark.parametrize(
    ("speed", "likeness", "change", "expected"),
    [
        ("quick", 0.999, None, "bf16"),
        ("slow", 0.999, None, "fp32"),
        ("slow", 0.9, None, "fp32"),
        ("quick", 0.9, 0.2, "bf16"),
        ("quick", 0.9, 0.3, "fp32"),
        ("quick", float("nan"), 0.2, "bf16"),
        ("quick", 0.9, float("nan"), "fp32"),
        ("quick", 0.9, float("inf"), "fp32"),
    ],
)
def test_bf16_must_gain_and_agree_at_once_or_after_a_trial(
    monkeypatch, speed, likeness, change, expected
):
    gain = GAINS[speed]
    monkeypatch.setattr(tuning, "_race", lambda *given, **clock: {None: gain, torch.bfloat16: 1.0})
    monkeypatch.setattr(tuning, "_likeness", lambda *given: likeness)
    # None: a trial that is not needed would fail
    monkeypatch.setattr(tuning, "_change", None if change is None else lambda trial: change)
    choice, _, _ = chosen(monkeypatch, threads="1")
    assert choice.precision == expected
    assert f"bf16 gives {gain:.2f}x" in choice.why[0]
    assert ("at first; after 8 steps" in choice.why[0]) is (change is not None)


def trial_of(toy, rounding):
    """A trial in which bf16 is single precision with `rounding` added to each gradient."""

    def build(dtype):
        exact = supervised(toy.model, toy.objective, {}, device=CPU)

        def gradients(batch):
            values = exact(batch)
            if dtype is not None:
                for parameter in toy.model.parameters():
                    parameter.grad += rounding
            return values

        return gradients

    toy.model.train()
    return tuning._Trial(build, toy.model, toy.optimizer, endless(toy.train, 0))


def test_bf16_gradients_are_compared_under_the_same_chance():
    trial = trial_of(TOY.function(), 0.0)
    assert tuning._likeness(trial, next(trial.batches)) == pytest.approx(1.0, abs=1e-6)
    assert tuning._change(trial) == 0


def test_the_change_is_of_what_the_next_batch_changes():
    """Nothing learned, no chance: then the gradients of the tenth batch and the next are known."""
    toy = TOY.function(lr=0.0)
    toy.model[3].p = 0.0
    for group in toy.optimizer.param_groups:
        group["weight_decay"] = 0.0
    trial = trial_of(toy, 0.01)
    change = tuning._change(trial)
    seen = [batch for _, batch in zip(range(10), endless(toy.train, 0), strict=False)]
    rows = [tuning._gradient(trial, None, batch) for batch in seen[8:]]
    expected = 0.01 * len(rows[0]) ** 0.5 / (rows[1] - rows[0]).norm()
    assert change == pytest.approx(expected.item(), rel=1e-4)


def test_a_trial_leaves_all_as_it_was(monkeypatch):
    """Weights, running means, the optimiser's moments and chance: the trial trains, and is undone.

    After one update that makes the moments.
    """
    monkeypatch.setattr(tuning, "_likeness", lambda *given: 0.0)
    monkeypatch.setattr(tuning, "_race", lambda *given, **clock: {None: 2.0, torch.bfloat16: 1.0})
    toy = TOY.function()
    toy.model.train()

    def build(dtype):
        return supervised(toy.model, toy.objective, {}, device=CPU, dtype=dtype)

    build(None)(next(endless(toy.train, 0)))
    toy.optimizer.step()
    toy.optimizer.zero_grad()
    learned, changed = [], tuning._change

    def change(trial):
        found = changed(trial)
        learned.append(copy.deepcopy(toy.model.state_dict()))
        return found

    monkeypatch.setattr(tuning, "_change", change)
    before = copy.deepcopy((toy.model.state_dict(), toy.optimizer.state_dict()))
    chance = torch.get_rng_state()
    given = {"device": CPU, "threads": "1", "precision": "auto"}
    choose(build, toy.model, toy.optimizer, endless(toy.train, 0), **given)
    after = toy.model.state_dict(), toy.optimizer.state_dict()
    assert any(not torch.equal(value, learned[0][name]) for name, value in before[0].items())
    assert all(torch.equal(value, after[0][name]) for name, value in before[0].items())
    assert torch.equal(torch.get_rng_state(), chance)
    assert before[1]["param_groups"] == after[1]["param_groups"]
    for number, state in before[1]["state"].items():
        assert state.keys() == after[1]["state"][number].keys()
        assert all(torch.equal(value, after[1]["state"][number][k]) for k, value in state.items())


def test_without_a_second_batch_bf16_must_agree_at_once():
    toy = TOY.function(batch_size=48)
    toy.model[3].p = 0.0
    trial = trial_of(toy, 0.01)
    for group in toy.optimizer.param_groups:
        group["lr"] = 0.0
    assert tuning._change(trial) > 1e4, "but for the order of its rows it is the same batch"


def test_a_race_runs_in_turn():
    order = []
    contenders = {name: lambda batch, name=name: order.append(name) for name in "ab"}
    times = tuning._race(contenders, None, CPU)
    assert set(times) == {"a", "b"}
    assert order == ["a", "b"] * (tuning.ROUNDS + 1)


@pytest.mark.parametrize("word", ["many", "-1", "1.5", "0"])
def test_threads_that_are_none(monkeypatch, word):
    with pytest.raises(SettingError, match=r"--threads"):
        chosen(monkeypatch, threads=word)
