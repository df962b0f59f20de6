"""The graphs of models, put together by hand as another program would, against the models."""

from __future__ import annotations

import pytest
import torch

from fathom.models.bahdanau import bahdanau
from fathom.models.bidirectional import Readers, tagger
from fathom.models.gpt import gpt
from fathom.models.language import language_model
from fathom.models.seq2seq import seq2seq
from fathom.models.transformer import transformer
from fathom.text.decode import greedy

BEGIN, END, STEPS = 1, 2, 6
SIZES = dict(hidden_size=8, num_layers=2)
TRANSLATORS = {
    "seq2seq": lambda: seq2seq(11, 9, embedding_size=5, **SIZES),
    "bahdanau": lambda: bahdanau(11, 9, embedding_size=5, **SIZES),
    "transformer": lambda: transformer(11, 9, ffn_size=12, **SIZES),
}
MODELS = TRANSLATORS | {
    "rnn": lambda: language_model(7, 5),
    "lstm": lambda: language_model(7, 5, cell="lstm", num_layers=2, embedding_size=3),
    "gpt": lambda: gpt(7, **SIZES),
    "readers": lambda: Readers(
        *(tagger(7, 3, 5, bidirectional=both) for both in (True, False, True))
    ),
}


@pytest.fixture(autouse=True)
def in_use():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def tuples(found):
    return found if isinstance(found, tuple) else (found,)


@pytest.mark.parametrize("name", MODELS)
def test_inputs_and_outputs_are_named_and_may_be_smaller(name):
    for graph in MODELS[name]().eval().graphs():
        assert graph.free.keys() == graph.inputs.keys()
        whole = tuples(graph.function(*graph.inputs.values()))
        assert len(whole) == len(graph.outputs)
        smaller = graph.smaller()
        found = tuples(graph.function(*smaller.values()))
        assert (len(whole[0]), len(found[0])) == (2, 1)
        for input_name, sizes in graph.free.items():
            for dim in sizes:
                assert smaller[input_name].shape[dim] < graph.inputs[input_name].shape[dim]


@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_a_text_read_in_two_pieces(name):
    model = MODELS[name]().eval()
    (graph,) = model.graphs()
    tokens_BT = torch.randint(7, (3, 9))
    _, *states = graph.inputs.values()
    state = [torch.zeros(len(each), 3, each.shape[2]) for each in states]
    first, *state = graph.function(tokens_BT[:, :4], *state)
    second, *_ = graph.function(tokens_BT[:, 4:], *state)
    torch.testing.assert_close(torch.cat([first, second], 1), model(tokens_BT))


@pytest.mark.parametrize("name", ["gpt", "readers"])
def test_a_network_of_tokens_is_its_own_graph(name):
    model = MODELS[name]().eval()
    (graph,) = model.graphs()
    tokens_BT = torch.randint(7, (3, 9))
    network = model if name == "gpt" else model.both
    torch.testing.assert_close(graph.function(tokens_BT), network(tokens_BT))


def translated(encoder, decoder, source_BS, one_by_one):
    """Greedy: the decoder is given all tokens so far, or the last one and the state after it."""
    state = dict(zip(encoder.outputs, tuples(encoder.function(source_BS)), strict=True))
    tokens_BT = torch.full((len(source_BS), 1), BEGIN)
    for _ in range(STEPS):
        given = tokens_BT[:, -1:] if one_by_one else tokens_BT
        logits, *after = tuples(decoder.function(given, *state.values()))
        tokens_BT = torch.cat([tokens_BT, logits[:, -1:].argmax(-1)], 1)
        names = [name.removesuffix("_after") for name in decoder.outputs[1:]]
        state |= dict(zip(names, after, strict=True))
    return tokens_BT[:, 1:]


@pytest.mark.parametrize("name", TRANSLATORS)
def test_sentences_translated_by_the_graphs(name):
    model = MODELS[name]().eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.normal_()  # at first all tokens are as likely, and anything would agree
    encoder, decoder = model.graphs()
    source_BS = torch.randint(3, 11, (8, 5))
    ids = dict(begin=BEGIN, end=END, max_steps=STEPS)
    expected = greedy(model, source_BS, torch.full((8,), 5), **ids).rows(END)
    found = translated(encoder, decoder, source_BS, name != "transformer").tolist()
    assert [row[: row.index(END)] if END in row else row for row in found] == expected
    assert len({tuple(row) for row in expected}) > 2
