"""What was measured once is taken again, and a damaged memory is measured anew."""

from __future__ import annotations

import pytest
import torch
from test_tuning import CPU, chosen
from toy import TOY

from fathom.engine import tuning
from fathom.engine.remembered import key_of, recall, remember
from fathom.engine.trial import endless
from fathom.engine.tuning import choose
from fathom.engine.updates import supervised

CHOICE = {"threads": 1, "precision": "bf16", "why": ["precision bf16 (twice as fast)"]}


@pytest.fixture(autouse=True)
def one_thread():
    yield
    torch.set_num_threads(1)


def ask(memory, **given):
    toy = TOY.function()
    return choose(
        lambda dtype: supervised(toy.model, toy.objective, {}, device=CPU, dtype=dtype),
        toy.model,
        toy.optimizer,
        endless(toy.train, 0),
        device=CPU,
        threads=given.get("threads", "1"),
        precision=given.get("precision", "auto"),
        memory=memory,
    )


def test_the_same_question_is_measured_once(tmp_path, monkeypatch):
    memory = tmp_path / "choices.json"
    first = ask(memory)
    monkeypatch.setattr(tuning, "_choose_precision", None)  # a second measurement would fail
    again = ask(memory)
    assert (again.threads, again.precision) == (first.threads, first.precision)
    assert all("as measured on" in line for line in again.why)


def test_another_question_is_measured(tmp_path):
    toy = TOY.function()
    inputs, _ = next(iter(toy.train.epoch(0, 0)))
    keys = {
        key_of(toy.model, inputs, CPU, "1 auto"),
        key_of(toy.model, inputs, CPU, "auto auto"),
        key_of(toy.model, inputs[:3], CPU, "1 auto"),
        key_of(TOY.function(width=9).model, inputs, CPU, "1 auto"),
    }
    assert len(keys) == 4


def test_what_is_given_is_not_remembered(tmp_path):
    ask(tmp_path / "choices.json", precision="fp32")
    assert not (tmp_path / "choices.json").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"k": {"threads": "many"}}', '{"k": 3}', "\x00"])
def test_a_damaged_memory_knows_nothing(tmp_path, content):
    memory = tmp_path / "choices.json"
    memory.write_text(content, encoding="utf-8")
    assert recall(memory, "k") is None


def test_a_damaged_memory_is_written_anew(tmp_path):
    memory = tmp_path / "choices.json"
    memory.write_text("{", encoding="utf-8")
    remember(memory, "k", CHOICE)
    remember(memory, "l", CHOICE)
    found = recall(memory, "k")
    assert found is not None
    assert {name: found[name] for name in CHOICE} == CHOICE
    assert recall(memory, "l") == found


def test_without_a_memory_it_measures(monkeypatch):
    choice, _, _ = chosen(monkeypatch, threads="1", precision="auto")
    assert choice.precision in ("fp32", "bf16")
