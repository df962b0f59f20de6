"""The benchmarks of attention: contenders do the same work; the book's network computes ours."""

from __future__ import annotations

import math

import pytest
import torch
from learning import losses, rows_of_logits

from fathom.bench import attention
from fathom.bench.book_transformer import BookTransformer
from fathom.models.transformer import transformer

SIZES = dict(hidden_size=8, num_layers=2, num_heads=2, ffn_size=6, dropout=0.0)


def test_each_contender_learns_in_as_many_steps(monkeypatch):
    case = attention.CASES["transformer"]
    for name, build in case.build.items():
        epoch = build()
        first, then = losses(epoch, monkeypatch), losses(epoch, monkeypatch)
        assert len(first) == len(then) == math.ceil(case.work / 64), name
        assert sum(then) < 0.9 * sum(first), name
        if name != "peer":  # which adds up what the others take the mean of
            assert first[0] == pytest.approx(3.0, rel=0.2), "of an untrained network"


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("decode", attention.TOKENS),
        ("decode-16", attention.TOKENS),
        ("beam", attention.SOURCES * (1 + attention.WIDTH * (attention.STEPS - 1))),
    ],
)
def test_each_contender_asks_as_often_what_comes_next(name, rows):
    for contender, build in attention.CASES[name].build.items():
        assert rows_of_logits(build(), attention.WORDS) == rows, contender


def test_the_large_one_is_given_as_many_words_as_is_said():
    pairs = attention._pairs(large=True)
    numbers = pairs.numbered(pairs.train)
    assert numbers.source.shape == (attention.LARGE_PAIRS, attention.LARGE_STEPS)


def same_weights():
    torch.manual_seed(0)
    ours, book = transformer(20, 30, **SIZES), BookTransformer(20, 30, **SIZES)

    def attend(theirs, query, key, value, output):
        for layer, weight in zip(
            (theirs.query, theirs.key, theirs.value, theirs.output),
            (query, key, value, output.weight),
            strict=True,
        ):
            layer.weight.copy_(weight)

    def think(theirs, ffn, norms):
        theirs.inner.load_state_dict(ffn.inner.state_dict())
        theirs.outer.load_state_dict(ffn.output.state_dict())
        for one, other in zip(theirs.norms, norms, strict=True):
            one.load_state_dict(other.norm.state_dict())

    def own(theirs, part):
        attend(theirs, *part.query_key_value.weight.chunk(3), part.output)

    with torch.no_grad():
        book.read.embedding.load_state_dict(ours.encoder.tokens.embedding.state_dict())
        book.write.embedding.load_state_dict(ours.decoder.tokens.embedding.state_dict())
        book.output.load_state_dict(ours.decoder.output.state_dict())
        for n, block in enumerate(ours.encoder.blocks):
            own(book.looks[n], block.attention)
            think(book.thinks[n], block.ffn, [block.add_norm1, block.add_norm2])
        for n, block in enumerate(ours.decoder.blocks):
            own(book.recalls[n], block.attention)
            seek = block.source_attention
            attend(book.seeks[n], seek.query.weight, *seek.key_value.weight.chunk(2), seek.output)
            think(book.decides[n], block.ffn, [block.add_norm1, block.add_norm2, block.add_norm3])
    return ours, book


def test_the_book_s_network_with_our_weights_computes_the_same():
    ours, book = same_weights()
    source, lens = torch.randint(4, 20, (3, 5)), torch.tensor([5, 2, 3])
    given = torch.randint(4, 30, (3, 6))
    torch.testing.assert_close(book((source, lens, given)), ours((source, lens, given)))
    book.eval()
    state = book.begin(source, lens)
    steps = [book.word(given[:, :1], state)]
    # Its word at a place is coded as the first of a sentence (book 10.7.5): so is ours for one.
    torch.testing.assert_close(steps[0], ours.eval()((source, lens, given[:, :1])))
