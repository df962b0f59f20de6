"""Text, and models of it that count (book 8.2, 8.3)."""

from __future__ import annotations

import tempfile
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fathom.core.arguments import Bounds, Count, Rate
from fathom.core.findings import Findings, Number, Table
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data import time_machine
from fathom.data.sources import sources
from fathom.data.texts import Text, Texts, load_text, pieces
from fathom.data.token_batches import TokenBatches
from fathom.plots.corpora import rank_frequency, windows
from fathom.plots.scalars import lines
from fathom.text import ngrams
from fathom.text.ngrams import KneserNey, Laplace
from fathom.text.tokenise import tokens
from fathom.text.vocab import UNKNOWN, Vocab

Order = Annotated[int, Bounds(at_least=2, at_most=4)]
GRAMS = {1: "words", 2: "pairs", 3: "triples"}


@recipe(
    section="8.2",
    title="Text preprocessing",
    zh="文本预处理",
    sample=dict(data="pydoc"),
    minutes=0.1,
    book="170,580 characters, 28 in the vocabulary; 'the' 2,261 times among 32,775 words",
    ours="the same",
)
def text(data: Texts = "time-machine") -> Findings:
    """Turn a text into numbers: lines, tokens, a vocabulary, and the text in its numbers.

    Both ways of cutting a text are shown: into characters, few and each frequent, and into words,
    many and most of them rare.
    """
    some = list(islice((line for line in pieces(data) if line.strip()), 3))
    characters, words = (load_text(data, unit=unit) for unit in ("char", "word"))
    vocab, ids = words.vocab, words.ids.numpy()
    times = np.array(vocab.counts)
    growth = _growth(ids, len(vocab))
    covered = np.cumsum(times[1:]) / times.sum()
    first = [[line[:56], " | ".join(tokens(line, "word")[:8])] for line in some]
    return Findings(
        numbers={
            "characters": Number(len(characters)),
            "different characters": Number(len(characters.vocab) - 1),
            "words": Number(len(words)),
            "different words": Number(len(vocab) - 1),
            "words that occur once": Number(100 * float((times == 1).sum()) / len(vocab), "%"),
        },
        tables={
            "Lines and their words": Table(["line", "words"], first),
            "The most frequent": Table(
                ["number", "word", "times", "character", "occurs"],
                [
                    [n, word, times, repr(character), occurs]
                    for n, ((word, times), (character, occurs)) in enumerate(
                        zip(_frequent(vocab), _frequent(characters.vocab), strict=False), 1
                    )
                ],
            ),
        },
        figures={
            "growth": lines(
                growth[:, 0].tolist(),
                {"different": growth[:, 1].tolist()},
                title="new words never cease",
                xlabel="words read",
                ylabel="different words among them",
            ),
            "coverage": lines(
                list(range(1, len(vocab))),
                {"of the text": covered.tolist()},
                title="few words are most of the text",
                xlabel="so many of the most frequent words",
                ylabel="share of the text",
                log_x=True,
            ),
        },
        claims={
            **_round_trips(data, vocab, ids),
            "numbers are given in the order of frequency": bool((np.diff(times[1:]) <= 0).all()),
            "an unknown word has the number of <unk>": vocab["no such word"] == 0,
            **_known_figures(
                data,
                {
                    "170,580 characters": len(characters) == 170_580,
                    "28 in the vocabulary": len(characters.vocab) == 28,
                    "32,775 words": len(words) == 32_775,
                    "4,580 in theirs": len(vocab) == 4_580,
                    "'the' 2,261 times": vocab.counts[vocab["the"]] == 2_261,
                },
            ),
        },
    )


def _frequent(vocab: Vocab, most: int = 6) -> list[tuple[str, int]]:
    return list(zip(vocab.tokens, vocab.counts, strict=True))[1 : 1 + most]


def _growth(ids: NDArray[np.int32], size: int, points: int = 200) -> NDArray[np.int64]:
    """(read so far, different so far), at some points of the text."""
    first = np.full(size, len(ids))
    places, at = np.unique(ids, return_index=True)
    first[places] = at
    read = np.linspace(1, len(ids), min(points, len(ids))).astype(np.int64)
    return np.stack([read, np.searchsorted(np.sort(first), read, side="left")], axis=1)


def _round_trips(data: str, vocab: Vocab, ids: NDArray[np.int32]) -> dict[str, bool]:
    again = [token for piece in pieces(data) for token in tokens(piece, "word")]
    counts = Counter(again)
    with tempfile.TemporaryDirectory() as folder:
        vocab.save(Path(folder) / "vocab.txt")
        loaded = Vocab.load(Path(folder) / "vocab.txt")
    return {
        "the numbers give back every word": vocab.decode(ids.tolist()) == again,
        "each is counted as often as it occurs": all(
            counts[token] == times
            for token, times in zip(vocab.tokens, vocab.counts, strict=True)
            if token != UNKNOWN
        ),
        "saved and loaded the vocabulary is the same": loaded == vocab,
    }


def _known_figures(data: str, figures: dict[str, bool]) -> dict[str, bool]:
    """Claims of the book about its own text."""
    return figures if data == time_machine.SOURCE.name else {}


@recipe(
    section="8.3",
    title="Language models and the dataset",
    zh="语言模型和数据集",
    sample=dict(data="pydoc"),
    minutes=0.1,
    book="(of, the) 309 times, (the, time, traveller) 59 times",
    ours="the same; held-out perplexity of triples 102 by Kneser and Ney, 268 by Laplace",
)
def language_data(
    data: Texts = "time-machine",
    *,
    longest: Annotated[Order, "the longest n-grams that models count"] = 3,
    strength: Annotated[Rate, "what Laplace's smoothing adds"] = 1.0,
    min_freq: Annotated[Count, "words that are rarer in training are <unk>"] = 2,
) -> Findings:
    """How words are spread over a text, how far counting goes as a model of it, and its batches.

    Frequencies fall as a power of the rank, for pairs and triples more slowly (Zipf): most n-grams
    that a text may hold are in no text so far. Laplace's smoothing gives them what it takes from
    all alike; Kneser and Ney's asks in how many contexts a word was seen. Perplexities are of the
    last tenth of the text, counted on the rest.
    """
    whole = load_text(data, unit="word")
    ids, size = whole.ids.numpy(), len(whole.vocab)
    by_rank = {name: ngrams.frequencies(ids, n, size) for n, name in GRAMS.items()}
    slopes = [_slope(times) for times in by_rank.values()]
    top = {n: ngrams.most_frequent(ids, n, whole.vocab, 5) for n in GRAMS}
    train, held, vocab = _in_two(whole, min_freq)
    models: dict[str, list[Laplace | KneserNey]] = {
        "Laplace": [Laplace(train, n, len(vocab), strength) for n in range(1, longest + 1)],
        "Kneser-Ney": [KneserNey(train, n, len(vocab)) for n in range(1, longest + 1)],
    }
    scores = {name: [ngrams.perplexity(m, held) for m in kind] for name, kind in models.items()}
    layouts = {"in order": _windows(random=False), "shuffled": _windows(random=True)}
    return Findings(
        numbers={
            "held-out words that are <unk>": Number(100 * float((held == 0).mean()), "%"),
            **{f"{g} fall as rank to the power": s for g, s in zip(by_rank, slopes, strict=True)},
        },
        tables={
            "The most frequent": Table(
                [f"{heading}" for name in GRAMS.values() for heading in (name, "times")],
                [
                    [cell for n in GRAMS for cell in top[n][row]]
                    for row in range(min(map(len, top.values())))
                ],
            ),
            "Held-out perplexity": Table(
                ["tokens counted together", *scores],
                [[n + 1, *(kind[n] for kind in scores.values())] for n in range(longest)],
            ),
        },
        figures={
            "zipf": rank_frequency(by_rank, title="how often the n-th most frequent occurs"),
            "batches": windows(
                {name: [tokens.tolist() for tokens, _ in b] for name, b in layouts.items()}, DEMO
            ),
        },
        claims={
            "probabilities of all words after a context add up to 1": all(
                abs(_sum_over_words(m, train, len(vocab)) - 1) < 1e-9
                for kind in models.values()
                for m in kind
            ),
            "read in order, each row goes on where the batch before it ended": all(
                torch.equal(before[:, -1] + 1, after[:, 0])
                for (before, _), (after, _) in pairwise(layouts["in order"])
            ),
            "no token is read twice in an epoch": all(
                len(set(seen)) == len(seen)
                for batches in layouts.values()
                for seen in [torch.cat([t.flatten() for t, _ in batches]).tolist()]
            ),
            **_built_in_claims(data, slopes, scores),
            **_known_figures(
                data,
                {
                    "(of, the) 309 times, (in, the) 169, (i, had) 130": top[2][:3]
                    == [("of the", 309), ("in the", 169), ("i had", 130)],
                    "(the, time, traveller) 59 times, (the, time, machine) 30": top[3][:2]
                    == [("the time traveller", 59), ("the time machine", 30)],
                },
            ),
        },
    )


DEMO, DEMO_ROWS, DEMO_STEPS = 35, 2, 5  # as the book shows its batches


def _windows(*, random: bool) -> list[tuple[Tensor, Tensor]]:
    """The batches of one epoch of the text 0, 1, 2, ...: tokens (B, T) and what follows them."""
    ids = torch.arange(DEMO, dtype=torch.int32)
    batches = TokenBatches(ids, batch_size=DEMO_ROWS, num_steps=DEMO_STEPS, random=random)
    return [(tokens, after) for (tokens, _), after in batches.epoch(current_seed(), 0)]


def _slope(times: NDArray[np.int64], first: int = 10, last: int = 1_000) -> float:
    """The power of the rank by which frequencies fall, between two ranks where there are such."""
    ranks = np.arange(first if len(times) > 2 * first else 1, min(last, len(times)) + 1)
    if len(ranks) < 2:
        return 0.0
    return float(np.polyfit(np.log(ranks), np.log(times[ranks - 1]), 1)[0])


def _in_two(whole: Text, min_freq: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Vocab]:
    """What is counted, what is held out, and the vocabulary of the first."""
    parts = [part.numpy() for part in whole.split(None)]
    counts = np.bincount(parts[0], minlength=len(whole.vocab)).tolist()
    known = Vocab.counted(dict(zip(whole.vocab.tokens, counts, strict=True)), min_freq=min_freq)
    again = np.array(known.encode(whole.vocab.tokens))
    return again[parts[0]], again[parts[1]], known


def _sum_over_words(model: Laplace | KneserNey, train: NDArray[np.int64], size: int) -> float:
    """The probabilities of all words after the text's own beginning."""
    context = 0
    for token in train[: model.n - 1].tolist():
        context = context * size + token
    return float(model.probabilities(context * size + np.arange(size)).sum())


def _built_in_claims(
    data: str, slopes: list[float], scores: dict[str, list[float]]
) -> dict[str, bool]:
    """What holds of the texts of the catalogue; of any text at all it need not."""
    if data not in sources():
        return {}
    laplace, kneser_ney = scores.values()
    return {
        "frequencies fall as a power of the rank near -1": -1.2 < slopes[0] < -0.8,
        "those of pairs and triples fall more slowly": slopes[0] < slopes[1] < slopes[2] < 0,
        "Kneser and Ney's models improve with the context": kneser_ney == sorted(kneser_ney)[::-1],
        "and are better than Laplace's": all(
            ours < theirs for ours, theirs in zip(kneser_ney[1:], laplace[1:], strict=True)
        ),
    }
