"""Text to tokens and back: characters, or words and marks.

Source   Book 8.2, whose cleaning `letters` is: lower-case letters, one space between words.
Differs  The book's word is what stands between spaces. On its cleaned text so it is here; on other
         text a mark is a token of its own, or `machine,` and `machine` would be two words.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from typing import Literal

Unit = Literal["char", "word"]

_TOKEN = re.compile(r"\w+|[^\w\s]")
_NO_SPACE_BEFORE = frozenset(".,;:!?)]}%…")
_NO_SPACE_AFTER = frozenset("([{")

_FOLD = bytearray(b" " * 256)
for _lower, _upper in zip(string.ascii_lowercase, string.ascii_uppercase, strict=True):
    _FOLD[ord(_lower)] = _FOLD[ord(_upper)] = ord(_lower)
_FOLD[ord("\n")] = ord("\n")


def letters(text: str) -> list[str]:
    """The lines of `text` as the book reads them: `The Time-Machine,` is `the time machine`.

    Whatever is no letter of English is a space; lines without letters are there, and empty.
    """
    folded = text.encode("ascii", "replace").translate(_FOLD)
    spaced = [" ".join(line.split()) for line in folded.decode("ascii").split("\n")]
    return spaced if spaced[-1] else spaced[:-1]  # what follows the last line's end is no line


def words(text: str) -> list[str]:
    """Runs of letters, digits and underscores, and every other mark by itself; spaces are gone."""
    return _TOKEN.findall(text)


def tokens(text: str, unit: Unit) -> Sequence[str]:
    """The tokens of `text`: itself, a sequence of characters, or its words and marks."""
    return text if unit == "char" else words(text)


def joined(parts: Iterable[str], unit: Unit) -> str:
    """Tokens as text again; between words one space, but none before a comma."""
    if unit == "char":
        return "".join(parts)
    text, after = "", ""
    for part in parts:
        text += part if not text or part in _NO_SPACE_BEFORE or after else f" {part}"
        after = part if part in _NO_SPACE_AFTER else ""
    return text
