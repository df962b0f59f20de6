"""Recurrent sweeps: RNN, GRU and LSTM run over all steps of a batch, and their gradients run back.

Source   Elman 1990; Cho et al. 2014, arXiv:1406.1078; Hochreiter and Schmidhuber 1997; Werbos 1990
         (backpropagation through time); book 8.4, 8.7, 9.1, 9.2.
Differs  The book's GRU resets the state before the matrix product, torch's after it; the book has
         one bias for each gate, torch two. We follow torch. The gradients here are written by
         hand, so they cannot be differentiated again (those of `recurrent_cells.py` can).
Shapes   B batch, H hidden, R rows: all steps of all sequences, step after step. `x_RH` holds the
         rows of step t in `rows[t]`, one for each sequence that is long enough to have that step.

What makes a sweep fast: whatever does not depend on the state is done for all steps in one
product, the inputs' share of the gates before the sweep and the weights' gradient after it. A
step is then one product for all gates, forth and back, and work on numbers still in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

Rows = Sequence[slice]


def step_rows(batch_sizes: Sequence[int], *, reverse: bool = False) -> list[slice]:
    """The rows of each step, in the order in which the sweep visits them.

    Sequences are sorted, longest first, so step t has the first `batch_sizes[t]` of them. A state
    is kept for all; those whose sequence is over (or, in reverse, has not begun) rest untouched.
    """
    rows, start = [], 0
    for size in batch_sizes:
        rows.append(slice(start, start + size))
        start += size
    return rows[::-1] if reverse else rows


class _SweepRNN(Function):
    """h' = f(x + h W^T), with f the hyperbolic tangent or the rectifier.

    `x_RH` (R, H) holds the inputs' share and both biases, `h_BH` (B, H) the first state.
    Returns every new state (R, H) and the last one of each sequence (B, H).
    """

    @staticmethod
    def forward(
        ctx: Any, x_RH: Tensor, weight: Tensor, h_BH: Tensor, rows: Rows, tanh: bool
    ) -> tuple[Tensor, Tensor]:
        out_RH, before_RH = torch.empty_like(x_RH), torch.empty_like(x_RH)
        h_BH = h_BH.clone()
        for at in rows:
            h, out = h_BH[: at.stop - at.start], out_RH[at]
            before_RH[at] = h
            torch.addmm(x_RH[at], h, weight.t(), out=out)
            h.copy_(out.tanh_() if tanh else out.clamp_(min=0))
        ctx.rows, ctx.tanh = rows, tanh
        ctx.save_for_backward(out_RH, before_RH, weight)
        return out_RH, h_BH

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout_RH: Tensor, dlast_BH: Tensor) -> Any:
        out_RH, before_RH, weight = ctx.saved_tensors
        dx_RH = torch.empty_like(out_RH)
        dh_BH = dlast_BH.clone()
        for at in reversed(ctx.rows):
            dh, out = dh_BH[: at.stop - at.start], out_RH[at]
            slope = 1 - out * out if ctx.tanh else out > 0
            torch.mul(dh.add_(dout_RH[at]), slope, out=dx_RH[at])
            torch.mm(dx_RH[at], weight, out=dh)
        return dx_RH, dx_RH.t() @ before_RH, dh_BH, None, None


class _SweepGRU(Function):
    """Two gates decide how much of the old state enters the new candidate, and how much stays.

        r = sigmoid(x_r + h W_r^T + b_r)          reset
        z = sigmoid(x_z + h W_z^T + b_z)          update
        n = tanh(x_n + r * (h W_n^T + b_n))       candidate
        h' = (1 - z) n + z h

    `x_RG` (R, 3H), `weight` (3H, H) and `bias` (3H) hold r, z and n side by side.
    """

    @staticmethod
    def forward(
        ctx: Any, x_RG: Tensor, weight: Tensor, bias: Tensor, h_BH: Tensor, rows: Rows
    ) -> tuple[Tensor, Tensor]:
        width = h_BH.shape[1]
        # Of every step: h W^T + b; r, z and n; the states before and after.
        product_RG, gates_RG = torch.empty_like(x_RG), torch.empty_like(x_RG)
        before_RH, out_RH = x_RG.new_empty(2, x_RG.shape[0], width)
        h_BH = h_BH.clone()
        for at in rows:
            h, out, product = h_BH[: at.stop - at.start], out_RH[at], product_RG[at]
            before_RH[at] = h
            torch.addmm(bias, h, weight.t(), out=product)
            rz, n = gates_RG[at, : 2 * width], gates_RG[at, 2 * width :]
            torch.add(x_RG[at, : 2 * width], product[:, : 2 * width], out=rz).sigmoid_()
            r, z = rz.chunk(2, 1)
            torch.addcmul(x_RG[at, 2 * width :], r, product[:, 2 * width :], out=n).tanh_()
            torch.addcmul(n, z, h.sub_(n), out=out)
            h.copy_(out)
        ctx.rows = rows
        ctx.save_for_backward(gates_RG, product_RG[:, 2 * width :], before_RH, weight)
        return out_RH, h_BH

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout_RH: Tensor, dlast_BH: Tensor) -> Any:
        gates_RG, inner_RH, before_RH, weight = ctx.saved_tensors
        width = before_RH.shape[1]
        dx_RG, dinner_RH = torch.empty_like(gates_RG), torch.empty_like(before_RH)
        dh_BH = dlast_BH.clone()
        for at in reversed(ctx.rows):
            dh, dinner = dh_BH[: at.stop - at.start], dinner_RH[at]
            dx_r, dx_z, dx_n = dx_RG[at].chunk(3, 1)
            r, z, n = gates_RG[at].chunk(3, 1)
            dh += dout_RH[at]
            torch.mul(dh * (1 - z), 1 - n * n, out=dx_n)
            torch.mul(dh, (before_RH[at] - n) * z * (1 - z), out=dx_z)
            torch.mul(dx_n, r, out=dinner)
            torch.mul(dinner * inner_RH[at], 1 - r, out=dx_r)
            dh.mul_(z).addmm_(dx_RG[at, : 2 * width], weight[: 2 * width])
            dh.addmm_(dinner, weight[2 * width :])
        dproducts = (dx_RG[:, : 2 * width], dinner_RH)
        dweight = torch.cat([part.t() @ before_RH for part in dproducts])
        dbias = torch.cat([part.sum(0) for part in dproducts])
        return dx_RG, dweight, dbias, dh_BH, None


class _SweepLSTM(Function):
    """A cell that is only ever scaled and added to, so that its gradient does not die away.

        i = sigmoid(x_i + h W_i^T)    what to write     f = sigmoid(x_f + h W_f^T)   what to keep
        g = tanh(x_g + h W_g^T)       what is new       o = sigmoid(x_o + h W_o^T)   what to show
        c' = f c + i g                                  h' = o tanh(c')

    `x_RG` (R, 4H), biases included, and `weight` (4H, H) hold i, f, g, o side by side. With a
    `projection` (P, H), the state is h' projection^T, of width P, and `weight` is (4H, P).
    """

    @staticmethod
    def forward(
        ctx: Any,
        x_RG: Tensor,
        weight: Tensor,
        projection: Tensor | None,
        h_BP: Tensor,
        c_BH: Tensor,
        rows: Rows,
    ) -> tuple[Tensor, Tensor, Tensor]:
        width = c_BH.shape[1]
        gates_RG = torch.empty_like(x_RG)  # i, f, g, o of every step
        out_RP, before_RP = x_RG.new_empty(2, x_RG.shape[0], h_BP.shape[1])
        cell_RH, squashed_RH = x_RG.new_empty(2, x_RG.shape[0], width)  # c before, tanh(c') after
        h_BP, c_BH = h_BP.clone(), c_BH.clone()
        for at in rows:
            active = slice(at.stop - at.start)
            h, c, gates = h_BP[active], c_BH[active], gates_RG[at]
            before_RP[at], cell_RH[at] = h, c
            torch.addmm(x_RG[at], h, weight.t(), out=gates)
            i, f, g, o = gates.chunk(4, 1)
            gates[:, : 2 * width].sigmoid_()
            g.tanh_()
            o.sigmoid_()
            c.mul_(f).addcmul_(i, g)
            shown = o * torch.tanh(c, out=squashed_RH[at])
            h.copy_(shown if projection is None else shown @ projection.t())
            out_RP[at] = h
        ctx.rows, ctx.projected = rows, projection is not None
        maybe = () if projection is None else (projection,)
        ctx.save_for_backward(gates_RG, before_RP, cell_RH, squashed_RH, weight, *maybe)
        return out_RP, h_BP, c_BH

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout_RP: Tensor, dlast_BP: Tensor, dcell_BH: Tensor) -> Any:
        gates_RG, before_RP, cell_RH, squashed_RH, weight, *maybe = ctx.saved_tensors
        projection = maybe[0] if ctx.projected else None
        dx_RG, dstate_RP = torch.empty_like(gates_RG), torch.empty_like(before_RP)
        dh_BP, dc_BH = dlast_BP.clone(), dcell_BH.clone()
        for at in reversed(ctx.rows):
            active = slice(at.stop - at.start)
            dh, dc, squashed = dh_BP[active], dc_BH[active], squashed_RH[at]
            dx_i, dx_f, dx_g, dx_o = dx_RG[at].chunk(4, 1)
            i, f, g, o = gates_RG[at].chunk(4, 1)
            torch.add(dh, dout_RP[at], out=dstate_RP[at])
            dshown = dstate_RP[at] if projection is None else dstate_RP[at] @ projection
            torch.mul(dshown * squashed, o * (1 - o), out=dx_o)
            dc.addcmul_(dshown, o * (1 - squashed * squashed))
            torch.mul(dc, g * i * (1 - i), out=dx_i)
            torch.mul(dc, cell_RH[at] * f * (1 - f), out=dx_f)
            torch.mul(dc, i * (1 - g * g), out=dx_g)
            dc.mul_(f)
            torch.mm(dx_RG[at], weight, out=dh)
        dprojection = None
        if projection is not None:
            dprojection = dstate_RP.t() @ (gates_RG.chunk(4, 1)[3] * squashed_RH)
        return dx_RG, dx_RG.t() @ before_RP, dprojection, dh_BP, dc_BH, None


def sweep(kind: Any, x_RG: Tensor, weight: Tensor, *rest: Any) -> Any:
    """Run a sweep in the type of its weights, whatever mixed precision makes of products before."""
    with torch.autocast(x_RG.device.type, enabled=False):
        alike = [each.to(weight.dtype) if isinstance(each, Tensor) else each for each in rest]
        return kind.apply(x_RG.to(weight.dtype), weight, *alike)


def sweep_rnn(
    x_RH: Tensor, h_BH: Tensor, weight: Tensor, rows: Rows, *, tanh: bool = True
) -> tuple[Tensor, Tensor]:
    """(every state (R, H), the last of each sequence (B, H)) of the plain recurrence."""
    return sweep(_SweepRNN, x_RH, weight, h_BH, rows, tanh)


def sweep_gru(
    x_RG: Tensor, h_BH: Tensor, weight: Tensor, bias: Tensor, rows: Rows
) -> tuple[Tensor, Tensor]:
    """(every state (R, H), the last of each sequence (B, H)) of the gated recurrence."""
    return sweep(_SweepGRU, x_RG, weight, bias, h_BH, rows)


def sweep_lstm(
    x_RG: Tensor,
    h_BP: Tensor,
    c_BH: Tensor,
    weight: Tensor,
    rows: Rows,
    *,
    projection: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """(every state (R, P), the last state (B, P), the last cell (B, H) of each sequence)."""
    return sweep(_SweepLSTM, x_RG, weight, projection, h_BP, c_BH, rows)
