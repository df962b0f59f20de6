"""Connectionist temporal classification: the likelihood of a text, whatever the alignment.

Source   Graves et al. 2006, "Connectionist temporal classification", section 4.
Differs  As in torch, the gradient of x = `log_probs` is e^x - (expected count of each class): the
         first term is what a log-softmax before it would add. There is no second derivative.
Shapes   T steps, N batch, C classes, S labels; P = 2 S + 1 places: a blank, then each label and a
         blank. `log_probs` (T, N, C) or (T, C); `targets` (N, S), or all labels in a row.

A path moves through the places from left to right. At each step it stays, goes to the next place,
or skips a blank between two different labels. alpha[t, p] is the log-probability of all paths that
are in place p after step t; beta[t, p] that of all ways to go on from there. Read from its end, an
example is an example too, and its alpha is beta: both are swept in one batch. Logarithms are to
base 2 between the first line and the last: `exp2` is three times as fast as `exp`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fathom.scratch.nn.elementwise import exp
from fathom.scratch.nn.layer import layer
from fathom.scratch.nn.loss_base import reduce_loss

Lengths = Tensor | Sequence[int]
NOTHING = -1e30  # for the logarithm of 0: infinities would cost a check for NaN at every step


def _log_sum_(ways: Tensor, out: Tensor | None = None) -> Tensor:
    """log2 sum 2^w over the first dimension, the largest taken out so that nothing overflows.

    `ways` is overwritten.
    """
    top = ways.amax(0)
    return torch.sum(ways.sub_(top).exp2_(), 0, out=out).log2_().add_(top)


def _sweep(emitted_TPN: Tensor, places_PN: Tensor, blank: int) -> Tensor:
    """alpha (T, P, N): paths begin in place 0 or 1."""
    steps, places, n = emitted_TPN.shape
    # A place may be reached from the last but one if it holds a label other than that one's.
    differs = (places_PN[2:] != places_PN[:-2]) & (places_PN[2:] != blank)
    moves_3PN = emitted_TPN.new_zeros(3, places, n)
    moves_3PN[0] = NOTHING
    moves_3PN[0, 2:].masked_fill_(differs, 0)
    moves_T3PN = moves_3PN + emitted_TPN.unsqueeze(1)
    alpha = emitted_TPN.new_full((steps, places + 2, n), NOTHING)  # two empty places before
    alpha[0, 2:4] = emitted_TPN[0, :2]
    alpha_TPN, before_T3PN = alpha[:, 2:], alpha.unfold(1, places, 1).movedim(3, 2)
    for before, moves, after in zip(before_T3PN, moves_T3PN[1:], alpha_TPN[1:], strict=False):
        _log_sum_(moves.add_(before), out=after)
    return alpha_TPN


def _column(size: int, like: Tensor) -> Tensor:
    """0, 1, 2, … below one another, beside a row for each example."""
    return torch.arange(size, device=like.device).unsqueeze(1)


class _CTC(torch.autograd.Function):
    """-log(sum of the probabilities of all paths), for each example."""

    @staticmethod
    def forward(
        ctx: Any, x_TNC: Tensor, places_PN: Tensor, steps_N: Tensor, ends_N: Tensor, blank: int
    ) -> Tensor:
        t, n, p = len(x_TNC), *places_PN.T.shape
        # Steps, and places, that are left to the end of each example.
        left_TN, left_PN = steps_N - 1 - _column(t, steps_N), ends_N - _column(p, ends_N)
        mirror_PN = left_PN.clamp(min=0)
        mirror = ((left_TN.clamp(min=0) * p).unsqueeze(1) + mirror_PN).flatten(0, 1)  # (T P, N)
        emitted = x_TNC.transpose(1, 2).gather(1, places_PN.expand(t, p, n))
        emitted.mul_(math.log2(math.e)).clamp_(min=NOTHING)
        both = torch.cat([emitted, emitted.flatten(0, 1).gather(0, mirror).view(t, p, n)], 2)
        both_places = torch.cat([places_PN, places_PN.gather(0, mirror_PN)], 1)
        alpha, beta = _sweep(both, both_places, blank).split(n, 2)
        beta = beta.flatten(0, 1).gather(0, mirror).view(t, p, n)
        beta.masked_fill_(left_PN < 0, NOTHING)
        bits = _log_sum_(beta[0, :2].clone())  # paths begin in the first two places
        bits = torch.where(steps_N > 0, bits, ends_N * NOTHING)  # no step emits no label
        bits.masked_fill_(bits < NOTHING / 2, -math.inf)
        on_path = alpha + beta - emitted - bits  # alpha and beta both have this step's x
        ctx.save_for_backward(x_TNC, places_PN, left_TN, on_path)
        return bits * -math.log(2)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x_TNC, places_PN, left_TN, on_path = ctx.saved_tensors
        counts = torch.zeros_like(x_TNC)
        counts.transpose(1, 2).scatter_add_(1, places_PN.expand_as(on_path), on_path.exp2())
        grad = exp(x_TNC).sub_(counts).mul_(grads[0].unsqueeze(1))
        unused = (left_TN < 0) | (grads[0] == 0)  # the loss was infinite and has been set to 0
        return grad.masked_fill_(unused.unsqueeze(2), 0), None, None, None, None


def _as_lengths(name: str, lengths: Lengths, n: int, limit: int) -> Tensor:
    """Lengths as a vector of N whole numbers, none above `limit`."""
    vector = torch.as_tensor(lengths, dtype=torch.int64, device="cpu").reshape(-1)
    if len(vector) != n:
        raise RuntimeError(f"ctc_loss: {name} must have size {n}, the batch, got {len(vector)}")
    if n and (int(vector.max()) > limit or int(vector.min()) < 0):
        raise RuntimeError(f"ctc_loss: expected {name} of at most {limit}, got {vector.tolist()}")
    return vector


def ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Lengths, target_lengths: Lengths,
    blank: int = 0, reduction: str = "mean", zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """-log p(targets), under all alignments: the mean divides each loss by its number of labels.

    `input_lengths` and `target_lengths` (N,) say how much of each example counts. A text that does
    not fit in its steps has an infinite loss; `zero_infinity` makes it, and its gradient, 0.
    """
    batched, device = log_probs.dim() == 3, log_probs.device
    x_TNC = log_probs if batched else log_probs.unsqueeze(1)
    t, n, c = x_TNC.shape
    if not 0 <= blank < c:
        raise RuntimeError(f"ctc_loss: blank must be in label range 0 to {c - 1}, got {blank}")
    steps = _as_lengths("input_lengths", input_lengths, n, t).to(device)
    in_a_row = targets.dim() == 1 and batched
    if targets.dim() == 2 and len(targets) != n:
        raise RuntimeError(f"ctc_loss: expected targets of {n} texts, got {tuple(targets.shape)}")
    limit = targets.numel() if in_a_row else targets.shape[-1]
    sizes = _as_lengths("target_lengths", target_lengths, n, limit).to(device)
    longest = int(sizes.max()) if n else 0
    beyond = (sizes <= _column(longest, sizes)).T
    labels = targets.to(device, torch.int64)
    if in_a_row:
        labels = labels.new_zeros(n, longest).masked_scatter(~beyond, labels)
    labels = labels.reshape(n, labels.shape[-1])[:, :longest].masked_fill(beyond, blank)
    low, high = map(int, labels.aminmax()) if labels.numel() else (0, 0)
    if not 0 <= low <= high < c:
        raise RuntimeError(f"ctc_loss: labels must be 0 to {c - 1}, found {low} to {high}")
    places = labels.new_full((2 * longest + 1, n), blank)
    places[1::2] = labels.T
    losses = _CTC.apply(x_TNC, places, steps, 2 * sizes, blank)
    losses = losses.masked_fill(losses == math.inf, 0) if zero_infinity else losses
    losses = losses / sizes.clamp(min=1) if reduction == "mean" else losses
    return reduce_loss("ctc_loss", losses if batched else losses.squeeze(0), reduction)


CTCLoss = layer("CTCLoss", ctc_loss)
