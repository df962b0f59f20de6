"""Connectionist temporal classification: the likelihood of a text, whatever the alignment.

Source   Graves et al. 2006, "Connectionist temporal classification", section 4.
Differs  As in torch, the gradient of x = `log_probs` is e^x - (expected count of each class): the
         first term is what a log-softmax before it would add. There is no second derivative.
Shapes   T steps, N batch, C classes, S labels; P = 2 S + 1 places: a blank, then each label and a
         blank. `log_probs` (T, N, C) or (T, C); `targets` (N, S), or all labels in a row.

A path moves through the places from left to right. At each step it stays, goes to the next place,
or skips a blank between two different labels. alpha[t, p] is the log-probability of all paths that
are in place p after step t; beta[t, p] that of all ways to go on from there. Read from its end, an
example is an example too, and its alpha is beta: both are swept in one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fathom.scratch.nn.elementwise import exp
from fathom.scratch.nn.layer import layer
from fathom.scratch.nn.loss_base import reduce_loss

Lengths = Tensor | Sequence[int]
NOTHING = float("-inf")  # the logarithm of 0


def _log_sum(ways: Tensor) -> Tensor:
    """log sum e^w over the first dimension, the largest taken out so that nothing overflows."""
    top = ways.amax(0).clamp_(min=torch.finfo(ways.dtype).min)
    return (ways - top).exp_().sum(0).log_().add_(top)


def _sweep(emitted_TNP: Tensor, places_NP: Tensor, blank: int) -> Tensor:
    """alpha (T, N, P): paths begin in place 0 or 1."""
    steps, n, places = emitted_TNP.shape
    # A place may be reached from the last but one if it holds a label other than that one's.
    differs = (places_NP[:, 2:] != places_NP[:, :-2]) & (places_NP[:, 2:] != blank)
    moves_3NP = emitted_TNP.new_zeros(3, n, places)
    moves_3NP[0] = NOTHING
    moves_3NP[0, :, 2:].masked_fill_(differs, 0)
    alpha = emitted_TNP.new_full((steps, n, places + 2), NOTHING)  # two empty places to the left
    alpha[0, :, 2:4] = emitted_TNP[0, :, :2]
    before_T3NP = alpha.unfold(2, 3, 1).movedim(3, 1)
    for t in range(1, steps):
        alpha[t, :, 2:] = _log_sum(before_T3NP[t - 1] + moves_3NP).add_(emitted_TNP[t])
    return alpha[:, :, 2:]


def _count(places_NP: Tensor) -> Tensor:
    return torch.arange(places_NP.shape[1], device=places_NP.device)


class _CTC(torch.autograd.Function):
    """-log(sum of the probabilities of all paths), for each example."""

    @staticmethod
    def forward(
        ctx: Any, x_TNC: Tensor, places_NP: Tensor, steps_N: Tensor, ends_N: Tensor, blank: int
    ) -> Tensor:
        t, n, _ = x_TNC.shape
        emitted = x_TNC.gather(2, places_NP.expand(t, -1, -1))
        rows, times = (torch.arange(k, device=x_TNC.device) for k in (n, t))
        times_TN1 = (steps_N - 1 - times.unsqueeze(1)).clamp(min=0).unsqueeze(2)
        backwards_NP = (ends_N.unsqueeze(1) - _count(places_NP)).clamp(min=0)
        mirror = times_TN1, rows.unsqueeze(1), backwards_NP  # step by step, place by place
        both = torch.cat([emitted, emitted[mirror]], 1)
        both_places = torch.cat([places_NP, places_NP.gather(1, backwards_NP)])
        alpha, beta = _sweep(both, both_places, blank).split(n, 1)
        # Paths end in the last place, a blank, or in the label before it, if there is one.
        end, before = (alpha[steps_N - 1, rows, (ends_N - k).clamp(min=0)] for k in (0, 1))
        losses = -_log_sum(torch.stack([end, before.masked_fill(ends_N == 0, NOTHING)]))
        on_path = alpha + beta[mirror] - emitted + losses.unsqueeze(1)  # both have this step's x
        ctx.save_for_backward(x_TNC, places_NP, steps_N, ends_N, on_path)
        return losses

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x_TNC, places_NP, steps_N, ends_N, on_path = ctx.saved_tensors
        beyond = _count(places_NP) > ends_N.unsqueeze(1)
        visits = exp(on_path).masked_fill_(beyond, 0)
        counts = torch.zeros_like(x_TNC).scatter_add_(2, places_NP.expand_as(visits), visits)
        grad = (exp(x_TNC) - counts) * grads[0].unsqueeze(1)
        unused = torch.arange(len(x_TNC), device=x_TNC.device).unsqueeze(1) >= steps_N
        unused = unused | (grads[0] == 0)  # the loss was infinite and has been set to 0
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
    limit = targets.numel() if in_a_row else targets.shape[-1]
    sizes = _as_lengths("target_lengths", target_lengths, n, limit).to(device)
    labels = torch.full((n, int(sizes.max()) if n else 0), blank, device=device)
    counts = _count(labels) < sizes.unsqueeze(1)
    given = targets.to(device, torch.int64)
    given = given if in_a_row else given.reshape(n, -1)[:, : labels.shape[1]][counts]
    labels = labels.masked_scatter(counts, given)
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < c:
        raise RuntimeError(
            f"ctc_loss: labels must be 0 to {c - 1}, found {int(labels.min())} to "
            f"{int(labels.max())}"
        )
    places = labels.new_full((n, 2 * labels.shape[1] + 1), blank)
    places[:, 1::2] = labels
    losses = _CTC.apply(x_TNC, places, steps, 2 * sizes, blank)
    losses = losses.masked_fill(losses == -NOTHING, 0) if zero_infinity else losses
    losses = losses / sizes.clamp(min=1) if reduction == "mean" else losses
    return reduce_loss("ctc_loss", losses if batched else losses.squeeze(0), reduction)


CTCLoss = layer("CTCLoss", ctc_loss)
