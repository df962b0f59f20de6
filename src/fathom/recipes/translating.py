"""What all translators share: their experiment, and how well they translate what was held out."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from fathom.core.experiment import Batches, Experiment
from fathom.core.findings import Findings, Number, Table
from fathom.core.seeds import current_seed
from fathom.data.pair_batches import NOTHING, PairBatches
from fathom.data.pairs import Pairs, PairSet, Sentence, pair_set
from fathom.predictors.translation import Translator
from fathom.recipes.libraries import Library
from fathom.recipes.schedules import inverse_root
from fathom.text.bleu import book_bleu, corpus_bleu

MEASURED = 4_000  # held-out sentences that are translated in the end, at most
SHOWN = 6
BOOK_K = 2
BOOK_SENTENCES = (
    ("go .", "va !"),
    ("i lost .", "j'ai perdu ."),
    ("he's calm .", "il est calme ."),
    ("i'm home .", "je suis chez moi ."),
)


def drawn_pairs(
    data: str, examples: int | None, held_out: float, num_steps: int, min_freq: int
) -> PairSet:
    """The pairs of `data`; the run's seed draws which of them are held out."""
    return pair_set(
        data,
        examples=examples,
        held_out=held_out,
        num_steps=num_steps,
        min_freq=min_freq,
        seed=current_seed(),
    )


def translation(
    pairs: PairSet,
    model: nn.Module,
    lib: Library,
    *,
    bucketed: bool,
    batch_size: int,
    lr: float,
    warm_up: int = 0,
    clip: float,
    epochs: int,
) -> Experiment:
    """Train `model` by Adam on target tokens, padding left out; measure it on what was held out.

    In the first `warm_up` steps, if any, the rate rises to `lr`, then to fall as their root.
    """
    optimizer = lib.optim.Adam(model.parameters(), lr=lr)
    schedule = None
    if warm_up:
        schedule = lib.optim.lr_scheduler.LambdaLR(optimizer, inverse_root(warm_up))
    cross_entropy = lib.nn.CrossEntropyLoss(ignore_index=NOTHING)

    def loss(logits_BTV: Tensor, labels_BT: Tensor) -> Tensor:
        return cross_entropy(logits_BTV.flatten(0, 1), labels_BT.flatten())

    def batches(part: Pairs, **more: Any) -> PairBatches:
        return PairBatches(pairs.numbered(part), batch_size=batch_size, **more)

    translator = Translator(pairs, attends=hasattr(model, "maps"))
    valid = None if pairs.valid is None else batches(pairs.valid, shuffle=False, split="valid")
    return Experiment(
        model,
        batches(pairs.train, bucketed=bucketed),
        loss,
        optimizer,
        epochs,
        valid=valid,
        counts=lambda labels_BT: (labels_BT != NOTHING).sum(),
        schedule=schedule,
        clip=clip,
        predictor=translator,
        notes=pairs.notes(),
        examine=_examined(pairs, translator),
        report=_report(pairs, translator),
    )


def _examined(pairs: PairSet, translator: Translator) -> Callable[[nn.Module, Batches], Findings]:
    """Translations of what is held out, and their scores."""

    def examine(model: nn.Module, held_out: Batches) -> Findings:
        assert pairs.valid is not None, "there are batches of it"
        references = by_source(pairs.valid)
        sources = list(references)[:: -(-len(references) // MEASURED)]  # of all lengths
        found = [tokens for tokens, _ in translator.translated(model, sources)]
        right = [references[source] for source in sources]
        target = pairs.train.target_text
        rows = [
            [pairs.train.source_text(s), target(f), target(r[0])]
            for s, f, r in zip(sources, found, right, strict=True)
        ]
        step = max(1, len(rows) // SHOWN)
        columns = ["held out", "translated", "a right one"]
        return Findings(
            numbers=scores(found, right, target),
            tables={"Held out": Table(columns, rows[::step][:SHOWN])},
        )

    return examine


def _report(pairs: PairSet, translator: Translator) -> Callable[[nn.Module], Findings]:
    """How much was trained on, and the book's four sentences translated."""

    def report(model: nn.Module) -> Findings:
        numbers: dict[str, Number | float] = {
            "trained on": Number(len(pairs.train), f"pairs of {pairs.train.name}")
        }
        tables = {}
        if pairs.train.name == "fra-eng":
            mean, tables["The book's sentences"] = the_book_s(translator, model)
            numbers["mean BLEU of the book's four"] = Number(mean, f"book's, k = {BOOK_K}")
        return Findings(numbers=numbers, tables=tables)

    return report


def the_book_s(translator: Translator, model: nn.Module) -> tuple[float, Table]:
    """The mean BLEU of the four sentences that the book translates, and a row for each."""
    sources = [english.split() for english, _ in BOOK_SENTENCES]
    rows: list[list[Any]] = []
    found = translator.translated(model, sources)
    for (english, french), (tokens, _) in zip(BOOK_SENTENCES, found, strict=True):
        score = book_bleu(tokens, french.split(), k=BOOK_K)
        rows.append([english, " ".join(tokens), french, score])
    columns = ["", "translated", "right", f"BLEU, k = {BOOK_K}"]
    return statistics.fmean(row[-1] for row in rows), Table(columns, rows)


def by_source(pairs: Pairs) -> dict[tuple[str, ...], list[Sentence]]:
    """Every source sentence once, with all of its translations."""
    found: dict[tuple[str, ...], list[Sentence]] = {}
    for source, target in zip(pairs.sources, pairs.targets, strict=True):
        found.setdefault(tuple(source), []).append(target)
    return found


def scores(
    found: Sequence[Sentence],
    references: Sequence[Sequence[Sentence]],
    text: Callable[[Sentence], str],
) -> dict[str, Number]:
    """Of translations that may be any of their references."""
    texts = [text(tokens) for tokens in found]
    right = [[text(tokens) for tokens in group] for group in references]
    exact = statistics.fmean(t in group for t, group in zip(texts, right, strict=True))
    book = statistics.fmean(
        max(book_bleu(tokens, reference, k=BOOK_K) for reference in group)
        for tokens, group in zip(found, references, strict=True)
    )
    return {
        "exact match": Number(exact, f"of {len(found):,} held-out sentences"),
        "BLEU of the corpus": Number(corpus_bleu(texts, right).score, "sacrebleu's, of 100"),
        "mean BLEU": Number(book, f"book's, k = {BOOK_K}, of 1"),
    }
