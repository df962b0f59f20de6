"""How a trained filler of gaps is used: text with `_` where a character is missing, and it is not.

A `Writer` of `core.experiment`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from fathom.core.errors import DataError
from fathom.plots.translations import side_by_side
from fathom.text.vocab import Vocab

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLANK = "_"


class GapFiller:
    """Fills each gap with the likeliest character, all at once."""

    options = ()
    example = '"the t_me trav_ller"'

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab

    def encode(self, text: str) -> list[int]:
        """Raises DataError for text without a gap, or with characters that were never seen."""
        if BLANK not in text:
            remedy = f"write {BLANK} for each character that is missing, as in {self.example}"
            raise DataError(f"text '{text}'", "has no gap", remedy)
        letters = [c if c in self.vocab else c.lower() for c in text]
        strange = [c for c in self.vocab.unknown(letters) if c != BLANK]
        if strange:
            told = ", ".join(map(repr, strange[:5]))
            raise DataError(f"text '{text}'", f"the model never saw {told}", "leave it out")
        return [len(self.vocab) if c == BLANK else self.vocab[c] for c in letters]

    def write(self, model: Any, words: Sequence[str], **options: Any) -> list[dict[str, Any]]:
        """Each text filled, and how probable the model finds the least certain of its fillings."""
        device = next(model.parameters()).device
        answers = []
        for word, numbers in [(word, self.encode(word)) for word in words]:
            logits_TV = model.both(torch.tensor([numbers], device=device))[0]
            best = logits_TV.softmax(1).max(1)
            filled, least = list(word), 1.0
            for place, number in enumerate(numbers):
                if number == len(self.vocab):
                    filled[place] = self.vocab.tokens[int(best.indices[place])]
                    least = min(least, float(best.values[place]))
            answers.append({"input": word, "filled": "".join(filled), "probability": least})
        return answers

    def draw(self, answers: Sequence[dict[str, Any]]) -> Figure:
        return side_by_side([(answer["input"], answer["filled"]) for answer in answers])
