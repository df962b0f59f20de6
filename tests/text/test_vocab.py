"""The vocabulary: the book's figures, one pass over pieces, saved and loaded, bad files named."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from fathom.core.errors import DataError, SettingError
from fathom.text.vocab import UNKNOWN, Vocab, index

TOKENS = ["the", "cat", "sat", "on", "the", "mat", "the", "end", "a", "cat"]


def the_slow_way(tokens, min_freq=1, reserved=()):
    """Count, sort by frequency (stable), number: as the book describes it."""
    counts = Counter(tokens)
    names = [UNKNOWN, *reserved]
    for token, count in sorted(counts.items(), key=lambda pair: pair[1], reverse=True):
        if count >= min_freq and token not in names:
            names.append(token)
    return names


def test_tokens_are_numbered_by_frequency_then_by_who_came_first():
    vocab, ids = index([TOKENS])
    assert vocab.tokens == [UNKNOWN, "the", "cat", "sat", "on", "mat", "end", "a"]
    assert vocab.counts == [0, 3, 2, 1, 1, 1, 1, 1]
    assert vocab.decode(ids.tolist()) == TOKENS


@pytest.mark.parametrize("min_freq", [1, 2, 5])
@pytest.mark.parametrize("reserved", [(), ("<pad>", "<bos>", "c")])
def test_it_is_the_book_s_whatever_the_pieces(min_freq, reserved):
    tokens = random.Random(0).choices("abcdefghij", range(1, 11), k=60)
    expected = the_slow_way(tokens, min_freq, reserved)
    for cut in (1, 7, 60):
        pieces = [tokens[i : i + cut] for i in range(0, len(tokens), cut)]
        vocab, ids = index(pieces, min_freq=min_freq, reserved=reserved)
        assert vocab.tokens == expected
        assert ids.tolist() == [
            expected.index(token) if token in expected else 0 for token in tokens
        ]
        assert sum(vocab.counts) == len(tokens)


def test_a_text_is_its_characters():
    vocab, ids = index(["no", "on"])
    assert (vocab.tokens, ids.tolist()) == ([UNKNOWN, "n", "o"], [1, 2, 2, 1])


def test_nothing_is_an_empty_vocabulary():
    vocab, ids = index([])
    assert (len(vocab), len(ids)) == (1, 0)


def test_unknown_tokens_have_number_0_and_are_named():
    vocab, _ = index([TOKENS])
    assert vocab["dog"] == 0
    assert "dog" not in vocab
    assert len(vocab) == 8, "asking adds nothing"
    assert vocab.encode(["the", "dog", "cat"]) == [1, 0, 2]
    assert vocab.unknown(["dog", "the", "emu", "dog"]) == ["dog", "emu"]


def test_unk_in_the_text_itself_is_unk():
    vocab, ids = index([["a", UNKNOWN, "a", "b"]], min_freq=2)
    assert vocab.tokens == [UNKNOWN, "a"]
    assert vocab.counts == [2, 2]
    assert ids.tolist() == [1, 0, 1, 0]


def test_min_freq_0_is_refused():
    with pytest.raises(SettingError, match="min_freq: is 0"):
        index([["a"]], min_freq=0)


def test_saved_and_loaded_it_is_the_same(tmp_path):
    odd = ["\n", "\t", "\\", "\\n", "\r", " ", "\u2028", "\x85", "é", "机", "🦉", "a\\", "''"]
    vocab, _ = index([odd * 2, ["a", "a", "a"]], reserved=["<pad>"])
    vocab.save(tmp_path / "vocab.txt")
    found = Vocab.load(tmp_path / "vocab.txt")
    assert found == vocab
    assert found.counts == vocab.counts


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("<unk>\t0\nthe\n", "line 2: is not a token, a tab and a count"),
        ("<unk>\t0\nthe\tmany\n", "line 2: is not a token, a tab and a count"),
        ("the\t3\n", "line 1: does not begin with <unk>"),
        ("<unk>\t0\nthe\t3\nthe\t2\n", "line 3: has 'the' for the second time"),
        ("", "line 1: is not a token, a tab and a count"),
        (b"<unk>\t0\n\xff\t2\n", "is not text in UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_vocabulary_is_named_with_the_line(tmp_path, text, wrong):
    path = tmp_path / "vocab.txt"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=wrong) as raised:
        Vocab.load(path)
    assert str(path) in str(raised.value)
