"""Attention: each query takes a weighted mean of the values, weighted by how its key matches.

Source   Vaswani et al. 2017, arXiv:1706.03762; book 11.3, 11.5.
Differs  The book hides a key by the score -1e6, torch by minus infinity; we follow torch. Where all
         keys of a query are hidden, torch's module gives NaN if asked for the weights and zeros if
         not, and so do we. `is_causal` is a hint there: the mask itself must be given, and is what
         counts. There is no second path for inference.
Shapes   N batch, H heads, L queries, S keys and values, E features, D = E / H features of a head.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from fathom.scratch.nn import init
from fathom.scratch.nn.dropout import dropout
from fathom.scratch.nn.linear import Linear, linear
from fathom.scratch.nn.padding import pad
from fathom.scratch.nn.softmax import softmax

Mask = Tensor | None  # booleans, or numbers that are added to the scores


def _as_scores(mask: Mask, dtype: torch.dtype, *, hidden: bool) -> Mask:
    """A mask to be added to scores: minus infinity where a boolean one equals `hidden`, else 0."""
    if mask is None or mask.is_floating_point():
        return mask
    if mask.dtype != torch.bool:
        raise RuntimeError(f"attention: masks are boolean or floating point, got {mask.dtype}")
    scores = mask.new_zeros(mask.shape, dtype=dtype)
    return scores.masked_fill_(mask if hidden else ~mask, -math.inf)


def _softmax_or_zeros(scores: Tensor) -> Tensor:
    """The softmax over keys, and zeros, with zero gradient, where all keys are hidden."""
    hidden = scores.detach().amax(-1, keepdim=True) == float("-inf")
    if scores.device.type == "cpu" and not hidden.any():  # elsewhere, looking means waiting
        return softmax(scores, -1)
    return softmax(scores.masked_fill(hidden, 0), -1).masked_fill(hidden, 0)


def _weights(q: Tensor, k: Tensor, mask: Mask, scale: float, p: float, or_nan: bool) -> Tensor:
    """softmax(q k^T scale + mask), with dropout. A query that sees no key has zeros, `or_nan`."""
    scores = (q * scale) @ k.transpose(-2, -1)
    scores = scores if mask is None else scores + mask
    # Only a mask can hide all keys, and looking costs a pass over the scores.
    careful = mask is not None and not or_nan
    return dropout(_softmax_or_zeros(scores) if careful else softmax(scores, -1), p)


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Mask = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """softmax(q k^T / sqrt(D) + mask) v: (*, L, D), (*, S, D) and (*, S, D') give (*, L, D').

    A boolean mask (*, L, S) is True where a key may be seen. `is_causal` lets query i see the keys
    up to i. `enable_gqa` shares each head of keys and values among several heads of queries.
    """
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        got = f"{tuple(query.shape)}, {tuple(key.shape)} and {tuple(value.shape)}"
        raise RuntimeError(f"attention: expected (*, L, D), (*, S, D) and (*, S, D'), got {got}")
    if is_causal:
        if attn_mask is not None:
            raise RuntimeError("attention: is_causal makes its own mask, attn_mask must be None")
        attn_mask = query.new_ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
    if enable_gqa:
        share = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(share, -3), value.repeat_interleave(share, -3)
    mask = _as_scores(attn_mask, query.dtype, hidden=False)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    return _weights(query, key, mask, scale, dropout_p, or_nan=False) @ value


class MultiheadAttention(nn.Module):
    """Several attentions beside each other, each over its own projection of the inputs.

    The three input projections lie in one matrix, `in_proj_weight`, unless keys or values have
    sizes of their own (`kdim`, `vdim`). `add_bias_kv` adds a learned key and value, `add_zero_attn`
    a key and value of zeros: something to look at where nothing fits.
    """

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True,
        add_bias_kv: bool = False, add_zero_attn: bool = False, kdim: int | None = None,
        vdim: int | None = None, batch_first: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        if min(embed_dim, num_heads) <= 0 or embed_dim % num_heads:
            raise ValueError(
                f"MultiheadAttention: embed_dim ({embed_dim}) must be divisible by num_heads "
                f"({num_heads}), and both greater than 0"
            )
        super().__init__()
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.dropout, self.batch_first, self.add_zero_attn = dropout, batch_first, add_zero_attn

        def learned(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape, device=device, dtype=dtype))

        e, one_size = embed_dim, self.kdim == self.vdim == embed_dim
        self.in_proj_weight = learned(3 * e, e) if one_size else None
        self.q_proj_weight = None if one_size else learned(e, e)
        self.k_proj_weight = None if one_size else learned(e, self.kdim)
        self.v_proj_weight = None if one_size else learned(e, self.vdim)
        self.in_proj_bias = learned(3 * e) if bias else None
        self.out_proj = Linear(e, e, bias=bias, device=device, dtype=dtype)
        self.bias_k = learned(1, 1, e) if add_bias_kv else None
        self.bias_v = learned(1, 1, e) if add_bias_kv else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier's uniform distribution for the weights, zero for the biases."""
        for name, parameter in self.named_parameters():
            if name.endswith("proj_weight"):
                init.xavier_uniform_(parameter)
            elif name in ("bias_k", "bias_v"):  # keys and values that are learned
                init.xavier_normal_(parameter)
            elif name.endswith("bias"):
                init.zeros_(parameter)

    def project(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values, each (*, E): of one and the same input in one product."""
        e, w, b = self.embed_dim, self.in_proj_weight, self.in_proj_bias
        if w is not None and query is key and key is value:
            return linear(query, w, b).split(e, -1)
        parts = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        weights = parts if w is None else w.split(e)
        biases = (None,) * 3 if b is None else b.split(e)
        return tuple(map(linear, (query, key, value), weights, biases))

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Mask = None,
        need_weights: bool = True, attn_mask: Mask = None, average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        """Attend; returns the output, shaped as `query`, and the weights (N, L, S) or None.

        Inputs are (L, N, E) and (S, N, E), or (N, L, E) and (N, S, E) if `batch_first`, or without
        N. Masks are True, or minus infinity, where a key must not be seen: `key_padding_mask`
        (N, S), `attn_mask` (L, S) or (N H, L, S). Weights are averaged over the heads, or
        (N, H, L, S) if not `average_attn_weights`.
        """
        batched = query.dim() == 3
        self._check(query, key, value, padding=key_padding_mask, mask=attn_mask)
        if is_causal and attn_mask is None:
            raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
        q, k, v = self.project(query, key, value)  # the sequence first, (L, N, E), from here on
        if not batched:
            q, k, v = q.unsqueeze(1), k.unsqueeze(1), v.unsqueeze(1)
        elif self.batch_first:
            q, k, v = q.transpose(0, 1), k.transpose(0, 1), v.transpose(0, 1)
        if self.bias_k is not None and self.bias_v is not None:
            k = torch.cat([k, self.bias_k.expand(-1, k.shape[1], -1)])
            v = torch.cat([v, self.bias_v.expand(-1, v.shape[1], -1)])
        if self.add_zero_attn:
            k, v = (torch.cat([x, x.new_zeros(1, *x.shape[1:])]) for x in (k, v))
        heads = self.num_heads, self.head_dim
        q_NHLD, k_NHSD, v_NHSD = (x.unflatten(-1, heads).permute(1, 2, 0, 3) for x in (q, k, v))
        mask = self._merge_masks(key_padding_mask, attn_mask, q_NHLD, len(k))
        scale, p = 1 / math.sqrt(self.head_dim), self.dropout if self.training else 0.0
        weights = _weights(q_NHLD, k_NHSD, mask, scale, p, or_nan=need_weights)
        y = self.out_proj((weights @ v_NHSD).permute(2, 0, 1, 3).flatten(2))
        if need_weights and average_attn_weights:
            weights = weights.mean(1)
        if not batched:
            y, weights = y.squeeze(1), weights.squeeze(0)
        elif self.batch_first:
            y = y.transpose(0, 1)
        return y, weights if need_weights else None

    def _merge_masks(self, padding: Mask, attn_mask: Mask, q_NHLD: Tensor, keys: int) -> Mask:
        """Both masks as one that is added to the scores (N, H, L, S), with S = `keys`."""
        merged = _as_scores(attn_mask, q_NHLD.dtype, hidden=True)
        if merged is not None and merged.dim() == 3:
            merged = merged.unflatten(0, q_NHLD.shape[:2])
        hidden = _as_scores(padding, q_NHLD.dtype, hidden=True)
        if hidden is not None:
            hidden = hidden[..., None, None, :]
            merged = hidden if merged is None else merged + hidden
        if merged is None:
            return None
        # The keys that were added may always be seen.
        return pad(merged, (0, keys - merged.shape[-1]))

    def _check(self, *inputs: Tensor, padding: Mask, mask: Mask) -> None:
        """Raises RuntimeError, naming the sizes, where they do not fit."""
        q, k, v = (tuple(each.shape) for each in inputs)
        at = int(self.batch_first and len(q) == 3)  # where shapes have the length
        batch, queries, keys = q[:at] + q[at + 1 : -1], q[at : at + 1], k[at : at + 1]
        padded, wide = batch + keys, (math.prod(batch) * self.num_heads, *queries, *keys)
        if {len(q), len(k), len(v)} not in ({2}, {3}):
            wrong = "inputs must be 3-D, or 2-D without a batch"
        elif (q[-1], k[-1], v[-1]) != (self.embed_dim, self.kdim, self.vdim):
            wrong = f"sizes must end in {self.embed_dim}, {self.kdim} and {self.vdim}"
        elif k[:-1] != v[:-1] or k[:at] + k[at + 1 : -1] != batch:
            wrong = "key must agree with value in length and batch, with query in batch"
        elif padding is not None and padding.shape != padded:
            wrong = f"key_padding_mask {tuple(padding.shape)} must be {padded}"
        elif mask is not None and mask.shape not in (wide, wide[1:]):
            wrong = f"attn_mask {tuple(mask.shape)} must be {wide[1:]} or {wide}"
        else:
            return
        raise RuntimeError(f"MultiheadAttention: {wrong}, got query {q}, key {k}, value {v}")
