"""Attention against torch's, and where torch's is not defined, against what the page says."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from fathom import scratch
from fathom.models.attention import (
    AdditiveAttention,
    DotProductAttention,
    MultiHeadAttention,
    causal_mask,
    masked_softmax,
    valid_mask,
)

LIBRARIES = pytest.mark.parametrize("nn", [torch.nn, scratch.nn], ids=["torch", "scratch"])
TRAINING = pytest.mark.parametrize("training", [True, False], ids=["training", "in-use"])
DTYPES = pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str
)
# Of 3 sequences: all keys, some, none; with and without a causal mask, few keys and many.
LENS = [lambda S: (S, 1, 0), lambda S: (S, S, S), lambda S: (0, 0, 0)]


def qkv(L, S, dtype=torch.float64, heads=2):
    def made(steps):
        return torch.randn(3, heads, steps, 4, dtype=torch.float64).to(dtype).requires_grad_()

    return made(L), made(S), made(S)


def outcome(function, inputs):
    """What comes out, and the gradients of a weighted sum of it."""
    out = function(*inputs)
    weights = torch.cos(torch.arange(out.numel(), dtype=out.dtype)).view_as(out)
    return [out, *torch.autograd.grad((out * weights).sum(), inputs)]


@LIBRARIES
@TRAINING
@pytest.mark.parametrize("lens", LENS, ids=["some", "all", "none"])
@pytest.mark.parametrize("causal", [False, True], ids=["", "causal"])
@pytest.mark.parametrize(("L", "S"), [(5, 5), (1, 1), (1, 7), (3, 7), (20, 20)])
def test_dot_products_are_torch_s_under_every_mask(nn, training, lens, causal, L, S):
    attention = DotProductAttention(nn=nn).train(training)
    inputs = qkv(L, S)
    mask = valid_mask(torch.tensor(lens(S)), S).unsqueeze(1)
    both = mask & causal_mask(L, S) if causal else mask.expand(3, 1, L, S)
    theirs = outcome(lambda *x: scaled_dot_product_attention(*x, attn_mask=both), inputs)
    ours = outcome(lambda *x: attention(*x, mask, causal=causal), inputs)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)
    kept = []
    shown = outcome(lambda *x: attention(*x, mask, causal=causal, kept=kept), inputs)
    torch.testing.assert_close(shown, theirs, rtol=1e-9, atol=1e-12)
    assert not any(part.isnan().any() for part in ours)
    hidden = ~both.expand(3, 2, L, S)
    assert not kept[0][hidden].any()
    sums = kept[0].sum(-1)
    torch.testing.assert_close(sums, (~hidden).any(-1).double())


@LIBRARIES
@TRAINING
def test_without_a_mask_the_last_query_sees_all(nn, training):
    attention = DotProductAttention(nn=nn).train(training)
    q, k, v = qkv(3, 5)
    expected = scaled_dot_product_attention(q, k, v, torch.ones(3, 5).tril(2).bool())
    torch.testing.assert_close(attention(q, k, v, causal=True), expected)
    torch.testing.assert_close(attention(q, k, v), scaled_dot_product_attention(q, k, v))


@DTYPES
@LIBRARIES
def test_nothing_to_see_gives_zeros_and_no_gradient_in_every_type(nn, dtype):
    """Where torch's softmax is NaN, and -1e6 gives weights on padding."""
    torch.manual_seed(0)
    scores = (torch.randn(2, 3, 4, dtype=torch.float64) * 8).to(dtype).requires_grad_()
    mask = valid_mask(torch.tensor([3, 0]), 4)
    weights = masked_softmax(scores, mask, softmax=nn.functional.softmax)
    (gradient,) = torch.autograd.grad((weights * torch.arange(4).to(dtype)).sum(), scores)
    assert weights.dtype == dtype
    for found in (weights, gradient):
        assert found.isfinite().all()
        assert not found[1].any()
        assert not found[0, :, 3].any()
    expected = torch.softmax(scores.double()[0, :, :3], -1)
    tolerance = max(2 * torch.finfo(dtype).eps, 1e-12)
    torch.testing.assert_close(weights.double()[0, :, :3], expected, rtol=0, atol=tolerance)
    masked = scores.detach().masked_fill(~mask, -math.inf)
    assert torch.softmax(masked, -1)[1].isnan().all(), "torch's is not defined there"


@DTYPES
@LIBRARIES
@TRAINING
def test_no_type_makes_numbers_that_are_none(nn, training, dtype):
    attention = DotProductAttention(nn=nn).train(training)
    inputs = qkv(4, 6, dtype)
    mask = valid_mask(torch.tensor([6, 1, 0]), 6).unsqueeze(1)
    found = outcome(lambda *x: attention(*x, mask, causal=True), inputs)
    exact = [x.detach().double().requires_grad_() for x in inputs]
    expected = outcome(lambda *x: attention(*x, mask, causal=True), exact)
    assert not any(part[2].any() for part in found), "nothing to see"
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=0, atol=20 * torch.finfo(dtype).eps)


@LIBRARIES
def test_scores_far_below_a_million_do_not_let_padding_win(nn):
    scores = torch.tensor([[[-3e6, -3e6, 0.0, 0.0]]])
    weights = masked_softmax(
        scores, valid_mask(torch.tensor([2]), 4), softmax=nn.functional.softmax
    )
    assert weights.tolist() == [[[0.5, 0.5, 0.0, 0.0]]]


def test_softmax_is_checked_by_differences_with_a_row_of_nothing():
    mask = torch.tensor([[True, False, True], [False] * 3, [False, True, False]])
    scores = torch.randn(2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: masked_softmax(x, mask), scores)


@LIBRARIES
@TRAINING
def test_what_was_given_is_not_written_to(nn, training):
    inputs = [x.detach() for x in qkv(4, 4)]
    mask = valid_mask(torch.tensor([4, 2, 0]), 4)
    before = copy.deepcopy([*inputs, mask])
    DotProductAttention(0.5, nn=nn).train(training)(*inputs, mask.unsqueeze(1), causal=True)
    flat = [x.flatten(1, 2) for x in inputs]
    wide = valid_mask(torch.tensor([8, 2, 0]), 8)
    AdditiveAttention(4, 4, 5, nn=nn).double()(*flat, wide)
    masked_softmax(flat[0] @ flat[1].transpose(1, 2), wide, softmax=nn.functional.softmax)
    torch.testing.assert_close([*inputs, mask], before, rtol=0, atol=0)


def test_lengths_are_of_sequences_or_of_queries():
    rows = valid_mask(torch.tensor([[1, 2], [0, 3]]), 3)
    assert rows.int().tolist() == [[[1, 0, 0], [1, 1, 0]], [[0, 0, 0], [1, 1, 1]]]
    assert valid_mask(torch.tensor([2, 0]), 2).int().tolist() == [[[1, 1]], [[0, 0]]]
    assert causal_mask(2, 3).int().tolist() == [[1, 1, 0], [1, 1, 1]]


@LIBRARIES
def test_additive_attention_is_its_formula_query_by_query(nn):
    attention = AdditiveAttention(3, 2, 5, nn=nn).double()
    queries, keys, values = (
        torch.randn(2, *s, dtype=torch.float64) for s in ((4, 3), (6, 2), (6, 7))
    )
    lens = torch.tensor([6, 2])
    w_q, w_k, w = (layer.weight for layer in (attention.query, attention.key, attention.score))
    kept = []
    found = attention(queries, keys, values, valid_mask(lens, 6), kept=kept)
    for b in range(2):
        for query, row, weights in zip(queries[b], found[b], kept[0][b], strict=True):
            scores = torch.stack([w[0] @ torch.tanh(w_q @ query + w_k @ k) for k in keys[b]])
            share = scores[: lens[b]].exp() / scores[: lens[b]].exp().sum()
            torch.testing.assert_close(row, share @ values[b, : lens[b]])
            torch.testing.assert_close(weights[: lens[b]], share)
            assert not weights[lens[b] :].any()
    nothing = attention(queries, keys, values, valid_mask(torch.tensor([0, 0]), 6))
    assert not nothing.any()


@LIBRARIES
@pytest.mark.parametrize("bias", [False, True])
def test_heads_together_are_torch_s_module(nn, bias):
    ours = MultiHeadAttention(6, 3, bias=bias, nn=nn).double()
    theirs = torch.nn.MultiheadAttention(6, 3, bias=bias, batch_first=True).double()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key_value.weight]))
        theirs.out_proj.weight.copy_(ours.output.weight)
        if bias:
            theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key_value.bias]))
            theirs.out_proj.bias.copy_(ours.output.bias)
    queries, memory = (
        torch.randn(2, s, 6, dtype=torch.float64, requires_grad=True) for s in (4, 5)
    )
    mask = valid_mask(torch.tensor([5, 2]), 5)
    theirs_of_both = outcome(
        lambda q, m: theirs(q, m, m, key_padding_mask=~mask.squeeze(1))[0], (queries, memory)
    )
    kept = []
    for keeping in (None, kept):
        both = outcome(lambda *x, kept=keeping: ours(*x, mask, kept=kept), (queries, memory))
        torch.testing.assert_close(both, theirs_of_both, rtol=1e-9, atol=1e-12)
    weights = theirs(queries, memory, memory, ~mask.squeeze(1), average_attn_weights=False)[1]
    torch.testing.assert_close(kept[0], weights)


def test_each_projection_begins_as_xavier_s_of_its_own():
    weight = MultiHeadAttention(64, 2).key_value.weight.detach()
    for part in weight.split(64):
        assert float(part.abs().max()) == pytest.approx((6 / 128) ** 0.5, rel=0.01)


@LIBRARIES
def test_dropout_is_of_the_weights_and_only_while_training(nn):
    """Over values of one the output is the sum of the weights that were left, scaled up."""
    attention = DotProductAttention(0.5, nn=nn)
    q, k, _ = qkv(6, 8)
    ones = torch.ones(3, 2, 8, 4, dtype=torch.float64)
    torch.testing.assert_close(attention.eval()(q, k, ones), torch.ones(3, 2, 6, 4).double())
    out = attention.train()(q, k, ones)
    assert float(out.detach().std()) > 0.05
    torch.testing.assert_close(out, out[..., :1].expand_as(out))


def test_one_seed_is_one_dropout_in_both_libraries():
    q, k, v = qkv(5, 7)
    found = []
    for nn in (torch.nn, scratch.nn):
        torch.manual_seed(3)
        found.append(DotProductAttention(0.4, nn=nn)(q, k, v))
    torch.testing.assert_close(*found)


@LIBRARIES
def test_it_can_be_copied_and_kept(nn):
    attention = MultiHeadAttention(4, 2, nn=nn)
    x = torch.randn(2, 3, 4)
    for again in (copy.deepcopy(attention), pickle.loads(pickle.dumps(attention))):
        assert torch.equal(again(x, x), attention(x, x))
