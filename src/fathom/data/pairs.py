"""Sentences in pairs, to learn translation from: sets by name, or a .tsv file of one's own.

Source   Book 9.5, whose tokens `book_tokens` gives.
Differs  Truncation keeps `<eos>`, which the book's code cuts off, so that long targets never see
         an end. What is held out shares no source sentence with what is trained on.
Shapes   N pairs, S steps of a source, T of a target, both with `<eos>` and padded with `<pad>`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from fathom.core.errors import DataError, SettingError, did_you_mean
from fathom.core.kept import keep, known, unread
from fathom.core.order import permutation
from fathom.data import fra_eng, written_dates
from fathom.data.files import named
from fathom.data.sources import sources
from fathom.data.text_files import pieces
from fathom.text.vocab import Vocab

PairFile = Annotated[
    str, "pairs: fra-eng, dates, or a .tsv file (on each line a sentence, a tab, its translation)"
]
RESERVED = ("<pad>", "<bos>", "<eos>")
PAD, BOS, EOS = 1, 2, 3  # `<unk>` is 0
MOST_STEPS = 1_000
PAIR = "pair.txt"  # the first one, which a run keeps to show what to write
SIDES = {False: ("source", "target"), True: ("written", "meant")}  # of words, of dates
Sentence = Sequence[str]

_HARD_SPACES = str.maketrans({"\u202f": " ", "\xa0": " "})
_BEFORE_MARK = re.compile(r"(?<=\S)(?=[,.!?])")


def book_tokens(sentence: str) -> Sentence:
    """Lower-case words; `, . ! ?` are tokens of their own (book 9.5.2)."""
    return _spaced(sentence).split()


def _spaced(text: str) -> str:
    return _BEFORE_MARK.sub(" ", text.translate(_HARD_SPACES).lower())


@dataclass(frozen=True)
class Pairs:
    """Tokenised sentences and their translations, in the order of their file.

    `tokens` splits a sentence of either language; the last two put one together again.
    """

    name: str
    sources: Sequence[Sentence]
    targets: Sequence[Sentence]
    tokens: Callable[[str], Sentence] = book_tokens
    source_text: Callable[[Sequence[str]], str] = " ".join
    target_text: Callable[[Sequence[str]], str] = " ".join

    def __len__(self) -> int:
        return len(self.sources)

    def take(self, which: Sequence[int]) -> Pairs:
        """Those of these numbers."""
        return replace(
            self,
            sources=[self.sources[i] for i in which],
            targets=[self.targets[i] for i in which],
        )


def load_pairs(name_or_file: str, *, most: int | None = None, seed: int = 0) -> Pairs:
    """Pairs of the catalogue, or of a .tsv file; the first `most`, if given, or all.

    Raises SettingError with the near match if there is neither, DataError that names the line.
    """
    if name_or_file == written_dates.SOURCE.name:
        return _dates(name_or_file, written_dates.pairs(seed=seed)[:most])
    if name_or_file == fra_eng.SOURCE.name:
        return parsed(fra_eng.text(), name_or_file, most)
    path = Path(name_or_file).expanduser()
    if path.suffix == ".tsv" or path.is_file():
        return parsed("".join(pieces(path)), named(path), most)
    known = [name for name, source in sources().items() if source.kind == "pairs"]
    remedy = did_you_mean(name_or_file, known, f"name {', '.join(known)} or a .tsv file")
    raise SettingError(f"pairs '{name_or_file}'", "are not known, nor a file", remedy)


def _dates(name: str, pairs: Sequence[tuple[str, str]]) -> Pairs:
    """Pairs of a date in any words and its ISO form, character by character."""
    return Pairs(
        name,
        [written_dates.tokens(written) for written, _ in pairs],
        [list(meant) for _, meant in pairs],
        written_dates.tokens,
        written_dates.text,
        "".join,
    )


def parsed(text: str, name: str, most: int | None = None) -> Pairs:
    """A sentence, a tab and its translation a line; further columns and empty lines are left out.

    Raises DataError that names the line on which one of the two is missing.
    """
    found: list[tuple[Sentence, Sentence]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if len(found) == most:
            break
        if not line or line.isspace():
            continue
        columns = _spaced(line).split("\t")
        if len(columns) < 2:
            wrong = "has one column, not a sentence, a tab and its translation"
            raise DataError(f"{name} line {number}", wrong, "mend the line")
        source, target = columns[0].split(), columns[1].split()
        if not source or not target:
            wrong = f"its {'translation' if source else 'sentence'} is empty"
            raise DataError(f"{name} line {number}", wrong, "fill it in, or remove the line")
        found.append((source, target))
    if not found:
        raise DataError(name, "holds no pairs", "write a sentence, a tab and its translation")
    sentences, translations = zip(*found, strict=True)
    return Pairs(name, list(sentences), list(translations))


def parted(
    pairs: Pairs, examples: int | None, held_out: float, seed: int
) -> tuple[Pairs, Pairs | None]:
    """What to train on, and what to measure on: no source sentence is in both.

    With `examples` the first so many are trained on, as in the book, and of those after them
    `held_out` times as many are held out; without, all are parted by chance. Raises SettingError
    where nothing is left for one of the two.
    """
    if examples is not None and examples < len(pairs):
        trained = pairs.take(range(examples))
        known = {*map(tuple, trained.sources)}
        rest = [i for i in range(examples, len(pairs)) if tuple(pairs.sources[i]) not in known]
        held = rest[: round(held_out * examples)]
        return trained, pairs.take(held) if held else None
    if held_out == 0:
        return pairs, None
    by_source: dict[tuple[str, ...], list[int]] = {}
    for number, source in enumerate(pairs.sources):
        by_source.setdefault(tuple(source), []).append(number)
    groups = list(by_source.values())
    count = max(1, round(held_out * len(groups)))
    if count >= len(groups):
        wrong = f"leaves none of {len(groups)} sentences to train on"
        raise SettingError(f"--held-out {held_out}", wrong, "hold out less, or give more pairs")
    chosen = permutation(len(groups), seed, 0)[:count].tolist()
    held = sorted(number for group in chosen for number in groups[group])
    apart = set(held)
    return pairs.take([i for i in range(len(pairs)) if i not in apart]), pairs.take(held)


@dataclass(frozen=True)
class Numbered:
    """Pairs in numbers: (N, S) and (N, T), int32, padded; how long each is with `<eos>`, (N,)."""

    source: Tensor
    source_lens: Tensor
    target: Tensor
    target_lens: Tensor

    def __len__(self) -> int:
        return len(self.source_lens)


@dataclass(frozen=True)
class PairSet:
    """What is trained on, what is held out, and the vocabularies of the former.

    Of pairs that a trained model reads elsewhere, all are held out; the vocabularies are its own.
    """

    train: Pairs
    valid: Pairs | None
    source: Vocab
    target: Vocab
    num_steps: int

    def notes(self) -> list[str]:
        """What is to be said of pairs that a trained model reads elsewhere."""
        if self.valid is not self.train:
            return []
        sides = (self.source, self.train.sources), (self.target, self.train.targets)
        shares = [_unknown(vocab, sentences) for vocab, sentences in sides]
        told = f"{100 * shares[0]:.2g}% of the sources' words and {100 * shares[1]:.2g}% of the"
        return [f"{told} targets' are not known to the model"] if any(shares) else []

    def numbered(self, pairs: Pairs) -> Numbered:
        """Both sides in numbers, of at most `num_steps` with `<eos>`."""
        sources = padded(pairs.sources, self.source, self.num_steps)
        return Numbered(*sources, *padded(pairs.targets, self.target, self.num_steps))


def pair_set(
    name_or_file: str,
    *,
    examples: int | None,
    held_out: float,
    num_steps: int,
    min_freq: int = 2,
    seed: int = 0,
) -> PairSet:
    """Pairs by name or file, parted as `parted` says, with the words that occur `min_freq` times.

    A trained model that reads other pairs than its own knows its own words, and those only.

    Raises SettingError for settings that leave nothing, DataError that names a line.
    """
    if not 2 <= num_steps <= MOST_STEPS:
        wrong = f"is not in [2, {MOST_STEPS}]"
        raise SettingError(f"--num-steps {num_steps}", wrong, "a token and <eos> are two")
    for dated, sides in SIDES.items():
        if None not in (saved := [known(f"{side}.tsv") for side in sides]):
            source, target = (Vocab.parsed(str(text), "a vocabulary of the run") for text in saved)
            return _elsewhere(name_or_file, dated, source, target, num_steps, seed)
    # A source has several translations: enough lines for those held out to have others.
    most = None if examples is None else math.ceil(examples * (1 + 2 * held_out)) + 100
    pairs = load_pairs(name_or_file, most=most, seed=seed)
    train, valid = parted(pairs, examples, held_out, seed)
    source, target = (vocabulary(side, min_freq) for side in (train.sources, train.targets))
    sides = SIDES[name_or_file == written_dates.SOURCE.name]
    for side, vocab in zip(sides, (source, target), strict=True):
        keep(f"{side}.tsv", vocab.as_text)
    first = pairs.source_text(pairs.sources[0]), pairs.target_text(pairs.targets[0])
    keep(PAIR, lambda: "\t".join(first) + "\n")
    return PairSet(train, valid, source, target, num_steps)


def _elsewhere(
    name_or_file: str, dated: bool, source: Vocab, target: Vocab, num_steps: int, seed: int
) -> PairSet:
    """Pairs in the tokens and the vocabularies of those that a model was trained on.

    Where they are not to be read, one pair stands in for them.
    """
    if not unread():
        pairs = load_pairs(name_or_file, seed=seed)
    elif (pair := known(PAIR)) is not None:
        pairs = parsed(pair, f"{PAIR} of the run")
    else:
        pairs = Pairs(name_or_file, [source.tokens[-1:]], [target.tokens[-1:]])
    if dated and pairs.tokens is not written_dates.tokens:
        both = zip(pairs.sources, pairs.targets, strict=True)
        pairs = _dates(
            pairs.name, [(" ".join(source), " ".join(target)) for source, target in both]
        )
    if not unread() and 1.0 in (_unknown(source, pairs.sources), _unknown(target, pairs.targets)):
        remedy = "give it pairs of the languages that it was trained on"
        raise DataError(pairs.name, "has no word that the model knows", remedy)
    return PairSet(pairs, pairs, source, target, num_steps)


def _unknown(vocab: Vocab, sentences: Sequence[Sentence]) -> float:
    """The share of tokens that are not known."""
    numbers = [number for sentence in sentences for number in vocab.encode(sentence)]
    return numbers.count(0) / len(numbers)


def vocabulary(sentences: Sequence[Sentence], min_freq: int) -> Vocab:
    """The tokens of the sentences that occur so often, after `<unk> <pad> <bos> <eos>`."""
    counts = Counter(token for sentence in sentences for token in sentence)
    return Vocab.counted(counts, min_freq=min_freq, reserved=RESERVED)


def padded(sentences: Sequence[Sentence], vocab: Vocab, num_steps: int) -> tuple[Tensor, Tensor]:
    """Numbers (N, S) int32 and lengths (N,): at most `num_steps`, the last of them `<eos>`."""
    rows = [[*vocab.encode(sentence[: num_steps - 1]), EOS] for sentence in sentences]
    lens_N = torch.tensor([len(row) for row in rows], dtype=torch.int64)
    numbers_NS = torch.full((len(rows), max(map(len, rows), default=1)), PAD, dtype=torch.int32)
    inside = torch.arange(numbers_NS.shape[1]) < lens_N[:, None]
    flat = [number for row in rows for number in row]
    numbers_NS[inside] = torch.tensor(flat, dtype=torch.int32)
    return numbers_NS, lens_N
