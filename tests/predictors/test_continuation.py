"""A trained language model at work: greedy, drawn, and prefixes that it cannot go on from."""

from __future__ import annotations

import io

import pytest
import torch

from fathom.core.errors import DataError
from fathom.data.texts import beginnings
from fathom.models.language import language_model
from fathom.predictors.continuation import Continuation
from fathom.text.vocab import Vocab

VOCAB = Vocab(["<unk>", *"abc d"], [0, 1, 1, 1, 1, 1])


def writer(unit="char", vocab=VOCAB):
    return Continuation(vocab, unit, str.lower, beginnings, "abc d")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    return language_model(6, 16, cell="lstm").eval()


def greedy_the_slow_way(model, ids, length):
    """The whole text read anew for each token."""
    ids = list(ids)
    for _ in range(length):
        ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    return ids


def test_the_likeliest_is_what_reading_all_anew_gives(model):
    found = writer().continued(model, "ABCA", length=12)
    expected = greedy_the_slow_way(model, VOCAB.encode("abca"), 12)
    assert found == "".join(VOCAB.decode(expected))[4:]
    assert writer().continued(model, "ABCA", length=12, temperature=3.0, top_k=1) == found


def test_drawn_at_a_temperature_it_varies_with_the_generator(model):
    texts = [
        writer().continued(
            model, "a", length=30, temperature=1.0, generator=torch.Generator().manual_seed(seed)
        )
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_several_prefixes_and_files_of_them(model, tmp_path):
    (tmp_path / "prefixes.txt").write_text("ab\n\ncd\n")
    rows = writer().write(model, ["a", str(tmp_path / "prefixes.txt")], length=5)
    assert [row["input"] for row in rows] == ["a", "ab", "cd"]
    assert all(len(row["continuation"]) == 5 for row in rows)
    writer().draw(rows).savefig(io.BytesIO())


@pytest.mark.parametrize(
    ("prefix", "wrong"),
    [
        ("", "is empty; write something like 'abc d'"),
        ("  é b机é", "never saw the characters 'é', '机'; leave it out"),
        ("ab!", "never saw the character '!'"),
    ],
)
def test_what_it_cannot_go_on_from_is_told(model, prefix, wrong):
    with pytest.raises(DataError, match=wrong):
        writer().write(model, ["a", prefix])


def test_an_unknown_word_is_unk_only_where_unk_was_trained_on():
    known = ["<unk>", "the", "cat"]
    assert writer("word", Vocab(known, [3, 5, 4])).encode("the dog") == [1, 0]
    with pytest.raises(DataError, match="never saw the word 'dog'"):
        writer("word", Vocab(known, [0, 5, 4])).encode("the dog")


def test_words_are_joined_with_spaces(model):
    vocab = Vocab(["<unk>", "the", "cat", "sat", ",", "."], [0, 1, 1, 1, 1, 1])
    text = "the cat" + writer("word", vocab).continued(model, "The cat", length=6)
    ids = greedy_the_slow_way(model, [1, 2], 6)
    assert text.replace(",", " ,").replace(".", " .").split() == vocab.decode(ids)
