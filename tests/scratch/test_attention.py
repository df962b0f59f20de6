"""Attention and the Transformer: hidden keys, causality, draws, inference, errors."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn as torch_nn
from torch.nn import functional as torch_functional

from fathom.scratch import nn
from fathom.scratch.nn import functional

DOUBLE = torch.float64
attend = functional.scaled_dot_product_attention


def qkv(heads: int = 2, queries: int = 4, keys: int = 5, dtype: torch.dtype = DOUBLE):
    torch.manual_seed(0)
    return [torch.randn(3, heads, n, 6, dtype=dtype, requires_grad=True)
            for n in (queries, keys, keys)]  # fmt: skip


def twins(kind: str, *args, **kwargs):
    """The same module with the same weights in both libraries."""
    torch.manual_seed(0)
    theirs = getattr(torch_nn, kind)(*args, **kwargs).double()
    ours = getattr(nn, kind)(*args, **kwargs).double()
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


MASKS = {
    "none": None,
    "boolean": torch.rand(4, 5, generator=torch.Generator().manual_seed(2)) < 0.6,
    "added": torch.linspace(-2, 2, 20, dtype=DOUBLE).view(4, 5),
    "one query sees nothing": torch.tensor([[True] * 5, [False] * 5, [True] * 5, [True] * 5]),
}


@pytest.mark.parametrize("settings", [{}, {"scale": 0.3}, {"dropout_p": 0.4}], ids=str)
@pytest.mark.parametrize("mask", MASKS)
def test_the_function_is_torchs(mask: str, settings: dict) -> None:
    results = []
    for function in (attend, torch_functional.scaled_dot_product_attention):
        inputs = qkv()
        torch.manual_seed(1)
        output = function(*inputs, MASKS[mask], **settings)
        output.backward(torch.ones_like(output))
        results.append([output, *(x.grad for x in inputs)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_shared_heads_and_causality_are_torchs() -> None:
    q, _, _ = qkv(heads=4)
    _, k, v = qkv(heads=2)
    ours = attend(q, k, v, enable_gqa=True, is_causal=True)
    theirs = torch_functional.scaled_dot_product_attention(q, k, v, enable_gqa=True, is_causal=True)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, DOUBLE], ids=str)
def test_a_query_that_may_see_nothing_gets_zeros_and_gives_none(dtype: torch.dtype) -> None:
    q, k, v = qkv(dtype=dtype)
    mask = MASKS["one query sees nothing"]
    output = attend(q, k, v, mask)
    output.sum().backward()
    assert not output[:, :, 1].any()
    assert not q.grad[:, :, 1].any()
    assert all(x.grad.isfinite().all() for x in (q, k, v))


def test_derivatives_are_those_of_finite_differences() -> None:
    q, k, v = (x[:1, :1].detach().requires_grad_() for x in qkv())
    mask = MASKS["one query sees nothing"]
    assert torch.autograd.gradcheck(lambda *x: attend(*x, mask), (q, k, v))
    assert torch.autograd.gradgradcheck(lambda *x: attend(*x, mask), (q, k, v))


@pytest.mark.parametrize(
    ("need_weights", "first"), list(itertools.product([True, False], repeat=2))
)
def test_a_row_without_keys_is_nan_or_zero_as_in_torch(need_weights: bool, first: bool) -> None:
    ours, theirs = twins("MultiheadAttention", 6, 2, batch_first=first)
    x = torch.randn(3, 3, 6, dtype=DOUBLE)
    padding = torch.tensor([[False, True, False], [True] * 3, [False] * 3])
    for module in (ours, theirs):
        module.eval()
    results = [m(x, x, x, padding, need_weights) for m in (ours, theirs)]
    torch.testing.assert_close(results[0][0], results[1][0], equal_nan=True)
    assert results[0][0].isnan().any() == need_weights


@pytest.mark.parametrize("need_weights", [True, False])
def test_dropout_draws_what_torch_draws(need_weights: bool) -> None:
    ours, theirs = twins("MultiheadAttention", 6, 2, dropout=0.5)
    x = torch.randn(4, 3, 6, dtype=DOUBLE)
    results = []
    for module in (ours, theirs):
        torch.manual_seed(9)
        results.append(module(x, x, x, need_weights=need_weights)[0])
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-12)


def test_a_token_does_not_change_what_comes_before_it() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    x = torch.randn(2, 6, 8)
    mask = nn.Transformer.generate_square_subsequent_mask(6)
    assert torch.equal(mask, torch_nn.Transformer.generate_square_subsequent_mask(6))
    changed = x.clone()
    changed[:, 4] = 3.0
    before, after = layer(x, mask, is_causal=True), layer(changed, mask, is_causal=True)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])


def test_padding_does_not_change_the_rest_and_order_of_the_batch_does_not_matter() -> None:
    ours, _ = twins("TransformerEncoderLayer", 8, 2, 16, batch_first=True)
    ours.eval()
    x = torch.randn(3, 5, 8, dtype=DOUBLE)
    padding = torch.zeros(3, 5, dtype=torch.bool)
    padding[:, 3:] = True
    whole = ours(x, src_key_padding_mask=padding)[:, :3]
    torch.testing.assert_close(whole, ours(x[:, :3]), rtol=1e-12, atol=1e-12)
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(ours(x[order])[:, :3], ours(x)[order][:, :3])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("norm_first", [False, True])
def test_inference_is_torchs_fast_path_except_on_padding(norm_first: bool) -> None:
    ours, theirs = (
        library.TransformerEncoder(
            library.TransformerEncoderLayer(
                8, 2, 16, batch_first=True, activation="gelu", norm_first=norm_first
            ),
            2,
        ).double()
        for library in (nn, torch_nn)
    )
    ours.load_state_dict(theirs.state_dict())
    padding = torch.tensor([[False, False, True], [False, False, False]])
    x = torch.randn(2, 3, 8, dtype=DOUBLE)
    with torch.no_grad():
        results = [m.eval()(x, src_key_padding_mask=padding)[~padding] for m in (ours, theirs)]
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_a_transformer_trains_as_torchs_with_dropout_and_all() -> None:
    losses = []
    for library in (nn, torch_nn):
        torch.manual_seed(0)
        model = library.Transformer(8, 2, 1, 1, 16, dropout=0.2, batch_first=True).double()
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
        source, target = torch.randn(2, 3, 5, 8, dtype=DOUBLE, generator=torch.Generator()
                                     .manual_seed(3))  # fmt: skip
        mask = model.generate_square_subsequent_mask(5).double()
        for _ in range(5):
            optimiser.zero_grad()
            loss = (model(source, target, tgt_mask=mask) - source).square().mean()
            loss.backward()
            optimiser.step()
        losses.append(loss.item())
    assert abs(losses[0] - losses[1]) < 1e-10


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda: nn.MultiheadAttention(6, 4), r"embed_dim \(6\).*num_heads \(4\)"),
        (lambda: nn.MultiheadAttention(0, 4), r"embed_dim \(0\).*greater than 0"),
        (lambda: nn.MultiheadAttention(4, -2), r"num_heads \(-2\)"),
        (lambda: mha(torch.zeros(4, 2, 5)), r"6, 6 and 6.*\(4, 2, 5\)"),
        (lambda: mha(torch.zeros(4, 2, 6, 1)), r"\(4, 2, 6, 1\)"),
        (lambda: mha(torch.zeros(4, 2, 6), torch.zeros(5, 3, 6)), r"\(4, 2, 6\).*\(5, 3, 6\)"),
        (
            lambda: mha(torch.zeros(4, 2, 6), padding=torch.zeros(4, 2).bool()),
            r"key_padding_mask \(4, 2\) must be \(2, 4\)",
        ),
        (lambda: mha(torch.zeros(4, 2, 6), mask=torch.zeros(4, 5)), r"\(4, 5\).*\(4, 4\)"),
        (lambda: mha(torch.zeros(4, 2, 6), mask=torch.zeros(4, 4).int()), "int32"),
        (lambda: nn.TransformerEncoderLayer(6, 2, activation="tanh"), "not tanh"),
        (lambda: nn.Transformer(6, 2)(torch.zeros(4, 2, 6), torch.zeros(4, 3, 6)), r"\(4, 3, 6\)"),
        (lambda: nn.Transformer(6, 2)(torch.zeros(4, 2, 5), torch.zeros(4, 2, 6)), "d_model, 6"),
        (lambda: attend(torch.zeros(3, 4), torch.zeros(3, 5), torch.zeros(3, 4)), r"\(3, 5\)"),
    ],
)
def test_wrong_sizes_are_named(use, words: str) -> None:
    with pytest.raises((AssertionError, RuntimeError, ValueError), match=words):
        use()


def mha(query, key=None, padding=None, mask=None):
    key = query if key is None else key
    return nn.MultiheadAttention(6, 2)(query, key, key, padding, attn_mask=mask)
