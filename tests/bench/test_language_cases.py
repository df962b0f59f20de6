"""Benchmarks of language models: the book's loops compute what torch's layers do."""

from __future__ import annotations

import pytest
import torch

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
def test_every_contender_learns_for_an_epoch(name, contender, tmp_path, monkeypatch):
    monkeypatch.setenv("FATHOM_CACHE", str(tmp_path))
    cases()[name].build[contender]()()


def test_an_epoch_is_as_many_tokens_as_is_said():
    language._characters.cache_clear()
    torch.manual_seed(0)
    batches = list(language._batches())
    assert all(tokens.shape == after.shape == (32, 35) for tokens, after in batches)
    assert all(torch.equal(tokens[:, 1:], after[:, :-1]) for tokens, after in batches)


@pytest.mark.skipif(found(time_machine.SOURCE) is None, reason="no timemachine.txt")
@pytest.mark.parametrize("contender", ["ours", "peer", "bare"])
def test_the_time_machine_is_read(contender):
    cases()["time-machine"].build[contender]()()
