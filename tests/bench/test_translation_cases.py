"""The benchmarks of translation: every contender does the work that it is said to do."""

from __future__ import annotations

import pytest
import torch

from fathom.bench import translation
from fathom.bench.race import cases
from fathom.data.pairs import EOS, PAD


@pytest.mark.parametrize("name", ["seq2seq", "translate"])
def test_each_contender_runs(name):
    case = cases()[name]
    for build in case.build.values():
        build()()


def test_there_is_as_much_work_as_is_said():
    source, lens, target, target_lens = translation.tensors(translation._pairs(), translation.STEPS)
    assert len(source) == translation.PAIRS
    assert source.shape[1] == target.shape[1] == translation.STEPS
    for numbers, lengths in ((source, lens), (target, target_lens)):
        ends = numbers[torch.arange(len(numbers)), lengths - 1]
        assert (ends == EOS).all()
        assert ((numbers == PAD).sum(1) == translation.STEPS - lengths).all()
    assert len(translation._sentences()) == translation.SENTENCES
