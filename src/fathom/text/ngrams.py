"""Models of a language that only count: n-grams with Laplace's smoothing and with Kneser and Ney's.

Source   Book 8.3 (Laplace, with a share of what the shorter context says). Kneser and Ney 1995,
         interpolated as in Chen and Goodman 1999, section 3: what a word gives up is shared out by
         how many words it follows, not by how often.
Differs  The book's shares are given for three words; here for any number, each context backed by
         the frequency of the word alone, as there.
Shapes   N tokens of a text, V numbers in the vocabulary, `ids` (N,). An n-gram is one int64, its
         tokens' digits to the base V: V**n is less than 2**63.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fathom.core.errors import DataError, SettingError
from fathom.text.vocab import Vocab

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def codes(ids: NDArray[np.integer], n: int, size: int) -> Ints:
    """Every n-gram of a text in its order, as one number each: (N - n + 1,)."""
    if size**n >= 2**63:
        wrong = f"of {size} tokens cannot be numbered in 63 bits"
        raise SettingError(f"{n}-grams", wrong, "take shorter ones, or a larger min_freq")
    wide = np.asarray(ids, dtype=np.int64)
    count = max(len(wide) - n + 1, 0)
    found = np.zeros(count, dtype=np.int64)
    for place in range(n):
        found = found * size + wide[place : place + count]
    return found


@dataclass(frozen=True)
class Counts:
    """How often each key occurs: `keys` sorted, `times` beside them."""

    keys: Ints
    times: Ints

    def of(self, wanted: Ints) -> Ints:
        """The count of each of `wanted`, 0 of what never occurred."""
        if len(self.keys) == 0:
            return np.zeros(wanted.shape, dtype=np.int64)
        place = np.searchsorted(self.keys, wanted).clip(max=len(self.keys) - 1)
        return np.where(self.keys[place] == wanted, self.times[place], 0)


def counted(keys: Ints, weights: Ints | None = None) -> Counts:
    """Each different key with how often it is there, or the sum of its weights."""
    found, where, times = np.unique(keys, return_inverse=True, return_counts=True)
    if weights is not None:
        times = np.bincount(where, weights=weights, minlength=len(found)).astype(np.int64)
    return Counts(found, times)


def most_frequent(
    ids: NDArray[np.integer], n: int, vocab: Vocab, most: int
) -> list[tuple[str, int]]:
    """The most frequent n-grams with their counts; of two as frequent the one that came first."""
    _, first, times = np.unique(codes(ids, n, len(vocab)), return_index=True, return_counts=True)
    order = np.lexsort((first, -times))[:most]
    return [
        (" ".join(vocab.decode(ids[start : start + n].tolist())), int(count))
        for start, count in zip(first[order], times[order], strict=True)
    ]


def frequencies(ids: NDArray[np.integer], n: int, size: int) -> Ints:
    """How often each different n-gram occurs, the most frequent first (Zipf's law)."""
    return np.sort(counted(codes(ids, n, size)).times)[::-1]


class Laplace:
    """P(w | context) = (n(context, w) + s P(w)) / (n(context) + s), P(w) = (n(w) + s/V) / (N + s).

    `strength` is s: how many observations the shorter context is worth.
    """

    def __init__(self, ids: NDArray[np.integer], n: int, size: int, strength: float = 1.0) -> None:
        self.n, self.size, self.strength = n, size, strength
        self.words = np.bincount(ids, minlength=size)
        self.grams = counted(codes(ids, n, size))
        self.contexts = counted(self.grams.keys // size, self.grams.times)

    def probabilities(self, grams: Ints) -> Floats:
        """Of the last token of each n-gram after the others."""
        s = self.strength
        word = (self.words[grams % self.size] + s / self.size) / (self.words.sum() + s)
        if self.n == 1:
            return word
        seen = self.contexts.of(grams // self.size)
        return (self.grams.of(grams) + s * word) / (seen + s)


class KneserNey:
    """P(w | context) = max(n - D, 0) / N + D T / N * P(w | shorter context), interpolated.

    n counts the n-gram, N the context and T the different tokens seen after it. In all but the
    longest contexts n counts the different tokens *before* the shorter n-gram; the shortest shares
    with all tokens alike. D = n1 / (n1 + 2 n2), from the n-grams seen once and twice.
    """

    def __init__(self, ids: NDArray[np.integer], n: int, size: int) -> None:
        self.n, self.size = n, size
        longest = counted(codes(ids, n, size))
        self.levels = [_Level.of(longest, size)]
        for shorter in range(n - 1, 0, -1):
            longer = counted(codes(ids, shorter + 1, size))
            self.levels.append(_Level.of(counted(longer.keys % size**shorter), size))

    def probabilities(self, grams: Ints) -> Floats:
        """Of the last token of each n-gram after the others."""
        found = np.full(len(grams), 1 / self.size)
        for shorter, level in enumerate(reversed(self.levels), 1):
            found = level.probabilities(grams % self.size**shorter, found, self.size)
        return found


@dataclass(frozen=True)
class _Level:
    """One length of context: counts of n-grams, of contexts, of different tokens after them."""

    grams: Counts
    contexts: Counts
    followers: Counts
    discount: float

    @classmethod
    def of(cls, grams: Counts, size: int) -> _Level:
        context = grams.keys // size
        once, twice = (int((grams.times == times).sum()) for times in (1, 2))
        discount = once / (once + 2 * twice) if once else 0.5
        return cls(grams, counted(context, grams.times), counted(context), discount)

    def probabilities(self, grams: Ints, shorter: Floats, size: int) -> Floats:
        total = self.contexts.of(grams // size)
        given_up = self.discount * self.followers.of(grams // size)
        kept = np.maximum(self.grams.of(grams) - self.discount, 0)
        seen = np.maximum(total, 1)
        return np.where(total > 0, (kept + given_up * shorter) / seen, shorter)


def perplexity(model: Laplace | KneserNey, ids: NDArray[np.integer]) -> float:
    """exp of the mean of -log P over every token of `ids` that has a whole context before it.

    Raises DataError where there is none.
    """
    grams = codes(ids, model.n, model.size)
    if len(grams) == 0:
        wrong = f"{len(ids)} tokens hold no {model.n} in a row"
        raise DataError("text to measure on", wrong, "give a longer text")
    return float(np.exp(-np.log(model.probabilities(grams)).mean()))
