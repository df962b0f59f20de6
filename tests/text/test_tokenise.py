"""Tokens: the book's cleaning against its definition, words and marks, and back to text."""

from __future__ import annotations

import random
import re

import pytest

from fathom.text.tokenise import joined, letters, tokens, words


def as_the_book_defines_it(text):
    """A run of anything but letters is one space; no space at the ends; lower case."""
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [re.sub("[^A-Za-z]+", " ", line).strip().lower() for line in lines]


@pytest.mark.parametrize(
    "text",
    [
        "The Time-Machine, by H. G. Wells\n\n  [1898]\n",
        "no newline at the end",
        "ends in nothing\n\n",
        "\n",
        "Naïve café — 机器 \u2028 K\u212a \t tab\x0bform\x0c\n1.5e3\n",
        "".join(random.Random(1).choices("aZ \n\t.é机0", k=2_000)),
    ],
)
def test_letters_are_the_book_s(text):
    assert letters(text) == as_the_book_defines_it(text)


def test_letters_of_nothing_are_no_lines():
    assert letters("") == []


def test_marks_are_tokens_of_their_own():
    assert words("It's 9.30, isn't it?\n") == [
        "It", "'", "s", "9", ".", "30", ",", "isn", "'", "t", "it", "?",
    ]  # fmt: skip


def test_words_of_cleaned_text_are_what_stands_between_spaces():
    line = "the time traveller for so it will be convenient to speak of him"
    assert words(line) == line.split()


def test_characters_are_the_text_itself():
    assert list(tokens("né 机", "char")) == ["n", "é", " ", "机"]


def test_joined_reads_as_it_was_written():
    assert joined("abc d", "char") == "abc d"
    text = "Well, (so he said) it moved: slowly."
    assert joined(words(text), "word") == text
