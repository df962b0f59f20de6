"""Translation with the book's network: epochs of teacher forcing, and translating.

The book's way is re-enacted as it is described: a data loader over tensors of a fixed width, a
mask made for each batch, one gradient after the other measured and clipped, sums kept in Python;
to translate, one sentence after the other, a number asked of each step. It gets the same weights.
The bare way to train is torch's own loss over the same padded tensors; to translate, sentence by
sentence without bookkeeping.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from fathom.bench.ours import prepared, run_epochs
from fathom.bench.race import Case, Epoch
from fathom.data.pairs import BOS, EOS, PAD, PairSet, padded, pair_set
from fathom.models.seq2seq import Seq2Seq
from fathom.predictors.translation import Translator
from fathom.recipes.translation import seq2seq

PAIRS, STEPS, CLIP = 600, 10, 1.0
SENTENCES = 64
GIVEN: dict[str, Any] = dict(data="dates", examples=PAIRS, held_out=0.2, num_steps=STEPS)


@cache
def _pairs() -> PairSet:
    return pair_set("dates", examples=PAIRS, held_out=0.2, num_steps=STEPS)


def _network() -> tuple[Seq2Seq, torch.optim.Optimizer]:
    """The recipe's network with the book's settings, and a plain Adam."""
    torch.manual_seed(0)
    experiment = seq2seq(**GIVEN)
    assert isinstance(experiment.model, Seq2Seq)
    return experiment.model, torch.optim.Adam(experiment.model.parameters(), lr=0.005)


def tensors(pairs: PairSet, steps: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sources and targets of so many steps each, padded, and how long they are."""
    numbers = pairs.numbered(pairs.train)

    def wide(short_NT: Tensor) -> Tensor:
        return nn.functional.pad(short_NT, (0, steps - short_NT.shape[1]), value=PAD).long()

    return wide(numbers.source), numbers.source_lens, wide(numbers.target), numbers.target_lens


def _given(target_BT: Tensor) -> Tensor:
    begin_B1 = torch.full((len(target_BT), 1), BOS)
    return torch.cat([begin_B1, target_BT[:, :-1]], 1)


def _ours() -> Epoch:
    return run_epochs(prepared(seq2seq.__recipe__, GIVEN))  # type: ignore[attr-defined]


def book_epoch(
    pairs: PairSet,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    steps: int = STEPS,
    batch_size: int = 64,
) -> Epoch:
    """An epoch of the book's loop."""
    loader = DataLoader(TensorDataset(*tensors(pairs, steps)), batch_size=batch_size, shuffle=True)
    parameters = [p for p in model.parameters() if p.requires_grad]

    def epoch() -> None:
        loss_sum = tokens = 0.0
        for source_BT, lens_B, target_BT, target_lens_B in loader:
            optimizer.zero_grad()
            logits_BTV = model((source_BT, lens_B, _given(target_BT)))
            weights_BT = torch.ones_like(target_BT)
            outside = torch.arange(steps)[None, :] >= target_lens_B[:, None]
            weights_BT[outside] = 0
            surprise_BT = nn.functional.cross_entropy(
                logits_BTV.permute(0, 2, 1), target_BT, reduction="none"
            )
            loss_B = (surprise_BT * weights_BT).mean(dim=1)
            loss_B.sum().backward()
            grads = [p.grad for p in parameters if p.grad is not None]
            norm = math.sqrt(sum(float((grad**2).sum()) for grad in grads))
            if norm > CLIP:
                for grad in grads:
                    grad[:] *= CLIP / norm
            optimizer.step()
            loss_sum += float(loss_B.detach().sum())
            tokens += float(target_lens_B.sum())

    return epoch


def bare_epoch(
    pairs: PairSet,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    steps: int = STEPS,
    batch_size: int = 64,
) -> Epoch:
    """An epoch of torch's own parts and nothing else."""
    source_NT, lens_N, target_NT, _ = tensors(pairs, steps)

    def epoch() -> None:
        for chosen in torch.randperm(len(source_NT)).split(batch_size):
            target_BT = target_NT[chosen]
            logits_BTV = model((source_NT[chosen], lens_N[chosen], _given(target_BT)))
            loss = nn.functional.cross_entropy(
                logits_BTV.flatten(0, 1), target_BT.flatten(), ignore_index=PAD
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()

    return epoch


def _sentences() -> list[list[str]]:
    valid = _pairs().valid
    assert valid is not None
    return [list(sentence) for sentence in valid.sources[:SENTENCES]]


def _our_translations() -> Epoch:
    model, translator, sentences = _network()[0].eval(), Translator(_pairs()), _sentences()

    def epoch() -> None:
        with torch.inference_mode():
            translator.translated(model, sentences)

    return epoch


def _one_by_one(graph: bool) -> Callable[[], Epoch]:
    """A sentence at a time, each of its steps asked for its token; with a `graph` as the book."""

    def build() -> Epoch:
        model, sentences = _network()[0].eval(), _sentences()
        pairs = _pairs()

        def translated(sentence: list[str]) -> list[str]:
            source_1T, lens_1 = padded([sentence], pairs.source, STEPS)
            state = model.start(source_1T.long(), lens_1)
            token_1, written = torch.tensor([BOS]), []
            for _ in range(STEPS):
                logits_1V, state = model.step(token_1, state)
                token_1 = logits_1V.argmax(dim=1)
                number = int(token_1.item())
                if number == EOS:
                    break
                written.append(number)
            return pairs.target.decode(written)

        def epoch() -> None:
            with torch.set_grad_enabled(graph):
                for sentence in sentences:
                    translated(sentence)

        return epoch

    return build


CASES = {
    "seq2seq": Case(
        "seq2seq",
        "pairs/s",
        PAIRS,
        {
            "ours": _ours,
            "peer": lambda: book_epoch(_pairs(), *_network()),
            "bare": lambda: bare_epoch(_pairs(), *_network()),
        },
    ),
    "translate": Case(
        "translate",
        "sentences/s",
        SENTENCES,
        {"ours": _our_translations, "peer": _one_by_one(True), "bare": _one_by_one(False)},
    ),
}
