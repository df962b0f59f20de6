"""Counting models: the book's n-grams, and probabilities against their definitions on dicts."""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict

import numpy as np
import pytest

from fathom.core.errors import SettingError
from fathom.data import time_machine
from fathom.data.sources import found
from fathom.data.texts import load_text
from fathom.text import ngrams
from fathom.text.vocab import index

SIZE = 5
IDS = np.array(random.Random(0).choices(range(SIZE), [9, 5, 3, 1, 1], k=300), dtype=np.int32)


def grams_of(ids, n):
    return list(zip(*(ids[i:] for i in range(n)), strict=False))


def every_gram(n):
    return ngrams.codes(np.arange(SIZE), 1, SIZE) if n == 1 else np.arange(SIZE**n)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_counts_are_the_counter_s(n):
    vocab, ids = index([list("the cat sat on the mat and the cat ran")])
    expected = Counter(grams_of(ids.tolist(), n))
    assert dict(ngrams.most_frequent(ids, n, vocab, 10_000)) == {
        " ".join(vocab.decode(gram)): count for gram, count in expected.items()
    }
    names = [name for name, _ in ngrams.most_frequent(ids, n, vocab, 6)]
    assert names == [" ".join(vocab.decode(gram)) for gram, _ in expected.most_common(6)]
    frequencies = ngrams.frequencies(ids, n, len(vocab)).tolist()
    assert frequencies == sorted(expected.values(), reverse=True)


@pytest.mark.skipif(found(time_machine.SOURCE) is None, reason="no timemachine.txt")
def test_the_book_s_bigrams_and_trigrams():
    text = load_text("time-machine", unit="word")
    pairs = ngrams.most_frequent(text.ids.numpy(), 2, text.vocab, 3)
    assert pairs == [("of the", 309), ("in the", 169), ("i had", 130)]
    triples = ngrams.most_frequent(text.ids.numpy(), 3, text.vocab, 2)
    assert triples == [("the time traveller", 59), ("the time machine", 30)]


def laplace_by_hand(ids, gram, s):
    word = (list(ids).count(gram[-1]) + s / SIZE) / (len(ids) + s)
    if len(gram) == 1:
        return word
    counts = Counter(grams_of(ids.tolist(), len(gram)))
    context = sum(c for g, c in counts.items() if g[:-1] == gram[:-1])
    return (counts[gram] + s * word) / (context + s)


def kneser_ney_by_hand(ids, n):
    """Recursive, on dictionaries, as Chen and Goodman write it."""
    tables = {n: Counter(grams_of(ids.tolist(), n))}
    for k in range(1, n):
        tables[k] = Counter(gram[1:] for gram in set(grams_of(ids.tolist(), k + 1)))
    discounts = {}
    for k, table in tables.items():
        ones, twos = (sum(c == times for c in table.values()) for times in (1, 2))
        discounts[k] = ones / (ones + 2 * twos) if ones else 0.5

    def probability(gram):
        k = len(gram)
        if k == 0:
            return 1 / SIZE
        after = {g: c for g, c in tables[k].items() if g[:-1] == gram[:-1]}
        if not after:
            return probability(gram[1:])
        total = sum(after.values())
        kept = max(after.get(gram, 0) - discounts[k], 0) / total
        shorter = 1 / SIZE if k == 1 else probability(gram[1:])
        return kept + discounts[k] * len(after) / total * shorter

    return probability


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("strength", [0.5, 3.0])
def test_laplace_is_its_definition(n, strength):
    model = ngrams.Laplace(IDS, n, SIZE, strength)
    every = list(itertools.product(range(SIZE), repeat=n))
    expected = [laplace_by_hand(IDS, gram, strength) for gram in every]
    assert model.probabilities(every_gram(n)).tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_kneser_ney_is_its_definition(n):
    probability = kneser_ney_by_hand(IDS[:80], n)
    expected = [probability(gram) for gram in itertools.product(range(SIZE), repeat=n)]
    found = ngrams.KneserNey(IDS[:80], n, SIZE).probabilities(every_gram(n))
    assert found.tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("build", [ngrams.Laplace, ngrams.KneserNey])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_probabilities_add_up_to_1(build, n):
    found = build(IDS[:40], n, SIZE).probabilities(every_gram(n)).reshape(-1, SIZE)
    assert found.sum(1).tolist() == pytest.approx([1.0] * len(found))


def test_kneser_and_ney_s_own_example():
    """A word that is frequent but follows one word only ("Francisco") is unlikely elsewhere."""
    words = ["san", "francisco"] * 20 + [w for i in range(20) for w in (f"w{i}", "glasses")]
    vocab, ids = index([words])
    gram = ngrams.codes(np.array([vocab["francisco"], vocab["glasses"]]), 1, len(vocab))
    francisco, glasses = ngrams.KneserNey(ids, 2, len(vocab)).levels[1].grams.of(gram)
    assert (francisco, glasses) == (1, 20)


def test_perplexity_is_that_of_the_probabilities():
    model = ngrams.KneserNey(IDS, 2, SIZE)
    table = defaultdict(float)
    for gram, p in zip(
        itertools.product(range(SIZE), repeat=2), model.probabilities(every_gram(2)), strict=True
    ):
        table[gram] = p
    held = IDS[:50].tolist()
    product = np.prod([table[gram] for gram in grams_of(held, 2)])
    assert ngrams.perplexity(model, IDS[:50]) == pytest.approx(product ** (-1 / 49), rel=1e-9)


def test_a_coin_s_perplexity_is_2():
    coin = np.array([0, 1] * 500)
    assert ngrams.perplexity(ngrams.Laplace(coin, 1, 2), coin) == pytest.approx(2)


def test_too_many_to_number_is_told():
    with pytest.raises(SettingError, match="7-grams: of 10000 tokens"):
        ngrams.codes(np.arange(10), 7, 10_000)
