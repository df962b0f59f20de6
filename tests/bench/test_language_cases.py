"""Benchmarks of language models: the book's loops compute what torch's layers do."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from learning import losses

from fathom.bench import language
from fathom.bench.race import cases
from fathom.data import time_machine
from fathom.data.sources import found


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(language, "HIDDEN", 8)
    monkeypatch.setattr(language, "TOKENS", 2_400)
    monkeypatch.setattr(language, "GIVEN", language.GIVEN | {"hidden_size": 8, "tokens": 2_400})
    language._characters.cache_clear()
    yield
    language._characters.cache_clear()


@pytest.mark.parametrize("name", ["rnn", "gru-scratch", "lstm-scratch-bf16"])
@pytest.mark.parametrize("contender", ["ours", "peer", "bare"])
def test_every_contender_learns_in_as_many_steps(name, contender, monkeypatch):
    epoch = cases()[name].build[contender]()
    first, then = losses(epoch, monkeypatch), losses(epoch, monkeypatch)
    assert len(first) == len(then) == (language.TOKENS - language.STEPS) // (32 * 35) == 2
    _, characters = language._characters()
    assert first[0] == pytest.approx(math.log(characters), rel=0.05), "untrained, it only guesses"
    assert sum(then) < 0.99 * sum(first)


def test_an_epoch_is_as_many_tokens_as_is_said(monkeypatch):
    monkeypatch.setattr(language, "TOKENS", 10_000)
    torch.manual_seed(0)
    batches = list(language._batches())
    assert sum(tokens.numel() for tokens, _ in batches) == language.SEEN
    assert all(tokens.shape == after.shape == (32, 35) for tokens, after in batches)
    assert all(torch.equal(tokens[:, 1:], after[:, :-1]) for tokens, after in batches)


@pytest.mark.skipif(found(time_machine.SOURCE) is None, reason="no timemachine.txt")
def test_the_time_machine_is_read_to_the_same_numbers(monkeypatch):
    """By ours and the book's way; the bare one counts words, the least that reading is."""
    case, words, texts, numbers = cases()["time-machine"], [], [], []
    epochs = {name: build() for name, build in case.build.items()}
    load, tensor = language.load_text, torch.tensor
    monkeypatch.setattr(language, "load_text", lambda name: texts.append(load(name)))
    monkeypatch.setattr(torch, "tensor", lambda values: numbers.append(tensor(values)))
    epochs["ours"]()
    epochs["peer"]()
    assert len(texts[0]) == len(numbers[0]) == case.work
    assert torch.equal(texts[0].ids.long(), numbers[0])
    monkeypatch.setattr(language, "Counter", words.extend)
    epochs["bare"]()
    assert len(words) == len(Path(language._time_machine()).read_text(encoding="utf-8").split())
