"""Machine translation with attention: Bahdanau's, and the Transformer (book 10.4 and 10.7)."""

from __future__ import annotations

from typing import Annotated

from fathom.core.arguments import Bounds, Count, Fraction, Impl, Rate
from fathom.core.errors import SettingError
from fathom.core.experiment import Experiment
from fathom.core.recipe import recipe
from fathom.data.pairs import PairFile
from fathom.models.bahdanau import bahdanau
from fathom.models.transformer import transformer as transformer_model
from fathom.recipes.libraries import library
from fathom.recipes.translating import drawn_pairs, translation
from fathom.recipes.translation import Examples, HeldOut, Hidden, MinFreq, Size, Steps

Layers = Annotated[Count, "layers of the encoder, and of the decoder"]
Bucketed = Annotated[bool, "batches of sentences of like length"]
Clip = Annotated[Rate, "the norm that gradients are brought down to"]


@recipe(
    section="10.4",
    title="Bahdanau attention",
    zh="Bahdanau 注意力",
    sample=dict(
        data="dates",
        examples=10_000,
        num_steps=14,
        hidden_size=64,
        num_layers=1,
        batch_size=128,
        epochs=6,
    ),
    minutes=1,
    book="mean BLEU (k = 2) of four sentences 0.750 [0.664, 0.914]",
    ours="0.914, three seeds",
)
def attention_seq2seq(
    data: PairFile = "fra-eng",
    *,
    impl: Impl = "torch",
    examples: Examples = 600,
    held_out: HeldOut = 0.1,
    num_steps: Steps = 10,
    min_freq: MinFreq = 2,
    embedding_size: Size = 32,
    hidden_size: Hidden = 32,
    num_layers: Layers = 2,
    dropout: Annotated[Fraction, "share left out between layers, and of what is attended to"] = 0.1,
    bucketed: Bucketed = False,
    batch_size: Count = 64,
    lr: Rate = 0.005,
    clip: Clip = 1.0,
    epochs: Count = 250,
) -> Experiment:
    """Translate, looking back at the whole source before each word (Bahdanau et al., 2015).

    The decoder's state asks; all of the encoder's outputs answer, each as far as it fits. So a
    sentence no longer has to fit into one state, and the map of who looked where is a picture of
    the translation: `fathom predict attention-seq2seq "..." --show-attention`.
    """
    lib = library(impl)
    pairs = drawn_pairs(data, examples, held_out, num_steps, min_freq)
    model = bahdanau(
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


@recipe(
    section="10.7",
    title="Transformer",
    zh="Transformer",
    sample=dict(
        data="dates",
        examples=10_000,
        num_steps=14,
        hidden_size=64,
        ffn_size=128,
        dropout=0.0,
        batch_size=128,
        lr=0.003,
        warm_up=100,
        epochs=8,
    ),
    minutes=0.6,
    book="mean BLEU (k = 2) of four sentences 0.914 [0.5, 1.0]",
    ours="1.000 [0.750, 1.000]",
)
def transformer(
    data: PairFile = "fra-eng",
    *,
    impl: Impl = "torch",
    examples: Examples = 600,
    held_out: HeldOut = 0.1,
    num_steps: Steps = 10,
    min_freq: MinFreq = 2,
    hidden_size: Annotated[Count, "numbers for each token, in all layers"] = 32,
    num_layers: Layers = 2,
    num_heads: Annotated[Count, "attentions of a layer, side by side"] = 4,
    ffn_size: Annotated[Count, "hidden units for each token by itself"] = 64,
    dropout: Annotated[Fraction, "share left out of attention, and of each layer"] = 0.1,
    bucketed: Bucketed = False,
    batch_size: Count = 64,
    lr: Rate = 0.005,
    warm_up: Annotated[
        int, Bounds(at_least=0), "steps in which lr rises, to fall as their root; or it is constant"
    ] = 0,
    clip: Clip = 1.0,
    epochs: Count = 200,
) -> Experiment:
    """Translate by attention alone: every word looks at every other (Vaswani et al., 2017).

    There is no recurrence, so all places of a sentence are computed at once, and any two words
    are one step apart; order is known only from codes that are added to the words. Several heads
    look for several things: `fathom predict transformer "..." --show-attention` draws each.
    """
    if hidden_size % num_heads:
        wrong = f"does not go into --hidden-size {hidden_size}"
        raise SettingError(f"--num-heads {num_heads}", wrong, "each head takes an equal share")
    lib = library(impl)
    pairs = drawn_pairs(data, examples, held_out, num_steps, min_freq)
    model = transformer_model(
        len(pairs.source),
        len(pairs.target),
        hidden_size=hidden_size,
        num_layers=num_layers,
        num_heads=num_heads,
        ffn_size=ffn_size,
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
        warm_up=warm_up,
        clip=clip,
        epochs=epochs,
    )
