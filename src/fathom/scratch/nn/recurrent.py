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
Under autocast to bfloat16 these products are taken in it; states and gates stay as they are.
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


def _add_product(base: Tensor, h: Tensor, weight: Tensor, out: Tensor) -> Tensor:
    """out = base + h weight, the product in the type of `weight`."""
    if weight.dtype == out.dtype:
        return torch.addmm(base, h, weight, out=out)
    return torch.add(base, h.to(weight.dtype) @ weight, out=out)


def _product(d: Tensor, weight: Tensor) -> Tensor:
    """d weight in the type of `weight`, then in that of d."""
    return (d.to(weight.dtype) @ weight).to(d.dtype)


def _outer(d_RG: Tensor, before_RH: Tensor, like: Tensor) -> Tensor:
    """The gradient of a weight: d^T before over all rows, taken in the type of `like`."""
    return (d_RG.to(like.dtype).t() @ before_RH.to(like.dtype)).to(d_RG.dtype)


def _tanh_(x: Tensor) -> Tensor:
    """tanh in place by a sigmoid: 2.5 times as fast on a CPU, right to the type's last bits."""
    return x.mul_(2).sigmoid_().mul_(2).sub_(1)


class _SweepRNN(Function):
    """h' = f(x + h W^T), with f the hyperbolic tangent or the rectifier.

    `x_RH` (R, H) holds the inputs' share and both biases, `h_BH` (B, H) the first state.
    Returns every new state (R, H) and the last one of each sequence (B, H).
    """

    @staticmethod
    def forward(
        ctx: Any, x_RH: Tensor, weight: Tensor, h_BH: Tensor, rows: Rows, tanh: bool, low: Any
    ) -> tuple[Tensor, Tensor]:
        out_RH, before_RH = torch.empty_like(x_RH), torch.empty_like(x_RH)
        h_BH, weight = h_BH.clone(), weight.to(low)
        for at in rows:
            h, out = h_BH[: at.stop - at.start], out_RH[at]
            before_RH[at] = h
            _add_product(x_RH[at], h, weight.t(), out)
            h.copy_(_tanh_(out) if tanh else out.clamp_(min=0))
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
            active, out, dx = slice(at.stop - at.start), out_RH[at], dx_RH[at]
            dh = dh_BH[active].add_(dout_RH[at])
            if ctx.tanh:
                torch.addcmul(dh, dh * out, out, value=-1, out=dx)
            else:
                torch.mul(dh, out > 0, out=dx)
            dh_BH[active] = _product(dx, weight)
        return dx_RH, _outer(dx_RH, before_RH, weight), dh_BH, None, None, None


class _SweepGRU(Function):
    """Two gates decide how much of the old state enters the new candidate, and how much stays.

        r = sigmoid(x_r + h W_r^T)                reset
        z = sigmoid(x_z + h W_z^T)                update
        n = tanh(x_n + r * (h W_n^T + b_n))       candidate
        h' = (1 - z) n + z h

    `x_RG` (R, 3H) and `weight` (3H, H) hold r, z and n side by side; `bias` (H) is b_n, all other
    biases are in `x_RG`.
    """

    @staticmethod
    def forward(
        ctx: Any, x_RG: Tensor, weight: Tensor, bias: Tensor, h_BH: Tensor, rows: Rows, low: Any
    ) -> tuple[Tensor, Tensor]:
        width = h_BH.shape[1]
        # Of every step: r, z and n; h W_n^T + b_n; the states before and after.
        gates_RG = torch.empty_like(x_RG)
        inner_RH, before_RH, out_RH = x_RG.new_empty(3, x_RG.shape[0], width)
        h_BH, weight = h_BH.clone(), weight.to(low)
        of_rz, of_n = weight[: 2 * width].t(), weight[2 * width :].t()
        for at in rows:
            h, out, inner = h_BH[: at.stop - at.start], out_RH[at], inner_RH[at]
            before_RH[at] = h
            rz, n = gates_RG[at, : 2 * width], gates_RG[at, 2 * width :]
            _add_product(x_RG[at, : 2 * width], h, of_rz, rz).sigmoid_()
            _add_product(bias, h, of_n, inner)
            r, z = rz.chunk(2, 1)
            _tanh_(torch.addcmul(x_RG[at, 2 * width :], r, inner, out=n))
            torch.addcmul(n, z, h.sub_(n), out=out)
            h.copy_(out)
        ctx.rows = rows
        ctx.save_for_backward(gates_RG, inner_RH, before_RH, weight)
        return out_RH, h_BH

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout_RH: Tensor, dlast_BH: Tensor) -> Any:
        gates_RG, inner_RH, before_RH, weight = ctx.saved_tensors
        width = before_RH.shape[1]
        dx_RG, dinner_RH = torch.empty_like(gates_RG), torch.empty_like(before_RH)
        dh_BH = dlast_BH.clone()
        for at in reversed(ctx.rows):
            active, dinner = slice(at.stop - at.start), dinner_RH[at]
            dx_r, dx_z, dx_n = dx_RG[at].chunk(3, 1)
            r, z, n = gates_RG[at].chunk(3, 1)
            dh = dh_BH[active].add_(dout_RH[at])
            dkept = dh * z
            dnew = dh - dkept  # of (1 - z) n
            torch.addcmul(dnew, dnew * n, n, value=-1, out=dx_n)
            torch.mul((before_RH[at] - n).mul_(dnew), z, out=dx_z)
            torch.mul(dx_n, r, out=dinner)
            torch.addcmul(dinner, dinner, r, value=-1, out=dx_r).mul_(inner_RH[at])
            dkept += _product(dx_RG[at, : 2 * width], weight[: 2 * width])
            torch.add(dkept, _product(dinner, weight[2 * width :]), out=dh)
        dproducts = (dx_RG[:, : 2 * width], dinner_RH)
        dweight = torch.cat([_outer(part, before_RH, weight) for part in dproducts])
        return dx_RG, dweight, dinner_RH.sum(0), dh_BH, None, None


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
        low: Any,
    ) -> tuple[Tensor, Tensor, Tensor]:
        width = c_BH.shape[1]
        gates_RG = torch.empty_like(x_RG)  # i, f, g, o of every step
        out_RP, before_RP = x_RG.new_empty(2, x_RG.shape[0], h_BP.shape[1])
        cell_RH, squashed_RH = x_RG.new_empty(2, x_RG.shape[0], width)  # c before, tanh(c') after
        h_BP, c_BH, weight = h_BP.clone(), c_BH.clone(), weight.to(low)
        for at in rows:
            active = slice(at.stop - at.start)
            h, c, gates = h_BP[active], c_BH[active], gates_RG[at]
            before_RP[at], cell_RH[at] = h, c
            _add_product(x_RG[at], h, weight.t(), gates)
            i, f, g, o = gates.chunk(4, 1)
            gates[:, : 2 * width].sigmoid_()
            _tanh_(g)
            o.sigmoid_()
            c.mul_(f).addcmul_(i, g)
            shown = o * _tanh_(squashed_RH[at].copy_(c))
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
            dopen = dshown * o  # where the gate lets it through
            torch.addcmul(dopen, dopen, o, value=-1, out=dx_o).mul_(squashed)
            dc.add_(dopen.addcmul_(dopen * squashed, squashed, value=-1))
            dnew = dc * i
            torch.addcmul(dnew, dnew * g, g, value=-1, out=dx_g)
            torch.addcmul(dnew, dnew, i, value=-1, out=dx_i).mul_(g)
            dc.mul_(f)
            torch.addcmul(dc, dc, f, value=-1, out=dx_f).mul_(cell_RH[at])
            dh.copy_(_product(dx_RG[at], weight))
        dprojection = None
        if projection is not None:
            dprojection = dstate_RP.t() @ (gates_RG.chunk(4, 1)[3] * squashed_RH)
        return dx_RG, _outer(dx_RG, before_RP, weight), dprojection, dh_BP, dc_BH, None, None


def sweep(kind: Any, x_RG: Tensor, weight: Tensor, *rest: Any) -> Any:
    """Run a sweep in the type of its weights, with its products in what autocast asks for."""
    device, low = x_RG.device.type, weight.dtype
    if torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.bfloat16:
        low = torch.bfloat16
    with torch.autocast(device, enabled=False):
        alike = [each.to(weight.dtype) if isinstance(each, Tensor) else each for each in rest]
        return kind.apply(x_RG.to(weight.dtype), weight, *alike, low)


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
