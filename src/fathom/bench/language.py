"""Character models of 512 numbers, batches of 32 by 35; and a text read and numbered.

The book's way is re-enacted as its from-scratch sections describe it: one-hot vectors, a loop over
the steps with a product for each gate and each of its two inputs, a layer of outputs for each step,
gradients measured and scaled one after the other, plain descent, sums kept in Python. The bare loop
is torch's own layer on the same vectors in single precision, and nothing but learning.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from fathom.bench.ours import prepared, run_epochs
from fathom.bench.race import Case, Epoch
from fathom.core.recipe import Recipe
from fathom.data import time_machine
from fathom.data.sources import fetch
from fathom.data.texts import load_text
from fathom.models.language import Cell, language_model
from fathom.recipes.recurrent import gru, lstm, rnn

HIDDEN, ROWS, STEPS, CLIP, LR = 512, 32, 35, 1.0, 1.0
GIVEN = dict(data="pydoc", hidden_size=HIDDEN, batch_size=ROWS, num_steps=STEPS, lr=LR, clip=CLIP)
TOKENS = 10_000
SEEN = (TOKENS - STEPS) // ROWS // STEPS * ROWS * STEPS  # in an epoch
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
RECIPES: dict[Cell, Recipe] = {
    "rnn": rnn.__recipe__,  # type: ignore[attr-defined]
    "gru": gru.__recipe__,  # type: ignore[attr-defined]
    "lstm": lstm.__recipe__,  # type: ignore[attr-defined]
}


def _case(name: str, cell: Cell, impl: str, precision: str) -> Case:
    build: dict[str, Callable[[], Epoch]] = {
        "ours": lambda: run_epochs(
            prepared(RECIPES[cell], GIVEN | {"impl": impl}), precision=precision
        ),
        "peer": lambda: _book_epoch(cell),
        "bare": lambda: _bare_epoch(cell),
    }
    return Case(name, "tokens/s", SEEN, build)


@cache
def _characters() -> tuple[Tensor, int]:
    text = load_text("pydoc")
    return text.ids[:TOKENS].long(), len(text.vocab)


def _batches() -> Iterator[tuple[Tensor, Tensor]]:
    """The text in order: (32, 35) characters, and those that follow them."""
    text, _ = _characters()
    offset = int(torch.randint(0, STEPS, ()))
    columns = (len(text) - offset - 1) // ROWS
    used = slice(offset, offset + columns * ROWS)
    before, after = (part[used].view(ROWS, columns) for part in (text, text[1:]))
    for start in range(0, columns // STEPS * STEPS, STEPS):
        yield before[:, start : start + STEPS], after[:, start : start + STEPS]


def _book_epoch(cell: Cell) -> Epoch:
    _, size = _characters()
    torch.manual_seed(0)

    def three() -> list[Tensor]:
        """What a gate has: weights of the input, weights of the state, a bias."""
        return [
            torch.normal(0, 0.01, (size, HIDDEN)),
            torch.normal(0, 0.01, (HIDDEN, HIDDEN)),
            torch.zeros(HIDDEN),
        ]

    gates = [three() for _ in range(GATES[cell])]
    out = [torch.normal(0, 0.01, (HIDDEN, size)), torch.zeros(size)]
    parameters = [p.requires_grad_() for gate in (*gates, out) for p in gate]

    def share(number: int, x: Tensor, h: Tensor) -> Tensor:
        of_x, of_h, bias = gates[number]
        return x @ of_x + h @ of_h + bias

    def step(x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        if cell == "rnn":
            return torch.tanh(share(0, x, h)), c
        if cell == "gru":
            z, r = torch.sigmoid(share(0, x, h)), torch.sigmoid(share(1, x, h))
            new = torch.tanh(share(2, x, r * h))
            return z * h + (1 - z) * new, c
        i, f, o = (torch.sigmoid(share(gate, x, h)) for gate in range(3))
        c = f * c + i * torch.tanh(share(3, x, h))
        return o * torch.tanh(c), c

    def epoch() -> None:
        h = c = torch.zeros(ROWS, HIDDEN)
        loss_sum = seen = 0.0
        for tokens, after in _batches():
            h, c = h.detach(), c.detach()
            outputs = []
            for x in nn.functional.one_hot(tokens.T, size).float():
                h, c = step(x, h, c)
                outputs.append(h @ out[0] + out[1])
            loss = nn.functional.cross_entropy(torch.cat(outputs), after.T.reshape(-1))
            for p in parameters:
                p.grad = None
            loss.backward()
            gradients = [p.grad for p in parameters if p.grad is not None]
            norm = math.sqrt(sum(float((gradient**2).sum()) for gradient in gradients))
            if norm > CLIP:
                for gradient in gradients:
                    gradient[:] *= CLIP / norm
            with torch.no_grad():
                for p, gradient in zip(parameters, gradients, strict=True):
                    p.sub_(LR * gradient)
            loss_sum, seen = loss_sum + float(loss.detach()) * after.numel(), seen + after.numel()

    return epoch


def _bare_epoch(cell: Cell) -> Epoch:
    _, size = _characters()
    torch.manual_seed(0)
    model = language_model(size, HIDDEN, cell=cell)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)

    def epoch() -> None:
        state = None
        for tokens, after in _batches():
            logits, state = model.read(tokens, state)
            state = tuple(part.detach() for part in state)
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), after.flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()

    return epoch


def _our_reading() -> Epoch:
    _time_machine()

    def epoch() -> None:
        load_text("time-machine")

    return epoch


def _book_reading() -> Epoch:
    """Line by line, then a number for each character, asked of a class."""
    path = _time_machine()

    class Numbers:
        def __init__(self, tokens: list[list[str]]) -> None:
            counts = Counter(token for line in tokens for token in line)
            self.frequencies = sorted(counts.items(), key=lambda pair: pair[1], reverse=True)
            self.names = ["<unk>"]
            self.index = {"<unk>": 0}
            for token, _ in self.frequencies:
                if token not in self.index:
                    self.names.append(token)
                    self.index[token] = len(self.names) - 1

        def __getitem__(self, token: str | list[str]) -> int | list[int]:
            if not isinstance(token, list | tuple):
                return self.index.get(token, 0)
            return [self[each] for each in token]  # type: ignore[misc]

    def epoch() -> None:
        with open(path, encoding="utf-8") as file:
            lines = [re.sub("[^A-Za-z]+", " ", line).strip().lower() for line in file]
        tokens = [list(line) for line in lines]
        numbers = Numbers(tokens)
        torch.tensor([numbers[token] for line in tokens for token in line])

    return epoch


def _bare_reading() -> Epoch:
    """The file whole, and a count of its words."""
    path = Path(_time_machine())

    def epoch() -> None:
        Counter(path.read_text(encoding="utf-8").split())

    return epoch


def _time_machine() -> str:
    return str(next(iter(fetch(time_machine.SOURCE).values())))


CASES = {
    case.name: case
    for case in (
        *(_case(cell, cell, "torch", "auto") for cell in RECIPES),
        *(_case(f"{cell}-scratch", cell, "scratch", "fp32") for cell in RECIPES),
        *(_case(f"{cell}-scratch-bf16", cell, "scratch", "bf16") for cell in RECIPES),
        Case(
            "time-machine",
            "characters/s",
            170_580,
            {"ours": _our_reading, "peer": _book_reading, "bare": _bare_reading},
        ),
    )
}
