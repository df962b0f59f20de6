"""Connectionist temporal classification: the likelihood of a text, whatever the alignment.

Source   Graves et al. 2006, "Connectionist temporal classification", section 4.
Differs  As torch's, the gradient is e^x - (expected count of each class) where x is `log_probs`; the
         first term is what a log-softmax before it would add. There is no second derivative.
Shapes   T steps, N batch, C classes, S labels; P = 2 S + 1 places: a blank, then each label and a
         blank. `log_probs` (T, N, C) or (T, C); `targets` (N, S), or all labels in a row.

A path moves through the places from left to right. At each step it stays, goes to the next place,
or skips a blank between two different labels. alpha[t, p] is the log-probability of all paths that
are in place p after step t; beta[t, p] that of all ways to go on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fathom.scratch.nn.elementwise import exp
from fathom.scratch.nn.loss_base import Loss

Lengths = Tensor | Sequence[int]


def _log_sum(terms: Tensor) -> Tensor:
    """log sum e^x over the first dimension, where all x may be minus infinity."""
    largest = terms.amax(0).clamp_(min=torch.finfo(terms.dtype).min)
    return exp(terms - largest).sum(0).log_().add_(largest)


def _sweep(emitted_TNP: Tensor, skips_NP: Tensor, start_TNP: Tensor) -> Tensor:
    """alpha: log-probabilities of all paths that begin as `start` allows, place after place.

    `skips` is 0 where a place may be reached from the last but one, else minus infinity.
    """
    steps, n, places = emitted_TNP.shape
    alpha = emitted_TNP.new_full((steps, n, places + 2), float("-inf"))  # two places to the left
    alpha[0, :, 2:] = start_TNP[0] + emitted_TNP[0]
    for t in range(1, steps):
        before = alpha[t - 1]
        ways = torch.stack(
            [before[:, 2:], before[:, 1:-1], before[:, :-2] + skips_NP, start_TNP[t]]
        )
        alpha[t, :, 2:] = _log_sum(ways) + emitted_TNP[t]
    return alpha[:, :, 2:]


def _may_skip(places_NP: Tensor, blank: int, dtype: torch.dtype) -> Tensor:
    """0 where a place holds a label that differs from the one two places before, else -inf."""
    skips = torch.full_like(places_NP, float("-inf"), dtype=dtype)
    differs = (places_NP[:, 2:] != places_NP[:, :-2]) & (places_NP[:, 2:] != blank)
    skips[:, 2:].masked_fill_(differs, 0)
    return skips


class _CTC(torch.autograd.Function):
    """-log(sum of the probabilities of all paths), for each example."""

    @staticmethod
    def forward(
        ctx: Any, x_TNC: Tensor, places_NP: Tensor, steps_N: Tensor, ends_N: Tensor, blank: int
    ) -> Tensor:
        t, n, _ = x_TNC.shape
        emitted = x_TNC.gather(2, places_NP.expand(t, -1, -1))
        start = torch.full_like(emitted, float("-inf"))
        start[0, :, :2] = 0
        alpha = _sweep(emitted, _may_skip(places_NP, blank, x_TNC.dtype), start)
        # The last place, a blank, or the label before it; without labels there is the blank alone.
        last = alpha[steps_N - 1, torch.arange(n)]
        before = last.gather(1, (ends_N - 1).clamp(min=0).unsqueeze(1)).squeeze(1)
        before = before.masked_fill(ends_N == 0, float("-inf"))
        losses = -_log_sum(torch.stack([last.gather(1, ends_N.unsqueeze(1)).squeeze(1), before]))
        ctx.save_for_backward(x_TNC, places_NP, steps_N, ends_N, emitted, alpha, losses)
        ctx.blank = blank
        return losses

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x_TNC, places_NP, steps_N, ends_N, emitted, alpha, losses = ctx.saved_tensors
        start = torch.full_like(emitted, float("-inf"))
        rows = torch.arange(len(steps_N))
        start[steps_N - 1, rows, ends_N] = 0
        start[steps_N - 1, rows, (ends_N - 1).clamp(min=0)] = 0
        # Seen from the end, the ways to go on are paths too.
        skips = _may_skip(places_NP.flip(1), ctx.blank, x_TNC.dtype)
        beta = _sweep(emitted.flip(0, 2), skips, start.flip(0, 2)).flip(0, 2)
        visits = exp(alpha + beta - emitted + losses.unsqueeze(1))  # both count this step's x
        counts = torch.zeros_like(x_TNC).scatter_add_(2, places_NP.expand_as(visits), visits)
        inside = torch.arange(len(x_TNC)).unsqueeze(1) < steps_N
        grad = (exp(x_TNC) - counts) * grads[0].unsqueeze(1)
        unused = ~inside | (grads[0] == 0)  # where the loss was infinite and set to 0, too
        return grad.masked_fill_(unused.unsqueeze(2), 0), None, None, None, None


def _as_lengths(name: str, lengths: Lengths, n: int, limit: int) -> Tensor:
    """Lengths as a vector of N whole numbers, none above `limit`."""
    vector = torch.as_tensor(lengths, dtype=torch.int64, device="cpu").reshape(-1)
    if len(vector) != n:
        raise RuntimeError(f"ctc_loss: {name} must have size {n}, the batch, got {len(vector)}")
    if n and (int(vector.max()) > limit or int(vector.min()) < 0):
        raise RuntimeError(
            f"ctc_loss: expected {name} to have value at most {limit}, but got {vector.tolist()}"
        )
    return vector


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-log p(targets): the mean divides each loss by its number of labels first.

    `input_lengths` and `target_lengths` (N,) say how much of each example counts. A text that does
    not fit in its steps has an infinite loss; `zero_infinity` makes it, and its gradient, 0.
    """
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"ctc_loss: {reduction} is not a valid value for reduction")
    batched = log_probs.dim() == 3
    x_TNC = log_probs if batched else log_probs.unsqueeze(1)
    t, n, c = x_TNC.shape
    if not 0 <= blank < c:
        raise RuntimeError(f"ctc_loss: blank must be in label range 0 to {c - 1}, got {blank}")
    steps = _as_lengths("input_lengths", input_lengths, n, t)
    in_a_row = targets.dim() == 1 and batched
    limit = targets.numel() if in_a_row else targets.shape[-1]
    sizes = _as_lengths("target_lengths", target_lengths, n, limit)
    longest = int(sizes.max()) if n else 0
    labels = targets.new_zeros(n, longest, dtype=torch.int64)
    if in_a_row:
        for row, part in zip(
            labels, targets[: int(sizes.sum())].split(sizes.tolist()), strict=True
        ):
            row[: len(part)] = part
    else:
        labels.copy_(targets.reshape(n, -1)[:, :longest])
    labels = labels.where(torch.arange(longest) < sizes.unsqueeze(1), blank)
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < c:
        raise RuntimeError(
            f"ctc_loss: labels must be 0 to {c - 1}, found {int(labels.min())} to "
            f"{int(labels.max())}"
        )
    places = labels.new_full((n, 2 * longest + 1), blank)
    places[:, 1::2] = labels
    losses = _CTC.apply(x_TNC, places, steps, 2 * sizes, blank)
    if zero_infinity:
        losses = losses.masked_fill(losses == float("inf"), 0)
    if reduction == "mean":
        return (losses / sizes.clamp(min=1)).mean()
    if reduction == "sum":
        return losses.sum()
    return losses if batched else losses.squeeze(0)


class CTCLoss(Loss):
    """-log of the probability of a text under all its alignments."""

    def __init__(
        self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__(reduction=reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(
        self, log_probs: Tensor, targets: Tensor, input_lengths: Lengths, target_lengths: Lengths
    ) -> Tensor:
        lengths = input_lengths, target_lengths
        return ctc_loss(
            log_probs, targets, *lengths, self.blank, self.reduction, self.zero_infinity
        )
