"""Attention with the book's networks: epochs of a Transformer, and decoding with and without cache.

The book's way to train is `book_transformer` in the loop of `bench.translation`; its way to
translate is that model, one sentence after the other, a number asked of each step. A beam's peer
follows one beginning after the other, each with a state of its own. The bare way to train is our
model in a plain loop; to translate, our `step` by hand; to search, a beam for each source.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fathom.bench.book_transformer import BookTransformer
from fathom.bench.ours import prepared, run_epochs
from fathom.bench.race import Case, Epoch
from fathom.bench.translation import bare_epoch, book_epoch
from fathom.data.pairs import BOS, PairSet, pair_set
from fathom.models.bahdanau import bahdanau
from fathom.models.lean import lean
from fathom.models.transformer import transformer as transformer_model
from fathom.recipes.attention_translation import transformer
from fathom.text.decode import beam, greedy

SOURCES, STEPS, WIDTH = 16, 10, 5
IDS: dict[str, Any] = dict(begin=BOS, end=-1, max_steps=STEPS)  # none ends: all do the same work
WORDS = 200
SMALL: dict[str, Any] = dict(
    hidden_size=32, num_layers=2, num_heads=4, ffn_size=64, dropout=0.1
)  # the book's
LARGE: dict[str, Any] = dict(hidden_size=256, num_layers=4, num_heads=8, ffn_size=1024, dropout=0.1)
SMALL_DATA: dict[str, Any] = dict(data="dates", examples=600, held_out=0.2, num_steps=STEPS)
LARGE_PAIRS, LARGE_STEPS = 64, 64


@cache
def _long_pairs() -> str:
    """A file of pairs of as many words as a large network is given, drawn by chance."""
    chance = random.Random(0)

    def sentence() -> str:
        return " ".join(f"w{chance.randrange(WORDS)}" for _ in range(LARGE_STEPS))

    path = Path(tempfile.gettempdir()) / "fathom-bench-pairs.tsv"
    path.write_text("".join(f"{sentence()}\t{sentence()}\n" for _ in range(LARGE_PAIRS + 8)))
    return str(path)


def _given(large: bool) -> dict[str, Any]:
    if not large:
        return {**SMALL_DATA, **SMALL}
    data: dict[str, Any] = dict(data=_long_pairs(), examples=LARGE_PAIRS, num_steps=LARGE_STEPS)
    return {**data, **LARGE, "batch_size": 16, "held_out": 0.05}


def _pairs(large: bool) -> PairSet:
    given = _given(large)
    names = ("examples", "held_out", "num_steps")
    return pair_set(given["data"], **{name: given[name] for name in names})


def _training(large: bool) -> dict[str, Callable[[], Epoch]]:
    sizes, steps, batch = (LARGE, LARGE_STEPS, 16) if large else (SMALL, STEPS, 64)

    def ours() -> Epoch:
        return run_epochs(prepared(transformer.__recipe__, _given(large)))  # type: ignore[attr-defined]

    def raced(make: Any, epoch: Any) -> Callable[[], Epoch]:
        def build() -> Epoch:
            pairs = _pairs(large)
            torch.manual_seed(0)
            model = make(len(pairs.source), len(pairs.target), **sizes)
            optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
            made: Epoch = epoch(pairs, model, optimizer, steps=steps, batch_size=batch)
            return made

        return build

    return {
        "ours": ours,
        "peer": raced(BookTransformer, book_epoch),
        "bare": raced(transformer_model, bare_epoch),
    }


def _sources() -> tuple[Tensor, Tensor]:
    """Sources to translate, each of STEPS words."""
    generator = torch.Generator().manual_seed(0)
    numbers_BS = torch.randint(4, WORDS, (SOURCES, STEPS), generator=generator)
    return numbers_BS, torch.full((SOURCES,), STEPS)


def _ours(together: bool) -> Callable[[], Epoch]:
    def build() -> Epoch:
        model = transformer_model(WORDS, WORDS, **SMALL).eval()
        numbers_BS, lens_B = _sources()
        size = SOURCES if together else 1

        def epoch() -> None:
            quick = lean(model)  # as for each file of sentences that is translated
            with torch.inference_mode():
                for some, lens in zip(numbers_BS.split(size), lens_B.split(size), strict=True):
                    greedy(quick, some, lens, **IDS).rows(-1)

        return epoch

    return build


def _book_s() -> Epoch:
    model = BookTransformer(WORDS, WORDS, **SMALL).eval()
    numbers_BS, lens_B = _sources()

    def translated(source_1S: Tensor, lens_1: Tensor) -> list[int]:
        state = model.begin(source_1S, lens_1)
        token_11, written = torch.tensor([[BOS]]), []
        for _ in range(STEPS):
            token_11 = model.word(token_11, state).argmax(dim=2)
            written.append(int(token_11.squeeze(dim=0).type(torch.int32).item()))
        return written

    def epoch() -> None:
        for source_1S, lens_1 in zip(numbers_BS.split(1), lens_B.split(1), strict=True):
            translated(source_1S, lens_1)

    return epoch


def _by_hand() -> Epoch:
    model = transformer_model(WORDS, WORDS, **SMALL).eval()
    numbers_BS, lens_B = _sources()

    def epoch() -> None:
        with torch.inference_mode():
            for source_1S, lens_1 in zip(numbers_BS.split(1), lens_B.split(1), strict=True):
                state, token_1 = model.start(source_1S, lens_1), torch.tensor([BOS])
                for _ in range(STEPS):
                    logits_1V, state = model.step(token_1, state)
                    token_1 = logits_1V.argmax(dim=1)

    return epoch


def _our_beam(size: int) -> Callable[[], Epoch]:
    """A beam of `size` sources at a time."""

    def build() -> Epoch:
        model = bahdanau(WORDS, WORDS).eval()
        numbers_BS, lens_B = _sources()

        def epoch() -> None:
            quick = lean(model)
            with torch.inference_mode():
                for some, lens in zip(numbers_BS.split(size), lens_B.split(size), strict=True):
                    beam(quick, some, lens, width=WIDTH, alpha=0.75, **IDS).rows(-1)

        return epoch

    return build


def _plain_beam() -> Epoch:
    model = bahdanau(WORDS, WORDS).eval()
    numbers_BS, lens_B = _sources()

    def searched(source_1S: Tensor, lens_1: Tensor) -> list[int]:
        held: list[tuple[float, list[int], Any]] = [(0.0, [BOS], model.start(source_1S, lens_1))]
        for _ in range(STEPS):
            reached = []
            for log_prob, tokens, state in held:
                logits_1V, after = model.step(torch.tensor([tokens[-1]]), state)
                best = logits_1V.log_softmax(1).topk(WIDTH)
                for n in range(WIDTH):
                    gained, token = best.values[0, n].item(), int(best.indices[0, n])
                    reached.append((log_prob + gained, [*tokens, token], after))
            held = sorted(reached, key=lambda found: -found[0])[:WIDTH]
        return held[0][1][1:]

    def epoch() -> None:
        with torch.inference_mode():
            for source_1S, lens_1 in zip(numbers_BS.split(1), lens_B.split(1), strict=True):
                searched(source_1S, lens_1)

    return epoch


def _decoding(ours: Callable[[], Epoch]) -> dict[str, Callable[[], Epoch]]:
    return {"ours": ours, "peer": _book_s, "bare": _by_hand}


BEAMS = {"ours": _our_beam(SOURCES), "peer": _plain_beam, "bare": _our_beam(1)}
TOKENS = SOURCES * STEPS
CASES = {
    "transformer": Case("transformer", "pairs/s", 600, _training(large=False)),
    "transformer-256": Case("transformer-256", "pairs/s", LARGE_PAIRS, _training(large=True)),
    "decode": Case("decode", "tokens/s", TOKENS, _decoding(_ours(together=False))),
    "decode-16": Case("decode-16", "tokens/s", TOKENS, _decoding(_ours(together=True))),
    "beam": Case("beam", "tokens/s", TOKENS, BEAMS),
}
