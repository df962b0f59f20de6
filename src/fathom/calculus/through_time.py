"""Backpropagation through time: full, truncated and randomly truncated, as one recursion.

    h_t = W_x x_t + W_h h_{t-1}      o_t = W_o h_t      L = sum over t of |o_t - y_t|^2 / 2T

    d_t = W_o^T (o_t - y_t) / T + c_{t+1} W_h^T d_{t+1}        how L changes with h_t
    dL/dW_h = sum over t of d_t h_{t-1}^T                      dL/dW_x = sum of d_t x_t^T

The link c_{t+1} between step t + 1 and step t is 1 for the whole gradient, 0 where it is
truncated, and of a random truncation 1/p with probability p, else 0: 1 on average, so that the
gradient is right on average too.

Source   Book 8.7; Werbos 1990; random truncation Tallec and Ollivier 2017, arXiv:1705.08209.
Shapes   T steps, I inputs, H hidden, O outputs; S sets of links: `links_ST` holds c_1 to c_T, the
         first of which leads to the state before the text and counts nothing.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LinearRNN:
    """A recurrent network without bends: its gradient has a closed form. Float64 throughout."""

    w_x: Tensor  # (H, I)
    w_h: Tensor  # (H, H)
    w_o: Tensor  # (O, H)

    def states(self, x_TI: Tensor) -> Tensor:
        """Before the first step and after each: (T + 1, H)."""
        h_H = torch.zeros(len(self.w_h), dtype=torch.float64)
        found = [h_H]
        for x_I in x_TI:
            h_H = self.w_x @ x_I + self.w_h @ h_H
            found.append(h_H)
        return torch.stack(found)

    def errors(self, x_TI: Tensor, y_TO: Tensor) -> Tensor:
        """How the loss changes with each output: (T, O)."""
        return (self.states(x_TI)[1:] @ self.w_o.t() - y_TO) / len(x_TI)

    def loss(self, x_TI: Tensor, y_TO: Tensor, *, window: int | None = None) -> Tensor:
        """The loss, as autograd is to see it: with `window` the state is cut off before every
        window-th step, as training on windows does it."""
        h_H = torch.zeros(len(self.w_h), dtype=torch.float64)
        total = torch.zeros((), dtype=torch.float64)
        for t, (x_I, y_O) in enumerate(zip(x_TI, y_TO, strict=True)):
            if window is not None and t % window == 0:
                h_H = h_H.detach()
            h_H = self.w_x @ x_I + self.w_h @ h_H
            total = total + (self.w_o @ h_H - y_O).square().sum() / 2
        return total / len(x_TI)


def made(steps: int, hidden: int, radius: float, seed: int) -> tuple[LinearRNN, Tensor, Tensor]:
    """A network whose recurrent matrix has that spectral radius; inputs (T, 3), targets (T, 2)."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    w_h = normal(hidden, hidden)
    w_h *= radius / torch.linalg.eigvals(w_h).abs().max()
    rnn = LinearRNN(normal(hidden, 3), w_h, normal(2, hidden) / hidden**0.5)
    return rnn, normal(steps, 3), normal(steps, 2)


def sensitivities(rnn: LinearRNN, errors_TO: Tensor, links_ST: Tensor) -> Tensor:
    """d_t for every set of links: (S, T, H), by the recursion from the last step back."""
    own_TH = errors_TO @ rnn.w_o
    d_SH = own_TH[-1].expand(len(links_ST), -1)
    found = [d_SH]
    for t in range(len(errors_TO) - 2, -1, -1):
        d_SH = own_TH[t] + links_ST[:, t + 1, None] * (d_SH @ rnn.w_h)
        found.append(d_SH)
    return torch.stack(found[::-1], dim=1)


def gradient(rnn: LinearRNN, x_TI: Tensor, y_TO: Tensor, links_ST: Tensor) -> Tensor:
    """dL/dW_h for every set of links: (S, H, H)."""
    d_STH = sensitivities(rnn, rnn.errors(x_TI, y_TO), links_ST)
    return torch.einsum("sth,tk->shk", d_STH, rnn.states(x_TI)[:-1])


def closed_form(rnn: LinearRNN, x_TI: Tensor, y_TO: Tensor) -> Tensor:
    """The whole dL/dW_h (H, H), with powers of W_h written out (book 8.7)."""
    own_TH, states = rnn.errors(x_TI, y_TO) @ rnn.w_o, rnn.states(x_TI)
    steps = len(x_TI)
    powers = [torch.linalg.matrix_power(rnn.w_h.t(), k) for k in range(steps)]
    total = torch.zeros_like(rnn.w_h)
    for t in range(steps):
        d_H = torch.stack([powers[i - t] @ own_TH[i] for i in range(t, steps)]).sum(0)
        total += torch.outer(d_H, states[t])
    return total


def full_links(steps: int) -> Tensor:
    """(1, T): nothing is cut."""
    return torch.ones(1, steps, dtype=torch.float64)


def truncated_links(steps: int, window: int) -> Tensor:
    """(1, T): cut before every window-th step."""
    return (torch.arange(steps) % window != 0).double()[None]


def random_links(steps: int, window: float, samples: int, seed: int) -> Tensor:
    """(S, T): each cut with probability 1/window, so windows are as long on average."""
    generator = torch.Generator().manual_seed(seed)
    keep = 1 - 1 / window
    kept = torch.rand(samples, steps, generator=generator, dtype=torch.float64) < keep
    return kept.double() / keep


def every_link(steps: int, window: float) -> tuple[Tensor, Tensor]:
    """All 2^T sets of random links (S, T), and the probability of each (S,)."""
    keep = 1 - 1 / window
    cut = torch.tensor(list(itertools.product([0.0, 1.0], repeat=steps)), dtype=torch.float64)
    chances = (cut * keep + (1 - cut) * (1 - keep)).prod(1)
    return cut / keep, chances
