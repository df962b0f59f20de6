"""Texts: the book's figures exactly, the built-in one, and files good and bad."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest
import torch

from fathom.core.errors import DataError, FathomError, SettingError
from fathom.data import pydoc_topics, text_files, time_machine
from fathom.data.sources import found
from fathom.data.texts import beginnings, load_text, pieces

needs_the_book_s_text = pytest.mark.skipif(
    found(time_machine.SOURCE) is None, reason="timemachine.txt is not in $FATHOM_DATA"
)


@needs_the_book_s_text
def test_characters_of_the_time_machine_are_the_book_s():
    text = load_text("time-machine")
    assert (len(text), len(text.vocab)) == (170_580, 28)
    assert text.vocab.tokens[:4] == ["<unk>", " ", "e", "t"]
    assert sum(1 for _ in pieces("time-machine")) == 3_221
    assert text.shown(text.ids[:30]) == "the time machine by h g wellsi"


@needs_the_book_s_text
def test_words_of_the_time_machine_are_the_book_s():
    text = load_text("time-machine", unit="word")
    assert (len(text), len(text.vocab)) == (32_775, 4_580)
    assert text.vocab.tokens[:10] == [
        "<unk>",
        "the",
        "i",
        "and",
        "of",
        "a",
        "to",
        "was",
        "in",
        "that",
    ]
    assert text.vocab.counts[:5] == [0, 2261, 1267, 1245, 1155]


def test_the_built_in_text_is_prose():
    text = "".join(pieces("pydoc"))
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyz ")
    assert len(text) > 100_000
    words = Counter(text.split())
    assert {"the", "a", "of", "to", "is"} <= {word for word, _ in words.most_common(8)}
    paragraphs = list(pydoc_topics.paragraphs())
    assert len(set(paragraphs)) == len(paragraphs)


def test_a_file_is_taken_as_it_is(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_bytes(b"\xef\xbb\xbfH\xc3\xa9, you!\r\nNo.\rYes\n" * 3)
    text = load_text(str(path))
    assert text.shown(text.ids) == "Hé, you!\nNo.\nYes\n\ufeff" * 2 + "Hé, you!\nNo.\nYes\n"
    assert text.clean("Hé!") == "Hé!"


def test_pieces_cut_no_word_and_lose_nothing(tmp_path):
    path = tmp_path / "mine.txt"
    content = "".join(f"wörd{i % 7} \n" * (i % 3) + "機" * i + " " for i in range(60))
    path.write_text(content, encoding="utf-8", newline="")
    for size in (1, 2, 7, 64, 10_000):
        parts = list(text_files.pieces(path, size))
        assert "".join(parts) == content
        assert [word for part in parts for word in part.split()] == content.split()
    assert len(list(text_files.pieces(path, 7))) > 10


@pytest.mark.parametrize("size", [1, 5, 1 << 20])
@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"one\ntwo\r\nthr\xffee\n", r"line 3: is not UTF-8 \(byte 0xff\)"),
        (b"one\rtwo \xc3\n", "line 2: is not UTF-8"),
        (b"one\ntwo\ncut off \xe6\xa9", "line 3: is not UTF-8"),
        ("latin-1: caf\xe9".encode("latin-1"), "line 1: is not UTF-8"),
        ("utf-16".encode("utf-16"), "line 1: is not UTF-8"),
        (b"one\ntwo\n\0three", "line 3: holds a NUL byte"),
        (b"", "holds no text"),
        (b" \n\n\t \n", "holds no text"),
        (b"\xef\xbb\xbf", "holds no text"),
    ],
)
def test_what_is_no_text_is_named_with_its_line(tmp_path, size, content, wrong):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=wrong) as raised:
        list(text_files.pieces(path, size))
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_one_line_of_50_mb_is_read_like_any_other(tmp_path):
    """In a process of its own, which may have 500 MB more than Python and torch do."""
    path = tmp_path / "long.txt"
    path.write_bytes(b"never a line end " * (50_000_000 // 17))
    code = (
        "import resource, sys; from fathom.data.texts import load_text\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"text = load_text({str(path)!r}, unit='word')\n"
        "print(len(text), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    count, kilobytes = map(int, said.stdout.split())
    assert count == 4 * (50_000_000 // 17)
    assert kilobytes < 150_000


def test_one_word_of_5_mb_is_one_word(tmp_path):
    path = tmp_path / "word.txt"
    path.write_bytes(b"x" * 5_000_000)
    text = load_text(str(path), unit="word")
    assert (len(text), len(text.vocab)) == (1, 2)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("time-machin", "did you mean 'time-machine'"),
        ("nothing-like-it-at-all", "a .txt file"),
        ("/no/such/file.txt", "does not exist"),
        ("missing.txt", "does not exist"),
        ("/tmp", "is a folder, not a file"),
    ],
)
def test_a_wrong_name_gets_one_line(name, wrong):
    with pytest.raises(FathomError, match=wrong) as raised:
        list(pieces(name))
    assert isinstance(raised.value, SettingError | DataError)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("text")
    path.chmod(0)
    with pytest.raises(FathomError, match="may not be read"):
        list(pieces(str(path)))


def toy(count):
    from fathom.data.texts import Text
    from fathom.text.vocab import Vocab

    return Text("toy", "char", Vocab(["<unk>", "a"]), torch.arange(count), str)


@pytest.mark.parametrize(
    ("count", "most", "trained", "held"),
    [
        (1_000, 100, (0, 100), (100, 110)),  # what follows
        (105, 100, (0, 95), (95, 105)),  # not enough follows: the last part is held out
        (100, None, (0, 90), (90, 100)),
        (100, 500, (0, 90), (90, 100)),
    ],
)
def test_what_is_held_out_is_not_trained_on(count, most, trained, held):
    parts = toy(count).split(most)
    assert [(int(p[0]), int(p[-1]) + 1) for p in parts] == [trained, held]


def test_too_short_to_hold_anything_out():
    with pytest.raises(DataError, match="toy: has 10 tokens, too few"):
        toy(10).split(None)


def test_some_words_are_whole(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("A rather long beginning of a text")
    text = load_text(str(path))
    assert text.some_words(0) == "A rather long"
    assert text.some_words(4) == "long beginning"
    assert text.some_words(0, 100) == "A rather long beginning of a text"
    assert text.some_words(30) != ""


def test_beginnings_are_words_or_the_lines_of_a_file(tmp_path):
    (tmp_path / "some.txt").write_text("one\n\n two \n")
    assert beginnings("one two") == ["one two"]
    assert beginnings(str(tmp_path / "some.txt")) == ["one", " two "]
