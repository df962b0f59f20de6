"""Texts to learn a language from: of the catalogue by name, or a .txt file of one's own.

Texts of the catalogue are cleaned as in the book, to lower-case letters. A file is taken as it is,
with its capitals, marks and line ends, in whatever script.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from fathom.core.errors import DataError, SettingError, did_you_mean
from fathom.data import text_files
from fathom.data.sources import sources
from fathom.text.tokenise import Unit, joined, letters, tokens
from fathom.text.vocab import Vocab, index

Texts = Annotated[str, "a text: time-machine, pydoc, or a .txt file"]
Units = Annotated[Unit, "what a token is"]


@dataclass(frozen=True)
class Text:
    """A text in numbers: `ids` (N,), int32, under `vocab`; `clean` does to a prefix what was done
    to the text."""

    name: str
    unit: Unit
    vocab: Vocab
    ids: Tensor
    clean: Callable[[str], str]

    def __len__(self) -> int:
        return len(self.ids)

    def shown(self, ids: Tensor) -> str:
        """Numbers as text again."""
        return joined(self.vocab.decode(ids.tolist()), self.unit)

    def some_words(self, start: int, length: int = 12) -> str:
        """Whole words from about the `start`-th token on, of at least `length` characters where
        it can be."""
        shown = self.shown(self.ids[start : start + 20 * length])
        words = shown if start == 0 else shown[shown.find(" ") + 1 :]
        return words[: words.find(" ", length)] if " " in words[length:] else words[:length]

    def split(self, most: int | None, share: float = 0.1) -> tuple[Tensor, Tensor]:
        """The first `most` tokens (None: all) to train on, and what follows to measure on.

        Held out are as many tokens as `share` of those; where the text is too short for both,
        its last part is held out and not trained on. Raises DataError where nothing is left.
        """
        wanted = len(self) if most is None else min(most, len(self))
        held = int(wanted * share)
        start = min(wanted, len(self) - held)
        if held < 2 or start < 2:
            wrong = f"has {len(self)} tokens, too few to train on and to measure on"
            raise DataError(self.name, wrong, "give a longer text, or a larger --tokens")
        return self.ids[:start], self.ids[start : start + held]


def pieces(name_or_file: str) -> Iterator[str]:
    """A text, piece by piece: no word is cut, and put together they are the whole.

    Raises SettingError with the near match if there is neither a text nor a file of that name.
    """
    known = [name for name, source in sources().items() if source.kind == "text"]
    if name_or_file in known:
        found: Iterator[str] = importlib.import_module(sources()[name_or_file].module).pieces()
        return found
    path = Path(name_or_file).expanduser()
    if path.suffix or "/" in name_or_file or path.exists():
        return text_files.pieces(path)
    remedy = did_you_mean(name_or_file, known, f"name {', '.join(known)} or a .txt file")
    raise SettingError(f"text '{name_or_file}'", "is not known, nor a file", remedy)


def load_text(name_or_file: str, *, unit: Unit = "char", min_freq: int = 1) -> Text:
    """A text in numbers; tokens that occur less than `min_freq` times are `<unk>`."""
    vocab, ids = index((tokens(p, unit) for p in pieces(name_or_file)), min_freq=min_freq)
    cleaned = name_or_file in sources()
    clean = _cleaned if cleaned else _as_it_is
    return Text(name_or_file, unit, vocab, torch.from_numpy(ids), clean)


def beginnings(word: str) -> list[str]:
    """A word of the command line itself, or the lines of the .txt file that it names."""
    if not word.endswith(".txt"):
        return [word]
    return [line for line in "".join(text_files.pieces(Path(word))).split("\n") if line.strip()]


def _cleaned(prefix: str) -> str:
    return " ".join(line for line in letters(prefix) if line)


def _as_it_is(prefix: str) -> str:
    return prefix
