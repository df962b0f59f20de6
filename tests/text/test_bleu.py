"""BLEU against sacrebleu, against the book's examples, and where it is defined by hand."""

from __future__ import annotations

import math
import random

import pytest

from fathom.text.bleu import book_bleu, corpus_bleu, ngrams, sentence_bleu, tokens_13a

WORDS = [
    "a",
    "b",
    "the",
    "cat",
    "don't",
    "3.5",
    "x-ray",
    "1990-2000",
    "&amp;",
    "(sic)",
    "U.S.",
    "é",
]
MARKS = ["", "", ",", ".", "!", "?", ";", '"']


def sentence(rng: random.Random, longest: int = 14) -> str:
    count = rng.randint(0, longest)
    return " ".join(rng.choice(WORDS) + rng.choice(MARKS) for _ in range(count))


def corpus(seed: int, references: int) -> tuple[list[str], list[list[str]]]:
    rng = random.Random(seed)
    predictions = [sentence(rng) for _ in range(6)]
    right = [[sentence(rng) for _ in range(references)] for _ in predictions]
    for i in range(0, 6, 2):  # some that are nearly right, so that long n-grams occur
        right[i][0] = predictions[i] + " the cat."
    return predictions, right


@pytest.mark.parametrize("references", [1, 2, 3])
@pytest.mark.parametrize("lowercase", [False, True])
def test_a_corpus_scores_as_in_sacrebleu(references, lowercase):
    metrics = pytest.importorskip("sacrebleu").metrics
    oracle = metrics.BLEU(lowercase=lowercase)
    for seed in range(40):
        predictions, right = corpus(seed, references)
        theirs = oracle.corpus_score(
            predictions, [list(stream) for stream in zip(*right, strict=False)]
        )
        ours = corpus_bleu(predictions, right, lowercase=lowercase)
        assert ours.score == pytest.approx(theirs.score, rel=1e-12, abs=1e-12)
        assert ours.precisions == pytest.approx(tuple(theirs.precisions), rel=1e-12)
        assert ours.brevity_penalty == pytest.approx(theirs.bp, rel=1e-12)
        assert (ours.prediction_length, ours.reference_length) == (theirs.sys_len, theirs.ref_len)


def test_a_sentence_scores_as_in_sacrebleu():
    sacrebleu = pytest.importorskip("sacrebleu")
    for seed in range(40):
        for text, right in zip(*corpus(seed, 2), strict=True):
            theirs = sacrebleu.sentence_bleu(text, right)
            assert sentence_bleu(text, right).score == pytest.approx(theirs.score, abs=1e-10)


def test_13a_splits_as_sacrebleu_does():
    tokenizer = pytest.importorskip("sacrebleu.tokenizers.tokenizer_13a").Tokenizer13a()
    rng = random.Random(0)
    letters = "ab1 2.,'-&;()[]{}<>\"$é/\n:!?@`~^_|\\"
    for _ in range(300):
        text = "".join(rng.choice(letters) for _ in range(rng.randint(0, 30)))
        assert tokens_13a(text) == tokenizer(text.rstrip()).split()


def test_without_sacrebleu_the_papers_example():
    """Papineni et al. 2002, section 2: modified unigram precision 2/7; bigrams 0."""
    found = corpus_bleu(
        ["the the the the the the the"],
        [["The cat is on the mat.", "There is a cat on the mat."]],
        lowercase=True,
    )
    assert found.precisions[0] == pytest.approx(200 / 7)
    assert found.precisions[1] == pytest.approx(100 / (2 * 6))  # smoothed
    assert found.precisions[2] == pytest.approx(100 / (4 * 5))


def test_the_precisions_of_the_book_s_example():
    """Of A B B C D, with A B C D E F for reference, they are 4/5, 3/4, 1/3 and 0."""
    prediction, reference = ["A", "B", "B", "C", "D"], ["A", "B", "C", "D", "E", "F"]
    score = math.exp(1 - 6 / 5)
    for n, precision in enumerate([4 / 5, 3 / 4, 1 / 3, 0], 1):
        score *= precision ** (1 / 2**n)
        assert book_bleu(prediction, reference, k=n) == pytest.approx(score)
    assert book_bleu(["va", "!"], ["va", "!"], k=2) == 1


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        ("", "va !", 0.0),
        ("va", "va !", math.exp(-1)),  # too short for a bigram: unigrams alone
        ("x", "va !", 0.0),
        ("va ! !", "va !", (2 / 3) ** 0.5 * (1 / 2) ** 0.25),  # a token counts once
        ("va", "", 0.0),
        ("", "", 0.0),
    ],
)
def test_the_book_s_score_of_the_short_and_the_empty(prediction, reference, expected):
    assert book_bleu(prediction.split(), reference.split(), k=2) == pytest.approx(expected)


def test_nothing_translated_scores_nothing():
    assert corpus_bleu([], []).score == 0
    assert corpus_bleu([""], [["a b"]]).score == 0
    assert corpus_bleu(["a b c d"], [["a b c d"]]).score == pytest.approx(100)


def test_ngrams_are_counted():
    assert ngrams(["a", "b", "a", "b"], 2) == {("a", "b"): 2, ("b", "a"): 1}
    assert not ngrams(["a"], 2)
