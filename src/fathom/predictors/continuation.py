"""How a trained language model is used: the beginning of a text in, how it goes on out.

A `Writer` of `core.experiment`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fathom.core.errors import DataError
from fathom.models.lean import lean
from fathom.plots.passages import passages
from fathom.text.sampling import next_token
from fathom.text.tokenise import Unit, joined, tokens
from fathom.text.vocab import Vocab

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fathom.models.gpt import GPT
    from fathom.models.language import LanguageModel

LENGTH = 50


class Continuation:
    """Goes on with texts, token by token.

    `clean` does to them what was done to the text that the model was trained on; `read` gives the
    beginnings that a word of the command line stands for.
    """

    options = ("length", "temperature", "top_k", "top_p")

    def __init__(
        self,
        vocab: Vocab,
        unit: Unit,
        clean: Callable[[str], str],
        read: Callable[[str], list[str]],
        example: str,
    ) -> None:
        self.vocab, self.unit, self.clean, self.read = vocab, unit, clean, read
        self.example = shlex.quote(example)  # some words are one argument

    def encode(self, prefix: str) -> list[int]:
        """The tokens of a prefix.

        Raises DataError for one that is empty or has characters (words) that the model never saw;
        a word is `<unk>` where the model was trained on such.
        """
        found = tokens(self.clean(prefix), self.unit)
        if not found:
            wrong = "has nothing to go on from" if prefix.strip() else "is empty"
            raise DataError(f"prefix '{prefix}'", wrong, f"write something like {self.example}")
        strange = self.vocab.unknown(found)
        if strange and (self.unit == "char" or self.vocab.counts[0] == 0):
            what = "character" if self.unit == "char" else "word"
            told = ", ".join(repr(token) for token in strange[:5])
            wrong = f"the model never saw the {what}{'s' * (len(strange) > 1)} {told}"
            raise DataError(f"prefix '{_short(prefix)}'", wrong, "leave it out")
        return self.vocab.encode(found)

    def continued(
        self,
        model: LanguageModel | GPT,
        prefix: str,
        *,
        length: int = LENGTH,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        generator: torch.Generator | None = None,
    ) -> str:
        """What follows `prefix`: `length` tokens, the likeliest ones or drawn at `temperature`."""
        ids = self.encode(prefix)
        device = next(model.parameters()).device
        found: list[Tensor] = []
        read: Any = lean(model).read  # each takes the states that it gave
        with torch.no_grad():
            logits, state = read(torch.tensor([ids], device=device))
            for _ in range(length):
                token_B = next_token(
                    logits[:, -1],
                    temperature=temperature,
                    top_k=top_k,
                    top_p=top_p,
                    generator=generator,
                )
                found.append(token_B)
                logits, state = read(token_B[:, None].to(device), state)
        written = joined(self.vocab.decode([*ids, *(int(t) for t in found)]), self.unit)
        return written[len(joined(self.vocab.decode(ids), self.unit)) :]

    def write(self, model: Any, words: Sequence[str], **options: Any) -> list[dict[str, Any]]:
        prefixes = [prefix for word in words for prefix in self.read(word)]
        for prefix in prefixes:  # all are looked at before any is gone on with
            self.encode(prefix)
        return [
            {"input": prefix, "continuation": self.continued(model, prefix, **options)}
            for prefix in prefixes
        ]

    def draw(self, answers: Sequence[dict[str, Any]]) -> Figure:
        return passages([(answer["input"], answer["continuation"]) for answer in answers])


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
