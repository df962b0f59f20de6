"""Studies of text: the book's figures on its text, and on a file of one's own."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

import pytest

from calling import call
from fathom.core.catalogue import load
from fathom.data import time_machine
from fathom.data.sources import found

needs_the_book_s_text = pytest.mark.skipif(
    found(time_machine.SOURCE) is None, reason="timemachine.txt is not in $FATHOM_DATA"
)
WORDS = [*"the cat sat on the mat . the dog sat on the cat ! a cat ran .".split()]  # noqa: SIM905


def study(name, **settings):
    recipe = load(name)
    findings = recipe.function(**recipe.settings(settings))
    assert all(findings.claims.values()), findings.claims
    return findings


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text(" ".join(WORDS * 20))
    return str(path)


@needs_the_book_s_text
@pytest.mark.parametrize("name", ["text", "language-data"])
def test_the_book_s_figures(name):
    assert len(study(name).claims) >= 8


def test_numbers_of_a_small_text_are_the_counter_s(mine):
    found = study("text", data=mine)
    counts = Counter(WORDS * 20)
    assert found.numbers["words"].value == len(WORDS) * 20
    assert found.numbers["different words"].value == len(counts)
    rows = found.tables["The most frequent"].rows
    assert [(row[1], row[2]) for row in rows] == counts.most_common(6)


def test_grams_of_a_small_text_are_the_counter_s(mine):
    found = study("language-data", data=mine)
    words = WORDS * 20
    pairs = Counter(pairwise(words)).most_common(5)
    rows = found.tables["The most frequent"].rows
    assert [(row[2], row[3]) for row in rows] == [(" ".join(p), n) for p, n in pairs]
    unigram = found.tables["Held-out perplexity"].rows[0][1]
    assert 1 < unigram < len(set(words)) + 1


def test_a_text_that_repeats_itself_is_no_surprise_to_those_who_count(mine):
    scores = study("language-data", data=mine, longest=4).tables["Held-out perplexity"].rows
    assert scores[3][2] < 1.5 < scores[0][2]


@pytest.mark.parametrize("name", ["text", "language-data"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no text"),
        (b"fine\nnot \xff fine", "line 2: is not UTF-8"),
        (b"fine\n\0", "line 2: holds a NUL byte"),
    ],
)
def test_what_is_no_text_gets_one_line(name, content, words, tmp_path):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    said = call("run", name, "--data", path, "--out", tmp_path / "run")
    assert said.status == 3
    assert words in said.error


@pytest.mark.parametrize("count", [1, 20, 30])
def test_some_words_are_told_to_be_too_few(count, tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("word " * count)
    assert call("run", "text", "--data", path, "--out", tmp_path / "a").status == 0
    said = call("run", "language-data", "--longest", 4, "--data", path, "--out", tmp_path / "b")
    assert said.status == 3
    assert "give a longer text" in said.error


@pytest.mark.parametrize("name", ["text", "language-data"])
def test_findings_come_back_from_json_as_they_were(name, mine):
    found = study(name, data=mine)
    back = json.loads(json.dumps(found.as_json()))
    assert back["claims"] == dict.fromkeys(found.claims, True)
    assert {key: n["value"] for key, n in back["numbers"].items()} == {
        key: getattr(n, "value", n) for key, n in found.numbers.items()
    }
    assert {key: table["rows"] for key, table in back["tables"].items()} == {
        key: [list(row) for row in table.rows] for key, table in found.tables.items()
    }
