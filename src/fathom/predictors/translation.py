"""How a trained translator is used: sentences, or a file of them, in; their translations out.

A `Writer` of `core.experiment`, for any model that `text.decode` can decode from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from fathom.core.errors import DataError, SettingError
from fathom.data.pairs import BOS, EOS, PairSet, Sentence, padded
from fathom.data.text_files import pieces
from fathom.models.lean import lean
from fathom.plots.heatmaps import SHARE, attention_map, heatmap_grid
from fathom.plots.translations import side_by_side
from fathom.text.decode import beam as beam_search
from fathom.text.decode import greedy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BATCH = 256  # sentences that take their steps together, or beginnings in their beams
ALPHA = 0.75  # a beam's length penalty: the book's
MOST_DRAWN = 12
READS = {  # what the attention of each part is of: the words of its rows and of its columns
    "source": ("writes", "reads"),
    "encoder": ("word", "looks at"),
    "decoder": ("writes", "has written"),
}


class Translator:
    """Translates as the pairs were prepared: same tokens, same vocabularies, same length.

    `attends` says that the model has `maps` of its attention, which can be drawn.
    """

    def __init__(self, pairs: PairSet, *, attends: bool = False) -> None:
        self.pairs = pairs
        self.options = ("beam", "show_attention") if attends else ("beam",)
        self.example = f'"{pairs.train.source_text(pairs.train.sources[0])}"'

    def translated(
        self, model: Any, sentences: Sequence[Sentence], *, beam: int = 1
    ) -> list[tuple[Sentence, float]]:
        """The tokens of each translation, and the log-probability that the model gives it.

        `model` is in evaluation mode, under `no_grad`. Sentences of like length go together. A
        `beam` wider than 1 looks for those that are most probable, given their length.
        """
        device, model = next(model.parameters()).device, lean(model)
        order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
        found: dict[int, tuple[Sentence, float]] = {}
        ids: dict[str, Any] = dict(begin=BOS, end=EOS, max_steps=self.pairs.num_steps)
        size = max(1, BATCH // beam)
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            source_BS, lens_B = padded(
                [sentences[i] for i in chosen], self.pairs.source, self.pairs.num_steps
            )
            source_BS = source_BS.long().to(device)
            if beam == 1:
                decoded = greedy(model, source_BS, lens_B, **ids)
            else:
                decoded = beam_search(model, source_BS, lens_B, width=beam, alpha=ALPHA, **ids)
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
        written = self.translated(model, [sentences[i] for i in some], **options)
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

    def attention(self, model: Any, words: Sequence[str], **options: Any) -> dict[str, Figure]:
        """What each word of the translations took from each word of the sentences, by name.

        Of a Transformer every head of every layer, and what the words of one side took from each
        other. Raises SettingError for more sentences than anyone would look at.
        """
        sentences = [tokens for line in _lines(words) if (tokens := self.pairs.train.tokens(line))]
        if len(sentences) > MOST_DRAWN:
            wrong = f"draws up to {MOST_DRAWN} sentences, not {len(sentences):,}"
            raise SettingError("--show-attention", wrong, "give it fewer")
        figures = {}
        written = self.translated(model, sentences, **options)
        for number, (sentence, (tokens, _)) in enumerate(zip(sentences, written, strict=True), 1):
            for part, figure in self._maps(model, sentence, tokens).items():
                of = f"-{number}" if len(sentences) > 1 else ""
                figures[f"attention{of}" if part == "source" else f"attention{of}-{part}"] = figure
        return figures

    def _maps(self, model: Any, sentence: Sentence, tokens: Sentence) -> dict[str, Figure]:
        """A figure for each part of the model that attends, of one sentence and its translation."""
        device = next(model.parameters()).device
        steps = self.pairs.num_steps
        source_1S, lens_1 = padded([sentence], self.pairs.source, steps)
        target_1T, _ = padded([tokens], self.pairs.target, steps)
        given_1T = torch.cat([torch.full((1, 1), BOS), target_1T[:, :-1].long()], dim=1)
        maps = model.maps((source_1S.long().to(device), lens_1, given_1T.to(device)))
        read = [*sentence[: steps - 1], "<eos>"]
        write = [*tokens[: steps - 1], "<eos>"]
        source = self.pairs.train.source_text(sentence)
        target = self.pairs.train.target_text(tokens)
        parts = {  # what the words of rows and of columns are, and what the picture is of
            "source": (write, read, f"{source} → {target}"),
            "encoder": (read, read, f"the encoder reads: {source}"),
            "decoder": (write, ["<bos>", *write[:-1]], f"the decoder writes: {target}"),
        }
        figures = {}
        for part in (part for part in parts if part in maps):
            (weights_NHLS,), (queries, keys, title) = maps[part], parts[part]
            ylabel, xlabel = READS[part]
            N, H = weights_NHLS.shape[:2]
            if N == H == 1:
                figures[part] = attention_map(weights_NHLS[0, 0], queries, keys)
                continue
            figures[part] = heatmap_grid(
                weights_NHLS,
                rows=[f"layer {n}" for n in range(1, N + 1)],
                columns=[f"head {h}" for h in range(1, H + 1)],
                queries=queries,
                keys=keys,
                ylabel=ylabel,
                xlabel=xlabel,
                title=title,
                unit=SHARE,
            )
        return figures

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
