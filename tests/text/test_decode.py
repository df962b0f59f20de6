"""Decoding: greedy against a loop over single sentences; states of every form reordered."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch

from fathom import scratch
from fathom.data.pairs import BOS, EOS
from fathom.models.seq2seq import seq2seq
from fathom.text.decode import greedy, reordered, tensors


def sources(count=7, longest=9, words=20, seed=0):
    generator = torch.Generator().manual_seed(seed)
    lens = torch.randint(1, longest + 1, (count,), generator=generator)
    numbers = torch.randint(4, words, (count, longest), generator=generator)
    return numbers.masked_fill(torch.arange(longest) >= lens[:, None], 1), lens


def alone(model, source, begin, end, max_steps):
    """One sentence, from its whole beginning anew at each step: no state is carried."""
    written, log_prob = [], 0.0
    given = [begin]
    while len(written) < max_steps and end not in written:
        logits = model((source[None], torch.tensor([len(source)]), torch.tensor([given])))[0, -1]
        written.append(int(logits.argmax()))
        log_prob += float(logits.log_softmax(0)[written[-1]])
        given.append(written[-1])
    return [token for token in written if token != end], log_prob


@pytest.mark.parametrize("nn", [torch.nn, scratch.nn], ids=["torch", "scratch"])
@torch.no_grad()
def test_greedy_of_a_batch_is_each_sentence_alone_and_from_its_beginning(nn):
    torch.manual_seed(3)
    model = seq2seq(20, 9, hidden_size=16, nn=nn).double().eval()
    for parameter in model.parameters():
        parameter.mul_(3)  # far from uniform, so that sentences end at different times
    numbers, lens = sources(12)
    decoded = greedy(model, numbers, lens, begin=BOS, end=EOS, max_steps=8)
    rows = decoded.rows(EOS)
    assert len({*map(len, rows)}) > 2
    for n, row in enumerate(rows):
        expected, log_prob = alone(model, numbers[n, : lens[n]], BOS, EOS, 8)
        assert row == expected
        assert float(decoded.log_probs[n]) == pytest.approx(log_prob, rel=1e-5)


@torch.no_grad()
def test_what_is_in_the_batch_makes_no_difference():
    model = seq2seq(20, 9).double().eval()
    numbers, lens = sources(6)
    everything = greedy(model, numbers, lens, begin=BOS, end=EOS, max_steps=6)
    longer = torch.nn.functional.pad(numbers, (0, 5), value=1)
    for order in ([5, 4, 3, 2, 1, 0], [2], [0, 0, 3]):
        some = greedy(model, longer[order], lens[order], begin=BOS, end=EOS, max_steps=6)
        assert some.rows(EOS) == [everything.rows(EOS)[i] for i in order]
        torch.testing.assert_close(some.log_probs, everything.log_probs[order])


class Script:
    """A decoder that says what it is told, whatever the sources: row by row."""

    def __init__(self, rows):
        self.rows = rows

    def start(self, source_BS, source_lens_B):
        return torch.arange(len(source_BS)), torch.zeros(len(source_BS), dtype=torch.long)

    def step(self, tokens_B, state):
        rows, steps = state
        logits = torch.zeros(len(rows), 6)
        for b, (row, step) in enumerate(zip(rows.tolist(), steps.tolist(), strict=True)):
            logits[b, self.rows[row][min(step, len(self.rows[row]) - 1)]] = 2.0
        return logits, (rows, steps + 1)


def test_rows_end_when_they_end():
    source, lens = torch.ones(3, 2, dtype=torch.long), torch.ones(3, dtype=torch.long)
    script = Script([[4, EOS, 5], [EOS, 4], [4, 5, 4, 5, 4, 5]])
    decoded = greedy(script, source, lens, begin=BOS, end=EOS, max_steps=4)
    assert decoded.tokens.tolist() == [[4, 3, 3, 3], [3, 3, 3, 3], [4, 5, 4, 5]]
    assert decoded.rows(EOS) == [[4], [], [4, 5, 4, 5]]
    step = float(torch.tensor([2.0, 0, 0, 0, 0, 0]).log_softmax(0)[0])
    torch.testing.assert_close(decoded.log_probs, torch.tensor([2 * step, step, 4 * step]))
    short = greedy(script, source[:2], lens[:2], begin=BOS, end=EOS, max_steps=50)
    assert short.tokens.shape == (2, 2), "it stops when all have ended"


class Cache(NamedTuple):
    keys: torch.Tensor
    position: int


def test_a_state_of_any_form_is_reordered():
    x = torch.arange(6.0).reshape(3, 2)
    index = torch.tensor([2, 0, 0, 1])
    found = reordered({"a": (x, [x + 1]), "b": Cache(x * 2, 5), "c": None}, index)
    assert torch.equal(found["a"][0], x[index])
    assert torch.equal(found["a"][1][0], x[index] + 1)
    assert isinstance(found["b"], Cache)
    assert torch.equal(found["b"].keys, 2 * x[index])
    assert found["b"].position == 5
    assert found["c"] is None


def test_what_need_not_be_reordered_is_left_alone():
    x, y = torch.arange(3.0), torch.arange(3.0)
    state = {"a": (x, [y]), "b": None, "c": Cache(x, 5)}
    assert tensors(state) == {x, y}
    found = reordered(state, torch.tensor([2, 0]), but={x})
    assert found["a"][0] is x
    assert found["c"].keys is x
    assert found["a"][1][0].tolist() == [2, 0]


@torch.no_grad()
def test_a_model_goes_on_from_a_reordered_state():
    model = seq2seq(20, 9).double().eval()
    numbers, lens = sources(4)
    tokens = torch.tensor([4, 5, 6, 7])
    state = model.start(numbers, lens)
    _, state = model.step(torch.full((4,), BOS), state)
    index = torch.tensor([3, 1, 1])
    logits, after = model.step(tokens[index], reordered(state, index))
    expected, whole = model.step(tokens, state)
    torch.testing.assert_close(logits, expected[index])
    torch.testing.assert_close(after, reordered(whole, index))
