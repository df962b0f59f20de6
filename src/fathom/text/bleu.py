"""BLEU: how many n-grams of a translation are in its reference; the book's score, and sacrebleu's.

Source   Papineni et al. 2002, "BLEU: a method for automatic evaluation of machine translation";
         Post 2018, arXiv:1804.08771 (sacrebleu); Chen and Cherry 2014 (smoothing); book 9.7.6.
Differs  The book's score is of one sentence and weighs n-grams of length n by 1/2^n, so that long
         ones count for little. sacrebleu's is of a whole corpus, with n up to 4 in equal shares;
         the two cannot be compared. The book's own code divides by zero where a prediction has
         fewer than k tokens; here orders that it is too short for are left out, and the score of
         an empty prediction is 0.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

ORDERS = 4


def book_bleu(prediction: Sequence[str], reference: Sequence[str], *, k: int) -> float:
    """BLEU as the book defines it, of one tokenised sentence: from 0 to 1.

    exp(min(0, 1 - |reference| / |prediction|)) times the product over n = 1 … k of p_n^(1/2^n),
    where p_n is the share of the prediction's n-grams that the reference holds as well.
    """
    if not prediction:
        return 0.0
    score = math.exp(min(0.0, 1 - len(reference) / len(prediction)))
    for n in range(1, min(k, len(prediction)) + 1):
        found, wanted = ngrams(prediction, n), ngrams(reference, n)
        score *= ((found & wanted).total() / found.total()) ** (0.5**n)
    return score


def ngrams(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    """How often each run of `n` tokens occurs."""
    return Counter(zip(*(tokens[i:] for i in range(n)), strict=False))


@dataclass(frozen=True)
class CorpusBleu:
    """sacrebleu's BLEU, from 0 to 100, and what it is made of.

    `precisions` are percentages for n = 1 … 4; the lengths are tokens of all predictions and of
    the references nearest to them in length.
    """

    score: float
    precisions: tuple[float, ...]
    brevity_penalty: float
    prediction_length: int
    reference_length: int


def corpus_bleu(
    predictions: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    lowercase: bool = False,
    whole: bool = True,
) -> CorpusBleu:
    """BLEU of running text as `sacrebleu` gives it by default: 13a tokens, exponential smoothing.

    `references[i]` holds one or more right translations of what `predictions[i]` translates.
    With `whole` false only the orders of which there are any n-grams are averaged, as sacrebleu
    does for a single sentence.
    """
    matched, proposed = [0] * ORDERS, [0] * ORDERS
    prediction_length = reference_length = 0
    for text, right in zip(predictions, references, strict=True):
        tokens = tokens_13a(text, lowercase=lowercase)
        others = [tokens_13a(reference, lowercase=lowercase) for reference in right]
        prediction_length += len(tokens)
        # Of two references equally near in length the shorter one counts.
        reference_length += min((abs(len(o) - len(tokens)), len(o)) for o in others)[1]
        for n in range(1, ORDERS + 1):
            found = ngrams(tokens, n)
            most: Counter[tuple[str, ...]] = Counter()
            for other in others:
                most |= ngrams(other, n)
            matched[n - 1] += (found & most).total()
            proposed[n - 1] += found.total()
    precisions = _smoothed(matched, proposed)
    penalty = _brevity_penalty(prediction_length, reference_length)
    orders = ORDERS if whole else sum(count > 0 for count in proposed)
    score = 0.0
    if any(matched) and all(precisions[:orders]):
        score = penalty * math.exp(sum(map(math.log, precisions[:orders])) / orders)
    return CorpusBleu(score, tuple(precisions), penalty, prediction_length, reference_length)


def sentence_bleu(
    prediction: str, references: Sequence[str], *, lowercase: bool = False
) -> CorpusBleu:
    """sacrebleu's BLEU of a single sentence: only of the orders that it is long enough for."""
    return corpus_bleu([prediction], [references], lowercase=lowercase, whole=False)


def _smoothed(matched: Sequence[int], proposed: Sequence[int]) -> list[float]:
    """Percentages; an order without a match counts half as much as the one before without."""
    precisions, halved = [], 1.0
    for hits, count in zip(matched, proposed, strict=True):
        if count == 0:
            precisions.append(0.0)
        elif hits == 0:
            halved *= 2
            precisions.append(100 / (halved * count))
        else:
            precisions.append(100 * hits / count)
    return precisions


def _brevity_penalty(prediction_length: int, reference_length: int) -> float:
    """What predictions shorter than their references lose: saying little is always precise."""
    if prediction_length >= reference_length:
        return 1.0
    return math.exp(1 - reference_length / prediction_length) if prediction_length else 0.0


_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
_SIGNS = "".join(sign for sign in string.punctuation if sign not in "',-.")
_SPLITS = (
    (re.compile(f"([{re.escape(_SIGNS)}])"), r" \1 "),
    (re.compile(r"([^0-9])([\.,])"), r"\1 \2 "),  # a stop or comma that is not in a number
    (re.compile(r"([\.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),  # a dash after a digit
)


def tokens_13a(text: str, *, lowercase: bool = False) -> list[str]:
    """The tokens of mteval-v13a, NIST's script, with which BLEU is reported."""
    text = text.lower() if lowercase else text
    text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, sign in _ENTITIES:
        text = text.replace(entity, sign)
    text = f" {text} "
    for pattern, spaced in _SPLITS:
        text = pattern.sub(spaced, text)
    return text.split()
