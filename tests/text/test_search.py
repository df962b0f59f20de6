"""Searches for the best translation: against every sequence there is, one by one."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fathom.core.errors import SettingError
from fathom.data.pairs import BOS, EOS
from fathom.models.bahdanau import bahdanau
from fathom.models.seq2seq import seq2seq
from fathom.models.transformer import transformer
from fathom.text import decode
from fathom.text.decode import Step, beam, exhaustive, greedy, sampled

WORDS = 5  # <unk>, <pad>, <bos>, <eos> and one more
SMALL = dict(num_layers=1, hidden_size=8)
MODELS = {
    "seq2seq": lambda: seq2seq(9, WORDS, embedding_size=4, **SMALL),
    "bahdanau": lambda: bahdanau(9, WORDS, embedding_size=4, **SMALL),
    "transformer": lambda: transformer(9, WORDS, num_heads=2, ffn_size=8, **SMALL),
}
SEARCHES = settings(max_examples=15, deadline=None)
ALPHAS = st.sampled_from([0.0, 0.75, 1.0])


def untrained(kind, seed):
    """A model that is far from uniform, and five sentences for it."""
    torch.manual_seed(seed)
    model = MODELS[kind]().eval()
    with torch.no_grad():
        model.decoder.output.weight.mul_(4)
    lens = torch.randint(1, 5, (5,))
    numbers = torch.randint(4, 9, (5, 4)).masked_fill(torch.arange(4) >= lens[:, None], 1)
    return model, numbers, lens


@torch.no_grad()
def every_score(model, source, steps, alpha):
    """Each sequence of so many tokens, or that ends before: its score, from its beginning anew."""
    found = {}
    for tokens in itertools.product(range(WORDS), repeat=steps):
        cut = tokens[: tokens.index(EOS) + 1] if EOS in tokens else tokens
        found[cut] = None
    for cut in found:
        given = torch.tensor([[BOS, *cut[:-1]]])
        log_probs = model((source[None], torch.tensor([len(source)]), given))[0].log_softmax(-1)
        total = sum(float(log_probs[t, token]) for t, token in enumerate(cut))
        found[cut] = total / len(cut) ** alpha
    return found


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("alpha", [0.0, 0.75])
@torch.no_grad()
def test_the_best_of_all_is_found(kind, alpha):
    model, numbers, lens = untrained(kind, 1)
    ids = dict(begin=BOS, end=EOS, max_steps=3)
    searched = [
        exhaustive(model, numbers, lens, alpha=alpha, **ids),
        beam(model, numbers, lens, width=WORDS**3, alpha=alpha, **ids),
    ]
    for n in range(2):
        known = every_score(model, numbers[n, : lens[n]], 3, alpha)
        best = max(known, key=known.__getitem__)
        for found in searched:
            assert found.rows(EOS)[n] == [token for token in best if token != EOS]
            assert float(found.scores(EOS, alpha)[n]) == pytest.approx(known[best], abs=1e-5)


@SEARCHES
@given(st.sampled_from(sorted(MODELS)), st.integers(0, 10_000), st.integers(1, 6), ALPHAS)
@torch.no_grad()
def test_a_beam_of_one_is_greedy(kind, seed, steps, alpha):
    model, *sources = untrained(kind, seed)
    ids = dict(begin=BOS, end=EOS, max_steps=steps)
    one, plain = beam(model, *sources, width=1, alpha=alpha, **ids), greedy(model, *sources, **ids)
    assert one.rows(EOS) == plain.rows(EOS)
    torch.testing.assert_close(one.log_probs, plain.log_probs)


@SEARCHES
@given(st.sampled_from(sorted(MODELS)), st.integers(0, 10_000), st.integers(1, 4), ALPHAS)
@torch.no_grad()
def test_a_beam_of_full_width_is_exhaustive(kind, seed, steps, alpha):
    model, *sources = untrained(kind, seed)
    ids = dict(begin=BOS, end=EOS, max_steps=steps)
    full = beam(model, *sources, width=WORDS**steps, alpha=alpha, **ids)
    every = exhaustive(model, *sources, alpha=alpha, **ids)
    assert full.rows(EOS) == every.rows(EOS)
    torch.testing.assert_close(full.scores(EOS, alpha), every.scores(EOS, alpha))


@SEARCHES
@given(st.sampled_from(sorted(MODELS)), st.integers(0, 10_000), st.integers(1, 9), ALPHAS)
@torch.no_grad()
def test_no_search_beats_the_exhaustive_and_each_tells_the_truth(kind, seed, width, alpha):
    model, numbers, lens = untrained(kind, seed)
    ids = dict(begin=BOS, end=EOS, max_steps=4)
    found = beam(model, numbers, lens, width=width, alpha=alpha, **ids)
    best = exhaustive(model, numbers, lens, alpha=alpha, **ids).scores(EOS, alpha)
    assert (found.scores(EOS, alpha) <= best + 1e-5).all()
    for n, row in enumerate(found.rows(EOS)):
        tokens = torch.tensor([*row, EOS][:4])
        given = torch.tensor([[BOS, *tokens[:-1]]])
        source = numbers[n : n + 1, : lens[n]]
        log_probs = model((source, lens[n : n + 1], given))[0].log_softmax(-1)
        again = log_probs[torch.arange(len(tokens)), tokens].sum()
        torch.testing.assert_close(found.log_probs[n], again, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", MODELS)
@torch.no_grad()
def test_together_or_alone_a_beam_finds_the_same(kind):
    model, numbers, lens = untrained(kind, 2)
    ids = dict(begin=BOS, end=EOS, max_steps=6, width=3, alpha=0.75)
    together = beam(model, numbers, lens, **ids)
    for n in range(5):
        alone = beam(model, numbers[n : n + 1, : lens[n]], lens[n : n + 1], **ids)
        assert alone.rows(EOS) == together.rows(EOS)[n : n + 1]
        torch.testing.assert_close(alone.log_probs, together.log_probs[n : n + 1])


class Fixed:
    """A decoder with a table of probabilities for each beginning, whatever the source."""

    def __init__(self, table, words):
        self.table, self.words = table, words

    def start(self, source_BS, source_lens_B):
        return torch.zeros(len(source_BS), 0, dtype=torch.long)

    def step(self, tokens_B, state):
        seen = torch.cat([state, tokens_B[:, None]], 1)
        rows = [self.table(tuple(row[1:])) for row in seen.tolist()]
        return torch.tensor(rows).log(), seen


def test_a_length_penalty_turns_the_short_into_the_long():
    """`<eos>` at once has 0.3; the longer one 0.7 and 0.35 of that: 0.245, but 0.49 a token."""

    def table(tokens):
        return [0.3, 0.7, 0.0] if not tokens else [0.35, 0.325, 0.325]

    source, lens = torch.ones(1, 1, dtype=torch.long), torch.ones(1, dtype=torch.long)
    ids = dict(begin=2, end=0, max_steps=2, width=2)
    assert beam(Fixed(table, 3), source, lens, **ids).rows(0) == [[]]
    penalised = beam(Fixed(table, 3), source, lens, alpha=1.0, **ids)
    assert penalised.rows(0) == [[1]]
    assert float(penalised.log_probs.exp()) == pytest.approx(0.245)
    assert float(penalised.scores(0, 1.0).exp()) == pytest.approx(0.245**0.5)


class Notes:
    """A decoder that notes a token at every second step, and leaves its note at the others."""

    def __init__(self, words):
        self.table = torch.randn(4, words, words, words)

    def start(self, source_BS, source_lens_B):
        return source_BS[:, 0], torch.zeros_like(source_lens_B), 0

    def step(self, tokens_B, state):
        source_B, note_B, steps = state
        logits_BV = self.table[source_B, note_B, tokens_B]
        return logits_BV, (source_B, tokens_B if steps % 2 else note_B, steps + 1)


@SEARCHES
@given(st.integers(0, 10_000), st.sampled_from([1, 2, 4, 9]), st.integers(3, 7))
def test_what_some_steps_leave_alone_goes_with_its_beginning(seed, width, words):
    torch.manual_seed(seed)
    model, sources, lens = Notes(words), torch.arange(4)[:, None], torch.ones(4, dtype=torch.long)
    found = beam(model, sources, lens, width=width, begin=1, end=0, max_steps=7)
    for n, row in enumerate(found.tokens.tolist()):
        state, told, total = model.start(sources[n : n + 1], lens[:1]), 1, 0.0
        for token in row[: row.index(0) + 1] if 0 in row else row:
            logits, state = model.step(torch.tensor([told]), state)
            told, total = token, total + float(logits.log_softmax(1)[0, token])
        assert float(found.log_probs[n]) == pytest.approx(total, rel=1e-4)


def test_what_a_beam_kept_can_be_followed_back():
    model, numbers, lens = untrained("bahdanau", 3)
    kept: list[Step] = []
    with torch.no_grad():
        found = beam(
            model, numbers, lens, width=3, begin=BOS, end=EOS, max_steps=4, alpha=0.0, kept=kept
        )
    for n, row in enumerate(found.rows(EOS)):
        steps = [*row, EOS][:4]
        place = int(kept[len(steps) - 1].log_probs[n].sub(found.log_probs[n]).abs().argmin())
        followed = []
        for step in reversed(kept[: len(steps)]):
            followed.append(int(step.tokens[n, place]))
            place = int(step.parents[n, place])
        assert followed[::-1] == steps


def test_drawn_tokens_come_as_often_as_they_are_probable():
    def table(tokens):
        return [0.0, 0.5, 0.3, 0.2] if not tokens else [1.0, 0.0, 0.0, 0.0]

    source, lens = torch.ones(4_000, 1, dtype=torch.long), torch.ones(4_000, dtype=torch.long)
    ids = dict(begin=2, end=0, max_steps=3)
    generator = torch.Generator().manual_seed(0)
    drawn = sampled(Fixed(table, 4), source, lens, generator=generator, **ids)
    shares = torch.bincount(drawn.tokens[:, 0], minlength=4) / 4_000
    torch.testing.assert_close(shares, torch.tensor([0, 0.5, 0.3, 0.2]), atol=0.03, rtol=0)
    expected = torch.tensor([0, 0.5, 0.3, 0.2])[drawn.tokens[:, 0]]
    torch.testing.assert_close(drawn.log_probs.exp(), expected)
    best = sampled(Fixed(table, 4), source[:5], lens[:5], temperature=0.0, **ids)
    assert best.rows(0) == greedy(Fixed(table, 4), source[:5], lens[:5], **ids).rows(0)


def test_too_many_beginnings_are_told(monkeypatch):
    monkeypatch.setattr(decode, "MOST", 100)
    model, *sources = untrained("seq2seq", 0)
    with torch.no_grad():
        for parameter in model.decoder.output.parameters():
            parameter.zero_()
        model.decoder.output.bias[EOS] = -20
    with torch.no_grad(), pytest.raises(SettingError, match=r"beginnings of \d tokens; use a beam"):
        exhaustive(model, *sources, begin=BOS, end=EOS, max_steps=8)
