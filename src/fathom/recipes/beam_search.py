"""Searching for the best translation: greedy, by a beam, among all (book 9.8)."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from fathom.core.arguments import Bounds, Count, NonNegative, Rate
from fathom.core.findings import Findings, Number, Table
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data.pairs import BOS, EOS, PairFile, PairSet, padded, pair_set
from fathom.plots.search_tree import search_tree
from fathom.recipes.training import trained
from fathom.recipes.translating import by_source
from fathom.recipes.translation import Examples, HeldOut, Hidden, Steps, seq2seq
from fathom.text.decode import Decoded, Step, beam, beginnings, exhaustive, greedy

Search = Callable[..., Decoded]
SENTENCES = 400  # held-out ones that are searched for, at most
LOSSES = 4  # of them, those on which greedy loses most
SAME = 1e-4
BOOK_ALPHA = 0.75
BOOK_WORDS = ("A", "B", "C", "<eos>")
BOOK_END = 3
BOOK_CHANCES = (  # of each word after so many others
    (0.5, 0.2, 0.2, 0.1),
    (0.1, 0.4, 0.3, 0.2),
    (0.2, 0.2, 0.4, 0.2),
    (0.0, 0.2, 0.2, 0.6),
)
BOOK_AFTER = {("A", "C"): (0.1, 0.6, 0.2, 0.1), ("A", "C", "B"): (0.1, 0.2, 0.1, 0.6)}


@recipe(
    section="9.8",
    title="Beam search",
    zh="束搜索",
    sample=dict(data="dates", examples=4_000, num_steps=14, hidden_size=64, lr=0.01, epochs=5),
    minutes=0.2,
    book="A B C <eos>, found greedily, has 0.048; A C B <eos> has 0.054",
    ours="the same",
)
def beam_search(
    data: PairFile = "fra-eng",
    *,
    examples: Examples = 600,
    held_out: HeldOut = 0.1,
    num_steps: Steps = 10,
    hidden_size: Hidden = 32,
    batch_size: Count = 64,
    lr: Rate = 0.005,
    epochs: Annotated[Count, "times through the data, before it is searched"] = 60,
    width: Annotated[int, Bounds(at_least=2, at_most=64), "beginnings that a beam follows"] = 4,
    alpha: Annotated[NonNegative, "length penalty: scores are log p / length^alpha"] = 0.75,
) -> Findings:
    """Look for the most probable translation: word by word, by a beam, and among all there are.

    The likeliest word may lead to a place from which all goes on badly. A beam follows several
    beginnings and lets the best of them win; it costs as much as so many sentences. To search all
    is possible where the model is sure: what has become less probable than a known translation
    cannot become better again. Without a penalty, short ones win, for each word costs.
    """
    pairs = pair_set(
        data, examples=examples, held_out=held_out, num_steps=num_steps, seed=current_seed()
    )
    experiment = seq2seq(
        data,
        examples=examples,
        held_out=held_out,
        num_steps=num_steps,
        hidden_size=hidden_size,
        batch_size=batch_size,
        lr=lr,
        epochs=epochs,
    )
    for _ in trained(
        experiment.model,
        experiment.train,
        experiment.objective,
        experiment.optimizer,
        epochs=epochs,
        seed=current_seed(),
    ):
        pass
    asked = _Asked(pairs, experiment.model.eval())
    searches: dict[str, tuple[Search, dict[str, Any]]] = {
        "greedy": (greedy, {}),
        "beam of 2": (beam, dict(width=2)),
        f"beam of {width}": (beam, dict(width=width)),
        f"beam of {width}, penalty {alpha:g}": (beam, dict(width=width, alpha=alpha)),
        "among all": (exhaustive, {}),
    }
    found, seconds = {}, {}
    for name, (search, options) in searches.items():
        began = time.perf_counter()
        found[name] = asked(search, **options)
        seconds[name] = time.perf_counter() - began
    lost_N = found["among all"].log_probs.exp() - found["greedy"].log_probs.exp()
    worst = int(lost_N.argmax())
    return Findings(
        numbers={
            "book's, word by word": Number(_probability("A B C <eos>"), "A B C <eos>"),
            "book's, with a beam of 2": Number(_probability("A C B <eos>"), "A C B <eos>"),
            "greedy finds another than the best": Number(
                100 * float((lost_N > SAME).float().mean()), f"% of {len(lost_N)} held out"
            ),
        },
        tables={
            "Searches": _compared(asked, found, seconds),
            "Where greedy loses most": _losses(asked, found, lost_N),
        },
        figures={
            "book": _book_tree(),
            "tree": asked.tree(worst, width, title="where greedy loses most"),
        },
        claims={
            **_claims_of_the_book(),
            "a beam of one finds what greedy finds": asked(beam, width=1).rows(EOS)
            == found["greedy"].rows(EOS),
            "nothing is more probable than what is found among all": all(
                bool((other.log_probs <= found["among all"].log_probs + 1e-3).all())
                for other in found.values()
            ),
        },
    )


class _Asked:
    """A trained model and up to so many sentences that it was not trained on."""

    def __init__(self, pairs: PairSet, model: Any) -> None:
        assert pairs.valid is not None, "something is held out"
        right = by_source(pairs.valid)
        self.pairs, self.model = pairs, model
        self.sources = list(right)[:SENTENCES]
        self.right = [[*map(pairs.train.target_text, right[s])] for s in self.sources]
        numbers_BS, self.lens_B = padded(self.sources, pairs.source, pairs.num_steps)
        self.numbers_BS = numbers_BS.long()

    def __call__(self, search: Search, which: int | None = None, **options: Any) -> Decoded:
        """What a search finds for all sentences, or for one of them."""
        one = slice(None) if which is None else slice(which, which + 1)
        ids = dict(begin=BOS, end=EOS, max_steps=self.pairs.num_steps)
        with torch.no_grad():
            return search(self.model, self.numbers_BS[one], self.lens_B[one], **ids, **options)

    def texts(self, found: Decoded) -> list[str]:
        pairs = self.pairs
        return [pairs.train.target_text(pairs.target.decode(row)) for row in found.rows(EOS)]

    def tree(self, which: int, width: int, title: str) -> Figure:
        """All that a beam follows of one sentence; what it takes, and what greedy takes."""
        kept: list[Step] = []
        best = self(beam, which, width=width, kept=kept)
        alone: list[Step] = []
        plain = self(beam, which, width=1, kept=alone)
        words = self.pairs.target.tokens
        sentence = self.pairs.train.source_text(self.sources[which])
        return _drawn(kept, alone, best, plain, EOS, words, f"{sentence}: {title}")


def _compared(asked: _Asked, found: Mapping[str, Decoded], seconds: Mapping[str, float]) -> Table:
    best = found["among all"].log_probs
    rows = []
    for name, decoded in found.items():
        texts = asked.texts(decoded)
        exact = [text in right for text, right in zip(texts, asked.right, strict=True)]
        rows.append(
            [
                name,
                100 * sum(exact) / len(exact),
                100 * float((decoded.log_probs > best - SAME).float().mean()),
                float(decoded.log_probs.mean()),
                statistics.fmean(map(len, decoded.rows(EOS))),
                1000 * seconds[name] / len(texts),
            ]
        )
    columns = ["", "right, %", "the best, %", "mean log p", "mean tokens", "ms a sentence"]
    return Table(columns, rows)


def _losses(asked: _Asked, found: Mapping[str, Decoded], lost_N: Tensor) -> Table:
    plain, best = found["greedy"], found["among all"]
    texts = asked.texts(plain), asked.texts(best)
    rows = [
        [
            asked.pairs.train.source_text(asked.sources[n]),
            texts[0][n],
            float(plain.log_probs[n].exp()),
            texts[1][n],
            float(best.log_probs[n].exp()),
        ]
        for n in lost_N.argsort(descending=True)[:LOSSES].tolist()
        if lost_N[n] > SAME
    ]
    return Table(["", "greedy", "p", "the best", "p"], rows)


def _drawn(
    kept: Sequence[Step],
    alone: Sequence[Step],
    best: Decoded,
    plain: Decoded,
    end: int,
    words: Sequence[str],
    title: str,
) -> Figure:
    """The tree of a beam and of a greedy search of one sentence, with the probabilities so far."""
    followed = beginnings(kept, 0) | beginnings(alone, 0)
    notes = {
        tuple(words[token] for token in tokens): f"{math.exp(log_prob):.3g}"
        for tokens, log_prob in followed.items()
    }
    paths = {}
    for name, decoded in (("beam", best), ("greedy", plain)):
        row = [*decoded.rows(end)[0], end][: decoded.tokens.shape[1]]
        paths[f"{name}: {float(decoded.log_probs.exp()):.3g}"] = tuple(words[t] for t in row)
    return search_tree(notes, paths, title=title)


class _Book:
    """A decoder that knows four words and the book's chances of them, whatever the source."""

    def start(self, source_BS: Tensor, source_lens_B: Tensor) -> Tensor:
        return source_BS[:, :0]

    def step(self, tokens_B: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        seen_BT = torch.cat([state, tokens_B[:, None]], dim=1)
        return torch.tensor([_chances(row[1:]) for row in seen_BT.tolist()]).log(), seen_BT


def _chances(tokens: Sequence[int]) -> Sequence[float]:
    words = tuple(BOOK_WORDS[token] for token in tokens)
    return BOOK_AFTER.get(words, BOOK_CHANCES[len(words)])


def _probability(sentence: str) -> float:
    tokens = [BOOK_WORDS.index(word) for word in sentence.split()]
    return math.prod(_chances(tokens[:n])[token] for n, token in enumerate(tokens))


def _book(search: Search, **options: Any) -> Decoded:
    nothing, lens = torch.zeros(1, 1, dtype=torch.long), torch.ones(1, dtype=torch.long)
    return search(_Book(), nothing, lens, begin=0, end=BOOK_END, max_steps=4, **options)


def _book_tree() -> Figure:
    kept: list[Step] = []
    alone: list[Step] = []
    best = _book(beam, width=2, alpha=BOOK_ALPHA, kept=kept)
    plain = _book(beam, width=1, kept=alone)
    title = "the likeliest word is not on the best way"
    return _drawn(kept, alone, best, plain, BOOK_END, BOOK_WORDS, title)


def _claims_of_the_book() -> dict[str, bool]:
    def words(found: Decoded) -> str:
        return " ".join(BOOK_WORDS[token] for token in found.rows(BOOK_END)[0])

    every = _book(exhaustive, alpha=BOOK_ALPHA)
    full = _book(beam, width=4**4, alpha=BOOK_ALPHA)
    shortest = _book(exhaustive)
    return {
        "word by word the book's model writes A B C <eos>, which has 0.048": words(_book(greedy))
        == "A B C"
        and math.isclose(_probability("A B C <eos>"), 0.048),
        "a beam of 2 finds A C B <eos>, which has 0.054": words(_book(beam, width=2)) == "A C B"
        and math.isclose(_probability("A C B <eos>"), 0.054),
        "with the penalty that is the best of all": words(every) == words(full) == "A C B",
        "without it a shorter one is, which has 0.1": math.isclose(
            float(shortest.log_probs.exp()), 0.1, rel_tol=1e-5
        ),
    }
