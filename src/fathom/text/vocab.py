"""A vocabulary: each token's number, in the order of how often it occurs; the most frequent first.

Source   Book 8.2 and 8.3.
Differs  The book reads a text twice, to count and to number; `index` does both in one pass, and
         holds a piece of the text at a time.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING

from fathom.core.errors import DataError, SettingError
from fathom.core.paths import write_whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNKNOWN = "<unk>"
_AT_A_TIME = 1 << 20
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPING = str.maketrans(_ESCAPES)


class _Index(dict[str, int]):
    """Token to number; a token that is not there has the number of `<unk>`."""

    def __missing__(self, token: str) -> int:
        return 0


class Vocab:
    """Tokens by number and numbers by token. Number 0 is `<unk>`: whatever is not known.

    `counts` says how often each token occurred in the text that the vocabulary was made from.
    """

    def __init__(self, tokens: Sequence[str], counts: Sequence[int] | None = None) -> None:
        self.tokens = list(tokens)
        self.counts = [0] * len(self.tokens) if counts is None else list(counts)
        self._index = _Index(zip(self.tokens, range(len(self.tokens)), strict=True))
        assert self.tokens[:1] == [UNKNOWN], "the first token is <unk>"
        assert len(self._index) == len(self.tokens) == len(self.counts), "a token stands twice"

    @classmethod
    def counted(
        cls, counts: Mapping[str, int], *, min_freq: int = 1, reserved: Sequence[str] = ()
    ) -> Vocab:
        """Of counted tokens: `<unk>`, those reserved, then all that occur `min_freq` times.

        Of two that are as frequent the one that was counted first stands first. `<unk>` counts
        the tokens that were too rare.
        """
        heads = list(dict.fromkeys([UNKNOWN, *reserved]))
        known = set(heads)
        kept = sorted(
            ((t, n) for t, n in counts.items() if n >= min_freq and t not in known),
            key=lambda pair: -pair[1],
        )
        own = [counts.get(head, 0) for head in heads]
        own[0] += sum(n for t, n in counts.items() if n < min_freq and t not in known)
        return cls([*heads, *(t for t, _ in kept)], [*own, *(n for _, n in kept)])

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._index

    def __getitem__(self, token: str) -> int:
        """The number of a token; 0 of one that is not known."""
        return self._index[token]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tokens)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocab) and self.tokens == other.tokens

    __hash__ = None  # type: ignore[assignment]

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """The numbers of tokens (or of the characters of a text); 0 for what is not known."""
        return list(map(self._index.__getitem__, tokens))

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """The tokens of numbers."""
        return list(map(self.tokens.__getitem__, numbers))

    def unknown(self, tokens: Iterable[str]) -> list[str]:
        """Those of `tokens` that are not known, each once, in the order in which they come."""
        distinct = dict.fromkeys(tokens)
        return list(compress(distinct, (token not in self._index for token in distinct)))

    def save(self, path: Path) -> None:
        """As text, in a file."""
        write_whole(path, self.as_text())

    @classmethod
    def load(cls, path: Path) -> Vocab:
        """What `save` wrote. Raises DataError that names the line which is no token and count."""
        return cls.parsed(_read(path), str(path))

    def as_text(self) -> str:
        """A line for each token in order: the token, a tab and its count."""
        lines = zip(self.tokens, self.counts, strict=True)
        return "".join(f"{t.translate(_ESCAPING)}\t{n}\n" for t, n in lines)

    @classmethod
    def parsed(cls, text: str, name: str) -> Vocab:
        """What `as_text` gave, from something of that name. Raises DataError as `load` does."""
        tokens: list[str] = []
        counts: list[int] = []
        seen: set[str] = set()
        for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
            token, tab, count = line.rpartition("\t")
            token = _unescaped(token)
            fault = None
            if not tab or not count.isdecimal():
                fault = "is not a token, a tab and a count"
            elif number == 1 and token != UNKNOWN:
                fault = f"does not begin with {UNKNOWN}"
            elif token in seen:
                fault = f"has '{token}' for the second time"
            if fault:
                raise DataError(f"{name} line {number}", fault, "give a vocabulary that was saved")
            seen.add(token)
            tokens.append(token)
            counts.append(int(count))
        return cls(tokens, counts)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        wrong = f"cannot be read ({error.strerror or error})"
        raise DataError(str(path), wrong, "name another file") from None
    except UnicodeDecodeError:
        raise DataError(str(path), "is not text in UTF-8", "name another file") from None


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    meant = {escape[1]: plain for plain, escape in _ESCAPES.items()}
    letters, found = iter(text), ""
    for letter in letters:
        found += meant.get(next(letters, ""), letter) if letter == "\\" else letter
    return found


def index(
    pieces: Iterable[Iterable[str]], *, min_freq: int = 1, reserved: Sequence[str] = ()
) -> tuple[Vocab, NDArray[np.int32]]:
    """The vocabulary of a text that comes in pieces, and the text in its numbers: (N,) int32.

    A piece is tokens, or a text, whose tokens are its characters. 100 MB of text need 100 MB for
    18 million words, or 400 MB for its characters, and one piece.
    """
    import numpy as np

    if min_freq < 1:
        raise SettingError("min_freq", f"is {min_freq}", "give 1 or more")
    first: _Numbering = _Numbering()
    numbers = array("i")
    for piece in pieces:
        numbers.extend(map(first.__getitem__, piece))
    ids = np.frombuffer(numbers, dtype=np.int32) if numbers else np.zeros(0, np.int32)
    counts = np.zeros(len(first), dtype=np.int64)
    for part in _parts(ids):
        counts += np.bincount(part, minlength=len(first))
    vocab = Vocab.counted(
        dict(zip(first, counts.tolist(), strict=True)), min_freq=min_freq, reserved=reserved
    )
    final = np.array(vocab.encode(first), dtype=np.int32)
    for part in _parts(ids):  # in place: no second copy of the text
        part[:] = final[part]
    return vocab, ids


def _parts(ids: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
    """Views: NumPy would make all of a text 64 bits wide to count it."""
    for start in range(0, len(ids), _AT_A_TIME):
        yield ids[start : start + _AT_A_TIME]


class _Numbering(dict[str, int]):
    """Tokens numbered in the order in which they are first asked for."""

    def __missing__(self, token: str) -> int:
        number = self[token] = len(self)
        return number
