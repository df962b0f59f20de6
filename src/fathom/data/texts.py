"""Texts to learn a language from: of the catalogue by name, or a .txt file of one's own.

Texts of the catalogue are cleaned as in the book, to lower-case letters. A file is taken as it is,
with its capitals, marks and line ends, in whatever script. Where a trained model reads another text
than its own, that text is treated as its own was, and numbered as it knows it.
"""

from __future__ import annotations

import importlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from fathom.core.errors import DataError, SettingError, did_you_mean
from fathom.core.kept import keep, known, unread
from fathom.data import text_files
from fathom.data.sources import sources
from fathom.text.tokenise import Unit, joined, letters, tokens
from fathom.text.vocab import Vocab, index

STANDS_IN = 1 << 16  # tokens: more than a window has
SHOWN = 400  # tokens that a run keeps of its text, to show what to write

Texts = Annotated[str, "a text: time-machine, pydoc, or a .txt file"]
Units = Annotated[Unit, "what a token is"]


@dataclass(frozen=True)
class Text:
    """A text in numbers: `ids` (N,), int32, under `vocab`; `clean` does to a prefix what was done
    to the text. If it is `elsewhere`, the vocabulary is that of another text."""

    name: str
    unit: Unit
    vocab: Vocab
    ids: Tensor
    clean: Callable[[str], str]
    elsewhere: bool = False

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

    def notes(self) -> list[str]:
        """What is to be said of it before it is measured on."""
        unknown = float((self.ids == 0).float().mean())
        if not self.elsewhere or unknown == 0:
            return []
        what = "characters" if self.unit == "char" else "words"
        return [f"{100 * unknown:.2g}% of {self.name} are {what} that the model does not know"]

    def split(self, most: int | None, share: float = 0.1) -> tuple[Tensor, Tensor]:
        """The first `most` tokens (None: all) to train on, and what follows to measure on.

        Held out are as many tokens as `share` of those; where the text is too short for both,
        its last part is held out and not trained on. Raises DataError where nothing is left. All of
        a text that a trained model reads `elsewhere` is held out.
        """
        if self.elsewhere:
            return self.ids, self.ids
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
    """A text in numbers; tokens that occur less than `min_freq` times are `<unk>`.

    Raises DataError for a text of which a trained model, to be measured on it, knows nothing.
    """
    manner = "letters" if name_or_file in sources() else "text"
    for known_as, clean in TREATMENTS.items():
        if (saved := known(f"{known_as}.tsv")) is not None:
            vocab = Vocab.parsed(saved, "the run's vocabulary")
            if unread():
                return _stand_in(name_or_file, known(f"{known_as}.txt") or "", vocab, unit, clean)
            read = pieces(name_or_file)
            if known_as != manner:
                read = (f"{clean(piece)} " for piece in read)
            return _elsewhere(name_or_file, read, vocab, unit, clean)
    vocab, ids = index((tokens(p, unit) for p in pieces(name_or_file)), min_freq=min_freq)
    text = Text(name_or_file, unit, vocab, torch.from_numpy(ids), TREATMENTS[manner])
    keep(f"{manner}.tsv", vocab.as_text)
    keep(f"{manner}.txt", lambda: text.some_words(len(text) // 10, SHOWN))
    return text


def _elsewhere(
    name: str, read: Iterator[str], vocab: Vocab, unit: Unit, clean: Callable[[str], str]
) -> Text:
    """A text in the numbers of another one's vocabulary."""
    numbers = array("i")
    for piece in read:
        numbers.extend(vocab.encode(tokens(piece, unit)))
    if not any(numbers):
        remedy = "give it a text like the one that it was trained on"
        raise DataError(name, f"has no {unit} that the model knows", remedy)
    ids = torch.frombuffer(numbers, dtype=torch.int32)
    return Text(name, unit, vocab, ids, clean, elsewhere=True)


def _stand_in(name: str, words: str, vocab: Vocab, unit: Unit, clean: Callable[[str], str]) -> Text:
    """The same few `words` over and over, or the vocabulary, in place of the text itself."""
    spaced = words + " " * (" " in vocab)
    few = vocab.encode(tokens(spaced, unit) if words else vocab)
    ids = torch.tensor(few, dtype=torch.int32).repeat(-(-STANDS_IN // len(few)))
    return Text(name, unit, vocab, ids, clean, elsewhere=True)


def beginnings(word: str) -> list[str]:
    """A word of the command line itself, or the lines of the .txt file that it names."""
    if not word.endswith(".txt"):
        return [word]
    return [line for line in "".join(text_files.pieces(Path(word))).split("\n") if line.strip()]


def _cleaned(prefix: str) -> str:
    return " ".join(line for line in letters(prefix) if line)


def _as_it_is(prefix: str) -> str:
    return prefix


TREATMENTS = {"letters": _cleaned, "text": _as_it_is}  # by the name of the vocabulary
