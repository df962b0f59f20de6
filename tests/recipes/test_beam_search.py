"""Beam search as a study: the book's four words, and a trained model that is searched."""

from __future__ import annotations

import itertools
import math

import pytest

from calling import UNMEASURED, done
from fathom.recipes import beam_search
from fathom.recipes.beam_search import BOOK_WORDS, _book, _chances, _probability
from fathom.text.decode import beam, exhaustive, greedy


def test_chances_add_up_to_one():
    for length in range(4):
        for tokens in itertools.product(range(3), repeat=length):
            assert sum(_chances(tokens)) == pytest.approx(1)


def test_the_book_s_probabilities():
    assert _probability("A B C <eos>") == pytest.approx(0.5 * 0.4 * 0.4 * 0.6)
    assert _probability("A C B <eos>") == pytest.approx(0.5 * 0.3 * 0.6 * 0.6)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.75, 1.0])
def test_the_best_of_the_book_s_is_the_best_of_all(alpha):
    scores = {}
    for words in itertools.product(BOOK_WORDS, repeat=4):
        cut = words[: words.index("<eos>") + 1] if "<eos>" in words else words
        if p := _probability(" ".join(cut)):
            scores[cut] = math.log(p) / len(cut) ** alpha
    best = max(scores.values())
    assert float(_book(exhaustive, alpha=alpha).scores(3, alpha)) == pytest.approx(best, rel=1e-5)


def test_greedy_and_a_beam_part_at_the_second_word():
    assert [_book(greedy).rows(3), _book(beam, width=2).rows(3)] == [[[0, 1, 2]], [[0, 2, 1]]]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searched") / "run"
    words = ["--examples", 800, "--held-out", 0.1, "--epochs", 12, "--seed", 1]
    return done("try", "beam-search", *words, "--out", folder, "--json", *UNMEASURED).json, folder


def test_wider_beams_find_more_probable_translations(searched):
    found = searched[0]["findings"]
    rows = {row[0]: row[1:] for row in found["tables"]["Searches"]["rows"]}
    means = [rows[name][2] for name in ("greedy", "beam of 2", "beam of 4", "among all")]
    assert means == sorted(means)
    assert means[0] < means[-1], "a model trained so little is one on which greedy loses"
    assert rows["among all"][1] == 100
    assert all(found["claims"].values())


def test_where_greedy_loses_both_translations_and_their_tree_are_shown(searched):
    facts, folder = searched
    rows = facts["findings"]["tables"]["Where greedy loses most"]["rows"]
    assert rows
    lost = [best - plain for _, _, plain, _, best in rows]
    assert lost == sorted(lost, reverse=True)
    assert min(lost) > beam_search.SAME
    assert all(plain != best for _, plain, _, best, _ in rows)
    for name in ("book", "tree"):
        assert (folder / "figures" / f"{name}.png").stat().st_size > 5_000
