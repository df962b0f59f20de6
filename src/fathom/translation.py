"""How a trained translator is used: sentences, or a file of them, in; their translations out.

A `Writer` of `core.experiment`, for any model that `text.decode` can decode from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from fathom.core.errors import DataError
from fathom.data.pairs import BOS, EOS, PairSet, Sentence, padded
from fathom.data.text_files import pieces
from fathom.plots.translations import side_by_side
from fathom.text.decode import greedy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BATCH = 256


class Translator:
    """Translates as the pairs were prepared: same tokens, same vocabularies, same length."""

    options = ()

    def __init__(self, pairs: PairSet) -> None:
        self.pairs = pairs
        self.example = f'"{pairs.train.source_text(pairs.train.sources[0])}"'

    def translated(self, model: Any, sentences: Sequence[Sentence]) -> list[tuple[Sentence, float]]:
        """The tokens of each translation, and the log-probability that the model gives it.

        `model` is in evaluation mode, under `no_grad`. Sentences of like length go together.
        """
        device = next(model.parameters()).device
        order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
        found: dict[int, tuple[Sentence, float]] = {}
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            source_BS, lens_B = padded(
                [sentences[i] for i in chosen], self.pairs.source, self.pairs.num_steps
            )
            decoded = greedy(
                model,
                source_BS.long().to(device),
                lens_B,
                begin=BOS,
                end=EOS,
                max_steps=self.pairs.num_steps,
            )
            scored = zip(decoded.rows(EOS), decoded.log_probs.tolist(), strict=True)
            for i, (row, log_prob) in zip(chosen, scored, strict=True):
                found[i] = self.pairs.target.decode(row), log_prob
        return [found[i] for i in range(len(sentences))]

    def write(self, model: Any, words: Sequence[str], **options: Any) -> list[dict[str, Any]]:
        """For each line its translation, how probable the model finds it, and unknown words.

        An empty line of a file stays empty, so that the lines of both go together.
        """
        lines = list(_lines(words))
        sentences = [self.pairs.train.tokens(line) for line in lines]
        some = [i for i, sentence in enumerate(sentences) if sentence]
        written = self.translated(model, [sentences[i] for i in some])
        answers: list[dict[str, Any]] = [
            {"input": line, "translation": "", "probability": 1.0, "unknown": ""} for line in lines
        ]
        for i, (tokens, log_prob) in zip(some, written, strict=True):
            answers[i] |= {
                "translation": self.pairs.train.target_text(tokens),
                "probability": float(torch.tensor(log_prob).exp()),
                "unknown": " ".join(self.pairs.source.unknown(sentences[i])),
            }
        if not any(answer["unknown"] for answer in answers):
            for answer in answers:
                del answer["unknown"]
        return answers

    def draw(self, answers: Sequence[dict[str, Any]]) -> Figure:
        return side_by_side([(answer["input"], answer["translation"]) for answer in answers])


def _lines(words: Sequence[str]) -> Iterator[str]:
    """Each word is a sentence, or a .txt file with one on each line."""
    for word in words:
        if word.endswith(".txt"):
            text = "".join(pieces(Path(word).expanduser()))
            yield from text.removesuffix("\n").split("\n")
        elif word.strip():
            yield word
        else:
            raise DataError("a sentence", "is empty", "write one, or name a .txt file of them")
