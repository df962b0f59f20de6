"""Recurrent language models (book 8.4 to 8.6, 9.1 to 9.3): plain, gated, with a cell, in layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal

import torch
from torch import Tensor

from fathom.core.arguments import Count, Impl, Rate
from fathom.core.errors import SettingError
from fathom.core.experiment import Experiment
from fathom.core.findings import Findings, Table
from fathom.core.recipe import recipe
from fathom.data.texts import Text, Texts, Units, beginnings, load_text
from fathom.data.token_batches import TokenBatches
from fathom.models.gpt import GPT, gpt
from fathom.models.language import Cell, LanguageModel, language_model
from fathom.plots.passages import surprises
from fathom.predictors.continuation import Continuation
from fathom.recipes.libraries import Library, library

Tokens = Annotated[Count | None, "train on the first so many, measure on what follows; or on all"]
Order = Annotated[
    Literal["sequential", "random"], "windows in order with the state carried over, or shuffled"
]
Steps = Annotated[Count, "tokens in a window"]
Hidden = Annotated[Count, "numbers in the state"]
Embedding = Annotated[Count | None, "numbers for each token; or one-hot vectors, as in the book"]
Clip = Annotated[Rate, "the norm that gradients are brought down to"]
Prefix = Annotated[str, "what is gone on from in the end; if empty, some words of the text"]
ROW = 250  # tokens in a row of what is held out, at least: each begins without a state
HEADS = 4  # of a layer of attention
SHOWN = 400  # held-out characters whose surprise is shown


@recipe(
    section="8.5",
    title="RNN from scratch / concise (8.4, 8.5, 8.6)",
    zh="循环神经网络",
    sample=dict(
        data="pydoc",
        tokens=3_000,
        batch_size=8,
        hidden_size=128,
        order="random",
        lr=0.5,
        epochs=300,
    ),
    minutes=1,
    book="perplexity 1.3 [1.2, 1.4]; with random batches 1.4",
    ours="perplexity 1.314 [1.291, 1.320]; with random batches 1.513 [1.391, 1.561]",
)
def rnn(
    data: Texts = "time-machine",
    *,
    impl: Impl = "torch",
    unit: Units = "char",
    tokens: Tokens = 10_000,
    order: Order = "sequential",
    batch_size: Count = 32,
    num_steps: Steps = 35,
    hidden_size: Hidden = 256,
    embedding_size: Embedding = None,
    lr: Rate = 1.0,
    clip: Clip = 1.0,
    epochs: Count = 500,
    prefix: Prefix = "",
) -> Experiment:
    """Learn to write: predict each character of a text from those before it (Elman, 1990).

    A state of some hundred numbers is all that the network knows of what it has read; each step
    makes a new one of it by the same weights. On ten thousand characters it learns the text by
    heart: the perplexity on what it has not seen tells how little it learned of the language.
    """
    text = load_text(data, unit=unit)
    batches = _batches(text, tokens, order, batch_size, num_steps)
    return _recurrent(
        "rnn", text, batches, impl, hidden_size, embedding_size, lr, clip, epochs, prefix
    )


@recipe(
    section="9.1",
    title="GRU",
    zh="门控循环单元(GRU)",
    sample=dict(data="pydoc", tokens=3_000, batch_size=8, hidden_size=128, lr=2.0, epochs=150),
    minutes=2.5,
    book="perplexity 1.0 [1.0, 1.3] concise, 1.1 [1.0, 1.3] from scratch",
    ours="perplexity 1.044 [1.040, 1.053]",
)
def gru(
    data: Texts = "time-machine",
    *,
    impl: Impl = "torch",
    unit: Units = "char",
    tokens: Tokens = 10_000,
    order: Order = "sequential",
    batch_size: Count = 32,
    num_steps: Steps = 35,
    hidden_size: Hidden = 256,
    embedding_size: Embedding = None,
    lr: Rate = 1.0,
    clip: Clip = 1.0,
    epochs: Count = 500,
    prefix: Prefix = "",
) -> Experiment:
    """Learn to write with gates: one lets go of the past, one skips the present (Cho et al., 2014).

    A gated recurrent unit keeps what it holds for as long as its update gate stays shut, so
    gradients reach further back than through the plain recurrence of `rnn`.
    """
    text = load_text(data, unit=unit)
    batches = _batches(text, tokens, order, batch_size, num_steps)
    return _recurrent(
        "gru", text, batches, impl, hidden_size, embedding_size, lr, clip, epochs, prefix
    )


@recipe(
    section="9.2",
    title="LSTM",
    zh="长短期记忆网络(LSTM)",
    sample=dict(data="pydoc", tokens=3_000, batch_size=8, hidden_size=128, lr=4.0, epochs=200),
    minutes=2,
    book="perplexity 1.0 [1.0, 1.2] concise, 1.1 [1.1, 1.4] from scratch",
    ours="perplexity 1.052 [1.047, 1.059]",
)
def lstm(
    data: Texts = "time-machine",
    *,
    impl: Impl = "torch",
    unit: Units = "char",
    tokens: Tokens = 10_000,
    order: Order = "sequential",
    batch_size: Count = 32,
    num_steps: Steps = 35,
    hidden_size: Hidden = 256,
    embedding_size: Embedding = None,
    lr: Rate = 1.0,
    clip: Clip = 1.0,
    epochs: Count = 500,
    prefix: Prefix = "",
) -> Experiment:
    """Learn to write with a memory that gates guard (Hochreiter and Schmidhuber, 1997).

    The cell is only ever scaled and added to; what is written, kept and shown is decided by three
    gates. It was the first recurrent network whose gradients did not die away over long texts.
    """
    text = load_text(data, unit=unit)
    batches = _batches(text, tokens, order, batch_size, num_steps)
    return _recurrent(
        "lstm", text, batches, impl, hidden_size, embedding_size, lr, clip, epochs, prefix
    )


@recipe(
    section="9.3",
    title="Deep RNNs",
    zh="深度循环神经网络",
    sample=dict(data="pydoc", tokens=3_000, batch_size=8, hidden_size=128, lr=4.0, epochs=200),
    minutes=4.5,
    book="perplexity 1.0 [1.0, 1.6]",
    ours="perplexity 1.030 [1.023, 1.031]",
)
def deep_rnn(
    data: Texts = "time-machine",
    *,
    impl: Impl = "torch",
    cell: Annotated[
        Literal["lstm", "gru", "rnn", "attention"],
        "what each layer is made of; of attention it is a GPT, for Adam: --lr 0.002 --order random",
    ] = "lstm",
    num_layers: Annotated[Count, "layers, each reading the states of the last"] = 2,
    unit: Units = "char",
    tokens: Tokens = 10_000,
    order: Order = "sequential",
    batch_size: Count = 32,
    num_steps: Steps = 35,
    hidden_size: Hidden = 256,
    embedding_size: Embedding = None,
    lr: Rate = 2.0,
    clip: Clip = 1.0,
    epochs: Count = 500,
    prefix: Prefix = "",
) -> Experiment:
    """Learn to write with layer upon layer: the states of one are the inputs of the next.

    Without recurrence, `--cell attention` is a Transformer that only writes (Radford et al.,
    2018): of the text it sees the last `num_steps` tokens, all at once.
    """
    text = load_text(data, unit=unit)
    measured = num_steps if cell == "attention" else ROW
    batches = _batches(text, tokens, order, batch_size, num_steps, measured)
    if cell == "attention":
        return _attending(text, batches, impl, hidden_size, num_layers, lr, clip, epochs, prefix)
    return _recurrent(
        cell, text, batches, impl, hidden_size, embedding_size, lr, clip, epochs, prefix, num_layers
    )


def _recurrent(
    cell: Cell,
    text: Text,
    batches: tuple[TokenBatches, TokenBatches],
    impl: Impl,
    hidden_size: int,
    embedding_size: int | None,
    lr: float,
    clip: float,
    epochs: int,
    prefix: str,
    num_layers: int = 1,
) -> Experiment:
    """Layers of the `cell`, whose state is carried from each batch to the next."""
    lib = library(impl)
    model = language_model(
        len(text.vocab),
        hidden_size,
        cell=cell,
        num_layers=num_layers,
        embedding_size=embedding_size,
        nn=lib.nn,
    )
    return _writing(text, model, lib, batches, lr, clip, epochs, prefix)


def _attending(
    text: Text,
    batches: tuple[TokenBatches, TokenBatches],
    impl: Impl,
    hidden_size: int,
    num_layers: int,
    lr: float,
    clip: float,
    epochs: int,
    prefix: str,
) -> Experiment:
    """A GPT, measured on windows that are as long as those it is trained on."""
    if hidden_size % HEADS:
        wrong = f"is no multiple of {HEADS}, the heads of a layer"
        raise SettingError(f"--hidden-size {hidden_size}", wrong, "take another size")
    lib = library(impl)
    model = gpt(
        len(text.vocab),
        hidden_size=hidden_size,
        num_layers=num_layers,
        num_heads=HEADS,
        context=batches[0].num_steps,
        nn=lib.nn,
    )
    experiment = _writing(text, model, lib, batches, lr, clip, epochs, prefix)
    return replace(experiment, optimizer=lib.optim.Adam(model.parameters(), lr=lr))


def _batches(
    text: Text,
    tokens: int | None,
    order: str,
    batch_size: int,
    num_steps: int,
    measured: int = ROW,
) -> tuple[TokenBatches, TokenBatches]:
    """To train on, and to measure on: whole, and read in order, so many steps at a time.

    A text that a trained model reads elsewhere is only measured on.
    """
    train, held = text.split(tokens)
    rows = min(batch_size, max(1, len(held) // ROW))
    valid = TokenBatches(held, batch_size=rows, num_steps=measured, whole=True, split="valid")
    if text.elsewhere:
        return valid, valid
    shuffled = order == "random"
    return TokenBatches(train, batch_size=batch_size, num_steps=num_steps, random=shuffled), valid


def _writing(
    text: Text,
    model: LanguageModel | GPT,
    lib: Library,
    batches: tuple[TokenBatches, TokenBatches],
    lr: float,
    clip: float,
    epochs: int,
    prefix: str,
) -> Experiment:
    """Train `model` to bet on the next token; in the end let it go on from `prefix`."""
    train, valid = batches

    def loss(logits_BTV: Tensor, next_BT: Tensor) -> Tensor:
        return lib.cross_entropy(logits_BTV.flatten(0, 1), next_BT.flatten())

    beginning = prefix or text.some_words(len(train.ids) // 10)
    writer = Continuation(text.vocab, text.unit, text.clean, beginnings, beginning)
    if prefix:
        writer.encode(prefix)
    return Experiment(
        model,
        train,
        loss,
        lib.optim.SGD(model.parameters(), lr=lr),
        epochs,
        valid=valid,
        counts=Tensor.numel,
        derived={"perplexity": lambda means: math.exp(min(means["loss"], 700.0))},
        clip=clip,
        predictor=writer,
        notes=text.notes(),
        report=_report(text, train, valid, writer, beginning),
    )


def _report(
    text: Text,
    train: TokenBatches,
    valid: TokenBatches,
    writer: Continuation,
    beginning: str,
) -> Callable[[torch.nn.Module], Findings]:
    """Continuations, and how many bits each held-out token came as a surprise by."""

    def report(model: torch.nn.Module) -> Findings:
        assert isinstance(model, LanguageModel | GPT)
        generator = torch.Generator().manual_seed(0)
        likeliest = writer.continued(model, beginning)
        drawn = writer.continued(model, beginning, temperature=0.7, generator=generator)
        rows = [["the likeliest", beginning + likeliest], ["drawn", beginning + drawn]]
        held = valid.ids[: SHOWN + 1].to(next(model.parameters()).device)
        logits_1TV = _read(model, held[None, :-1])
        bits_1T = -logits_1TV.log_softmax(-1).gather(-1, held[None, 1:, None].long()) / math.log(2)
        figures = {}
        if text.unit == "char":
            figures["surprise"] = surprises(
                text.shown(held[1:].cpu()),
                bits_1T.flatten().tolist(),
                title="text that was not trained on: how surprising each character was",
            )
        return Findings(
            tables={
                "How it goes on": Table(["", "continuation"], rows),
                "Tokens": Table(
                    ["in all", "different", "trained on", "held out"],
                    [[len(text), len(text.vocab) - 1, len(train.ids), len(valid.ids)]],
                ),
            },
            figures=figures,
        )

    return report


def _read(model: LanguageModel | GPT, tokens_BT: Tensor) -> Tensor:
    """The logits (B, T, V) after each token; a GPT, which sees so many, takes them one by one."""
    if isinstance(model, LanguageModel):
        return model.read(tokens_BT)[0]
    logits_B1V, state = model.read(tokens_BT[:, :1])
    found = [logits_B1V]
    for token_B in tokens_BT.t()[1:]:
        logits_B1V, state = model.read(token_B[:, None], state)
        found.append(logits_B1V)
    return torch.cat(found, dim=1)
