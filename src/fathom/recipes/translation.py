"""Machine translation: its data, and sequence to sequence (book 9.5 to 9.7)."""

from __future__ import annotations

from typing import Annotated

from fathom.core.arguments import Bounds, Count, Fraction, Impl, Rate
from fathom.core.experiment import Experiment
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data.pairs import PairFile, pair_set
from fathom.models.seq2seq import seq2seq as seq2seq_model
from fathom.recipes.libraries import library
from fathom.recipes.translating import translation

Examples = Annotated[Count | None, "train on the first so many pairs; or on all"]
Steps = Annotated[int, Bounds(at_least=2), "tokens of a sentence that are kept, with <eos>"]
HeldOut = Annotated[Fraction, "as large a share to measure on, of whose sources none is trained on"]
MinFreq = Annotated[Count, "words that are rarer are <unk>"]
Size = Annotated[Count, "numbers for each token"]
Hidden = Annotated[Count, "numbers in the state of a layer"]


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
    minutes=1,
    book="mean BLEU (k = 2) of four sentences 0.695 [0.199, 0.914]",
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
    pairs = pair_set(
        data,
        examples=examples,
        held_out=held_out,
        num_steps=num_steps,
        min_freq=min_freq,
        seed=current_seed(),
    )
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
        lib.optim.Adam(model.parameters(), lr=lr),
        batch_size=batch_size,
        epochs=epochs,
        clip=clip,
        bucketed=bucketed,
    )
