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
        next(iter(toy.train.epoch(0, 0))),
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


@pytest.mark.parametrize(
    ("gain", "likeness", "expected"),
    [(1.5, 0.999, "bf16"), (1.5, 0.9, "fp32"), (1.1, 0.999, "fp32"), (2.0, float("nan"), "fp32")],
)
def test_bf16_must_gain_and_agree(monkeypatch, gain, likeness, expected):
    monkeypatch.setattr(tuning, "_race", lambda *given, **clock: {None: gain, torch.bfloat16: 1.0})
    monkeypatch.setattr(tuning, "_likeness", lambda *given: likeness)
    choice, _, _ = chosen(monkeypatch, threads="1")
    assert choice.precision == expected
    assert f"bf16 gives {gain:.2f}x" in choice.why[0]


def test_bf16_gradients_are_compared_under_the_same_chance(monkeypatch):
    toy = TOY.function()
    toy.model.train()
    batch = next(iter(toy.train.epoch(0, 0)))

    def build(dtype):
        return supervised(toy.model, toy.objective, {}, device=CPU)

    assert tuning._likeness(build, toy.model, batch) == pytest.approx(1.0, abs=1e-6)


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
