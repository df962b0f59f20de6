"""Machine translation: its data, and sequence to sequence (book 9.5 to 9.7)."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Annotated

from fathom.core.arguments import Bounds, Count, Fraction, Impl, Rate
from fathom.core.experiment import Experiment
from fathom.core.findings import Findings, Number, Table
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data.pair_batches import PairBatches
from fathom.data.pairs import EOS, PAD, Numbered, PairFile, PairSet, pair_set, parted
from fathom.models.seq2seq import seq2seq as seq2seq_model
from fathom.plots.lengths import length_histogram
from fathom.recipes.libraries import library
from fathom.recipes.translating import drawn_pairs, translation

Examples = Annotated[Count | None, "train on the first so many pairs; or on all"]
Steps = Annotated[int, Bounds(at_least=2), "tokens of a sentence that are kept, with <eos>"]
HeldOut = Annotated[Fraction, "as large a share to measure on, of whose sources none is trained on"]
MinFreq = Annotated[Count, "words that are rarer are <unk>"]
Size = Annotated[Count, "numbers for each token"]
Hidden = Annotated[Count, "numbers in the state of a layer"]


@recipe(
    section="9.5",
    title="Machine translation and the dataset",
    zh="机器翻译与数据集",
    sample=dict(data="dates", num_steps=11),
    minutes=0.2,
    book="167,130 pairs; 10,012 English words that occur twice; `go .` is 47, 4, <eos>",
    ours="the same",
)
def translation_data(
    data: PairFile = "fra-eng",
    *,
    examples: Examples = None,
    held_out: HeldOut = 0.1,
    num_steps: Steps = 10,
    min_freq: MinFreq = 2,
    batch_size: Count = 64,
) -> Findings:
    """From a file of sentence pairs to batches of numbers, and what is lost on the way.

    Words get numbers, those too rare all the same one; sentences are cut to `num_steps` and end
    in `<eos>` even so, or a decoder would never learn to stop; shorter ones are padded. Batches
    of sentences of like length have little padding.
    """
    pairs = pair_set(data, examples=examples, held_out=0, num_steps=num_steps, min_freq=min_freq)
    train, valid = parted(pairs.train, None, held_out, seed=current_seed())
    numbered = pairs.numbered(pairs.train)
    plain, bucketed = (
        _padding(PairBatches(numbered, batch_size=batch_size, bucketed=b)) for b in (False, True)
    )
    held = set() if valid is None else {*map(tuple, valid.sources)}
    lengths = {
        "sources": [len(sentence) for sentence in pairs.train.sources],
        "targets": [len(sentence) for sentence in pairs.train.targets],
    }
    sides = {"source": (pairs.source, numbered.source), "target": (pairs.target, numbered.target)}
    return Findings(
        numbers={
            "all": Number(len(pairs.train), "pairs"),
            "to train on": Number(len(train), "pairs"),
            "held out": Number(0 if valid is None else len(valid), "pairs"),
            "padding": Number(100 * plain, "% of what a batch holds"),
            "padding, like lengths together": Number(100 * bucketed, "%"),
        },
        tables={
            "Vocabularies": Table(
                ["", "tokens", "most frequent", "unknown, %", "cut, %"],
                [
                    [
                        name,
                        len(vocab),
                        " ".join(vocab.tokens[4:10]),
                        100 * vocab.counts[0] / max(1, sum(vocab.counts)),
                        100 * _share(n >= num_steps for n in lengths[f"{name}s"]),
                    ]
                    for name, (vocab, _) in sides.items()
                ],
            ),
            "The first pairs": _first(pairs, numbered),
        },
        figures={
            "lengths": length_histogram(lengths, limit=num_steps - 1, title="how long they are")
        },
        claims={
            "every sentence ends in <eos>, cut or not": bool(
                all(((numbers == EOS).sum(1) == 1).all() for _, numbers in sides.values())
            ),
            "no source sentence is in both parts": not held & {*map(tuple, train.sources)},
            "sentences of like length together are padded less": bucketed <= plain,
            "words that occur often enough are known": all(
                min(vocab.counts[4:], default=min_freq) >= min_freq for vocab, _ in sides.values()
            ),
        },
    )


def _padding(batches: PairBatches) -> float:
    """The share of padding in all batches of an epoch."""
    sources = [source_BS for (source_BS, _, _), _ in batches.epoch(0, 0)]
    padded = sum(int((source_BS == PAD).sum()) for source_BS in sources)
    return padded / sum(source_BS.numel() for source_BS in sources)


def _share(which: Iterable[bool]) -> float:
    return statistics.fmean(map(float, which))


def _first(pairs: PairSet, numbered: Numbered) -> Table:
    """A row for each side of the first two pairs: the words, and their numbers."""
    rows = []
    for n in range(min(2, len(numbered))):
        for sentence, numbers in (
            (pairs.train.sources[n], numbered.source[n]),
            (pairs.train.targets[n], numbered.target[n]),
        ):
            rows.append([" ".join(sentence), " ".join(map(str, numbers.tolist()))])
    return Table(["words", "numbers"], rows)


@recipe(
    section="9.7",
    title="Sequence to sequence (9.6, 9.7)",
    zh="序列到序列学习(seq2seq)",
    sample=dict(
        data="dates",
        examples=10_000,
        num_steps=14,
        hidden_size=128,
        num_layers=1,
        batch_size=128,
        epochs=8,
    ),
    minutes=0.5,
    book="mean BLEU (k = 2) of four sentences 0.695 [0.199, 0.914]",
    ours="0.914 [0.750, 0.914]",
)
def seq2seq(
    data: PairFile = "fra-eng",
    *,
    impl: Impl = "torch",
    examples: Examples = 600,
    held_out: HeldOut = 0.1,
    num_steps: Steps = 10,
    min_freq: MinFreq = 2,
    embedding_size: Size = 32,
    hidden_size: Hidden = 32,
    num_layers: Annotated[Count, "layers of the encoder, and of the decoder"] = 2,
    dropout: Annotated[Fraction, "share left out between layers"] = 0.1,
    bucketed: Annotated[bool, "batches of sentences of like length"] = False,
    batch_size: Count = 64,
    lr: Rate = 0.005,
    clip: Annotated[Rate, "the norm that gradients are brought down to"] = 1.0,
    epochs: Count = 300,
) -> Experiment:
    """Translate: one network reads a sentence into a state, another writes from it.

    In training the decoder is shown the right words up to each place and asked for the next, all
    places at once; in use it is shown its own. All it knows of the sentence is the encoder's last
    state, which is why it forgets long ones: `attention-seq2seq` looks back instead.
    """
    lib = library(impl)
    pairs = drawn_pairs(data, examples, held_out, num_steps, min_freq)
    model = seq2seq_model(
        len(pairs.source),
        len(pairs.target),
        embedding_size=embedding_size,
        hidden_size=hidden_size,
        num_layers=num_layers,
        dropout=dropout,
        nn=lib.nn,
    )
    return translation(
        pairs,
        model,
        lib,
        bucketed=bucketed,
        batch_size=batch_size,
        lr=lr,
        clip=clip,
        epochs=epochs,
    )
