"""Pairs: the book's figures, truncation that keeps the end, parts that share no sentence."""

from __future__ import annotations

import os
import random
from datetime import date

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fathom.core.errors import DataError, SettingError
from fathom.data import written_dates
from fathom.data.pair_batches import NOTHING, PairBatches
from fathom.data.pairs import (
    BOS,
    EOS,
    PAD,
    Pairs,
    book_tokens,
    load_pairs,
    padded,
    pair_set,
    parted,
    vocabulary,
)

needs_data = pytest.mark.skipif("FATHOM_DATA" not in os.environ, reason="needs fra-eng")


def toy(count=50, seed=0):
    chance = random.Random(seed)
    words = [[chance.choice("abcdef") for _ in range(chance.randint(1, 9))] for _ in range(count)]
    return Pairs("toy", words, [[*reversed(w), "x"] for w in words])


@needs_data
def test_the_book_s_figures():
    pairs = load_pairs("fra-eng")
    assert len(pairs) == 167_130
    source = vocabulary(pairs.sources, 2)
    assert len(source) == 10_012
    numbers, lens = padded(pairs.sources[:1], source, 10)
    assert (numbers.tolist(), lens.tolist()) == ([[47, 4, EOS]], [3])
    assert source.tokens[:4] == ["<unk>", "<pad>", "<bos>", "<eos>"]
    assert [pairs.sources[0], pairs.targets[0]] == [["go", "."], ["va", "!"]]


@needs_data
def test_as_many_pairs_as_asked_and_not_one_more():
    pairs = pair_set("fra-eng", examples=600, held_out=0.1, num_steps=10)
    assert len(pairs.train) == 600
    assert pairs.train.sources == load_pairs("fra-eng", most=600).sources
    assert len(pairs.valid) == 60


def by_the_book(text):
    """Character by character, as book 9.5.1 describes it."""
    text = text.replace("\u202f", " ").replace("\xa0", " ").lower()
    spaced = [
        f" {c}" if i > 0 and c in ",.!?" and text[i - 1] != " " else c for i, c in enumerate(text)
    ]
    return "".join(spaced).split()


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abÉ ,.!?'\u202f\xa0-0", max_size=20))
def test_tokens_are_the_book_s(text):
    assert book_tokens(text) == by_the_book(text)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abc"), max_size=12), min_size=1), st.integers(2, 8))
def test_truncation_keeps_the_end(sentences, num_steps):
    vocab = vocabulary(sentences, 1)
    numbers, lens = padded(sentences, vocab, num_steps)
    assert numbers.shape[1] == lens.max() <= num_steps
    for row, length, sentence in zip(numbers.tolist(), lens.tolist(), sentences, strict=True):
        assert row[length - 1] == EOS
        assert row[length:] == [PAD] * (len(row) - length)
        assert vocab.decode(row[: length - 1]) == sentence[: num_steps - 1]


@pytest.mark.parametrize("examples", [None, 20])
def test_no_source_sentence_is_in_both_parts(examples):
    twice = toy(40)
    pairs = Pairs("twice", [*twice.sources] * 2, [*twice.targets, *twice.sources])
    train, valid = parted(pairs, examples, 0.25, seed=3)
    assert valid is not None
    assert not {*map(tuple, train.sources)} & {*map(tuple, valid.sources)}
    if examples is None:
        assert len(train) + len(valid) == len(pairs)
        assert parted(pairs, None, 0.25, seed=3)[1] == valid
        assert parted(pairs, None, 0.25, seed=4)[1] != valid
    else:
        assert (len(train), len(valid)) == (20, 5)
    assert parted(pairs, examples, 0, seed=0)[1] is None


@pytest.mark.parametrize("bucketed", [False, True])
def test_an_epoch_sees_every_pair_once_in_the_order_of_seed_and_epoch(bucketed):
    pairs = pair_set("dates", examples=300, held_out=0, num_steps=14, min_freq=1)
    numbered = pairs.numbered(pairs.train)
    batches = PairBatches(numbered, batch_size=32, bucketed=bucketed)
    assert len(batches) == 10
    seen, orders = [], []
    for epoch in (0, 1, 0):
        rows = []
        for (source, lens, given_), asked in batches.epoch(5, epoch):
            assert source.shape[1] == lens.max()
            assert given_.shape == asked.shape
            assert (given_[:, 0] == BOS).all()
            told = asked.where(asked != NOTHING, torch.tensor(PAD))
            assert torch.equal(given_[:, 1:], told[:, :-1])
            assert ((asked == EOS).sum(1) == 1).all()
            rows += [
                (tuple(s[:n].tolist()), tuple(a[a != NOTHING].tolist()))
                for s, n, a in zip(source, lens, asked, strict=True)
            ]
        orders.append(rows)
        seen.append(sorted(rows))
    whole = sorted(
        (tuple(s[:n].tolist()), tuple(t[:m].tolist()))
        for s, n, t, m in zip(
            numbered.source,
            numbered.source_lens,
            numbered.target,
            numbered.target_lens,
            strict=True,
        )
    )
    assert seen == [whole] * 3
    assert orders[0] == orders[2] != orders[1]


def test_from_any_batch_on_it_is_the_same():
    pairs = pair_set("dates", examples=100, held_out=0, num_steps=14, min_freq=1)
    batches = PairBatches(pairs.numbered(pairs.train), batch_size=16, bucketed=True)
    whole = list(batches.epoch(1, 2))
    for one, other in zip(whole[3:], batches.epoch(1, 2, 3), strict=True):
        assert torch.equal(one[1], other[1])
    assert len(list(batches.limit(2).epoch(1, 2))) == len(batches.limit(2)) == 2


def test_buckets_spare_padding():
    pairs = pair_set("dates", examples=1000, held_out=0, num_steps=14, min_freq=1)
    numbered = pairs.numbered(pairs.train)

    def padding(bucketed):
        batches = PairBatches(numbered, batch_size=50, bucketed=bucketed)
        return sum(int((source == PAD).sum()) for (source, _, _), _ in batches.epoch(0, 0))

    assert padding(True) < padding(False) / 4


def test_other_data_have_another_fingerprint():
    one, other = (
        PairBatches(pairs.numbered(pairs.train), batch_size=8).fingerprint()
        for pairs in (
            pair_set("dates", examples=50, held_out=0, num_steps=14, seed=seed) for seed in (0, 1)
        )
    )
    assert one != other


def test_dates_mean_what_they_say():
    """Against Python's own reading of the forms that it can read."""
    from datetime import datetime

    forms = ["%d %B %Y", "%d %b %Y", "%B %d, %Y", "%m/%d/%Y", "%d.%m.%Y", "%A, %d %B %Y"]
    read = 0
    for written, meant in written_dates.pairs(3_000):
        assert written_dates.text(written_dates.tokens(written)) == written
        for form in forms:
            try:
                found = datetime.strptime(written, form).date()
            except ValueError:
                continue
            assert found == date.fromisoformat(meant), written
            read += 1
    assert read > 1_000


def test_numbers_mean_what_they_say():
    words = {
        "nineteen ninety-nine": 1999,
        "nineteen oh five": 1905,
        "nineteen hundred": 1900,
        "two thousand": 2000,
        "two thousand and five": 2005,
        "twenty ten": 2010,
    }
    for said, year in words.items():
        assert written_dates._spoken_year(year) == said
    assert written_dates._spoken(9_012) == "nine thousand and twelve"
    assert written_dates._spoken(340) == "three hundred and forty"
    assert written_dates._spoken(0) == "zero"
    ordinals = {1: "first", 12: "twelfth", 20: "twentieth", 22: "twenty-second", 31: "thirty-first"}
    assert {n: written_dates._ordinal(n) for n in ordinals} == ordinals
    assert [written_dates._suffix(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 30)] == (
        ["st", "nd", "rd", "th", "th", "th", "th", "st", "nd", "rd", "th"]
    )


def test_nothing_is_written_twice():
    pairs = written_dates.pairs(2_000, seed=7)
    assert len({written for written, _ in pairs}) == 2_000
    assert pairs == written_dates.pairs(2_000, seed=7) != written_dates.pairs(2_000, seed=8)


@pytest.mark.parametrize(
    ("content", "place", "wrong"),
    [
        (b"a\tb\njust one\n", "line 2", "has one column"),
        (b"a\tb\n\nc\t \n", "line 3", "its translation is empty"),
        (b"a\tb\n\tc\n", "line 2", "its sentence is empty"),
        (b"a\tb\nc\td\xff\n", "line 2", "UTF-8"),
        (b"a\tb\nc\td\0\n", "line 2", "NUL"),
        (b"", "mine.tsv", "no text"),
        (b"\n \n", "mine.tsv", "no text"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path, content, place, wrong):
    (tmp_path / "mine.tsv").write_bytes(content)
    with pytest.raises(DataError) as error:
        load_pairs(str(tmp_path / "mine.tsv"))
    assert place in str(error.value)
    assert wrong in str(error.value)


def test_further_columns_and_windows_line_ends(tmp_path):
    """As manythings.org writes them today: a third column says whose the sentences are."""
    (tmp_path / "mine.tsv").write_bytes("Go.\tVa !\tCC-BY\r\nHi.\tSalut\u202f!\tCC-BY\r\n".encode())
    pairs = load_pairs(str(tmp_path / "mine.tsv"))
    assert [*pairs.sources] == [["go", "."], ["hi", "."]]
    assert [*pairs.targets] == [["va", "!"], ["salut", "!"]]


def test_names_and_settings_that_make_no_pairs():
    with pytest.raises(SettingError, match="did you mean 'fra-eng'"):
        load_pairs("fra-end")
    with pytest.raises(SettingError, match="a token and <eos> are two"):
        pair_set("dates", examples=10, held_out=0, num_steps=1)
    with pytest.raises(SettingError, match="leaves none of"):
        parted(toy(3), None, 1.0, seed=0)
