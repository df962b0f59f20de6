"""The benchmarks of translation: every contender does the work that it is said to do."""

from __future__ import annotations

import math

import torch
from learning import losses

from fathom.bench import translation
from fathom.bench.race import cases
from fathom.data.pairs import EOS, PAD
from fathom.text.vocab import Vocab


def test_each_contender_learns_in_as_many_steps(monkeypatch):
    case = cases()["seq2seq"]
    for name, build in case.build.items():
        epoch = build()
        first, then = losses(epoch, monkeypatch), losses(epoch, monkeypatch)
        assert len(first) == len(then) == math.ceil(case.work / 64), name
        assert sum(then) < 0.9 * sum(first), name


def test_each_contender_writes_the_same_translations(monkeypatch):
    written = []
    decode = Vocab.decode
    monkeypatch.setattr(
        Vocab, "decode", lambda *given: written.append(decode(*given)) or written[-1]
    )
    found = {}
    for name, build in cases()["translate"].build.items():
        epoch = build()
        written.clear()
        epoch()
        found[name] = sorted(map(tuple, written))
    assert len(found["ours"]) == translation.SENTENCES
    assert len({*found["ours"]}) > 1
    assert found["ours"] == found["peer"] == found["bare"]


def test_there_is_as_much_work_as_is_said():
    source, lens, target, target_lens = translation.tensors(translation._pairs(), translation.STEPS)
    assert len(source) == translation.PAIRS
    assert source.shape[1] == target.shape[1] == translation.STEPS
    for numbers, lengths in ((source, lens), (target, target_lens)):
        ends = numbers[torch.arange(len(numbers)), lengths - 1]
        assert (ends == EOS).all()
        assert ((numbers == PAD).sum(1) == translation.STEPS - lengths).all()
    assert len(translation._sentences()) == translation.SENTENCES
