"""Recurrent sweeps: RNN, GRU and LSTM run over all steps of a batch, and their gradients run back.

Source   Elman 1990; Cho et al. 2014, arXiv:1406.1078; Hochreiter and Schmidhuber 1997; Werbos 1990
         (backpropagation through time); book 8.4, 8.7, 9.1, 9.2.
Differs  The book's GRU resets the state before the matrix product, torch's after it; the book has
         one bias for each gate, torch two. We follow torch.
Shapes   B batch, H hidden, R rows: all steps of all sequences, step after step. `x_RH` holds the
         rows of step t in `rows[t]`, one for each sequence that is long enough to have that step.

What makes a sweep fast: whatever does not depend on the state is done for all steps in one
product, the inputs' share of the gates before the sweep and the weights' gradient after it. A
step is then one product for all gates, forth and back, and work on numbers still in the cache.
Under autocast to bfloat16 these products are taken in it; states and gates stay as they are.

So the gradients are written by hand: what autograd would find in `plain_sweep`, which is what a
sweep is, and which a second derivative goes through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from fathom.scratch.nn.recurrent_cells import gru_step, lstm_step, rnn_step

Rows = Sequence[slice]
IN_ORDER = (torch.float32, torch.bfloat16)


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


def plain_sweep(
    step: Callable[..., tuple[Tensor, ...]], x_RG: Tensor, states: Sequence[Tensor], rows: Rows
) -> tuple[Tensor, ...]:
    """`step` from the inputs' share and the states to new states, one row of steps after the other.

    Returns every new state (R, H), and of each kind of state the last (B, H).
    """
    found = {}
    for at in rows:
        x = x_RG[at]
        new = step(x, *(state[: len(x)] for state in states))
        states = [torch.cat([n, old[len(x) :]]) for n, old in zip(new, states, strict=True)]
        found[at.start] = new[0]
    return torch.cat([found[start] for start in sorted(found)]), *states


def _differentiable(
    step: Callable[..., tuple[Tensor, ...]],
    rows: Rows,
    x_RG: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    gradients: Sequence[Tensor],
) -> list[Tensor | None]:
    """Gradients of inputs, weights and states by the plain sweep: they have gradients in turn."""
    inputs = [x_RG, *weights, *states]
    outputs = plain_sweep(step, x_RG, states, rows)
    wanted = [each for each in inputs if each.requires_grad]
    by_input = iter(torch.autograd.grad(outputs, wanted, gradients, create_graph=True))
    return [next(by_input) if each.requires_grad else None for each in inputs]


def _by_step(rows: Rows, *tensors: Tensor) -> Any:
    """The rows of each step of all `tensors`, in the order of the sweep, as views."""
    forward = rows[0].start <= rows[-1].start
    sizes = [at.stop - at.start for at in (rows if forward else rows[::-1])]
    parts = [tensor.split(sizes) for tensor in tensors]
    return list(zip(*(part if forward else part[::-1] for part in parts), strict=True))


def _times(weight: Tensor, steps: int) -> Callable[[Tensor], Tensor]:
    """x -> x weight^T, for as many products as there are steps.

    A product begins by copying the weight into the order in which the processor reads it. Where
    many follow with one large weight, oneDNN does that once for all: up to a fifth less time.
    """
    one_dnn = weight.device.type == "cpu" and torch.backends.mkldnn.is_available()
    if one_dnn and weight.dtype in IN_ORDER and steps >= 10 and weight.numel() >= 2**16:
        ordered = torch.ops.mkldnn._reorder_linear_weight.default(weight)
        product = torch.ops.mkldnn._linear_pointwise.default
        return lambda x: product(x, ordered, None, "none", [], "")
    transposed = weight.t()
    return lambda x: x @ transposed


def _lowered(d_RG: Tensor, weight: Tensor) -> Tensor:
    """Room for d in the type of `weight`: d itself where that is its own."""
    same = d_RG.dtype == weight.dtype
    return d_RG if same else torch.empty_like(d_RG, dtype=weight.dtype)


def _lower(low: Tensor, d: Tensor) -> Tensor:
    """`low`, once it holds d."""
    return low if low.dtype == d.dtype else low.copy_(d)


def _tanh_(x: Tensor) -> Tensor:
    """tanh in place by a sigmoid: 2.5 times as fast on a CPU, right to the type's last bits."""
    x.add_(x).sigmoid_()
    return x.add_(x).sub_(1)


class _SweepRNN(Function):
    """h' = f(x + h W^T), with f the hyperbolic tangent or the rectifier.

    `x_RH` (R, H) holds the inputs' share and both biases, `h_BH` (B, H) the first state.
    Returns every new state (R, H) and the last one of each sequence (B, H).
    """

    @staticmethod
    def forward(
        ctx: Any, x_RH: Tensor, weight: Tensor, h_BH: Tensor, rows: Rows, tanh: bool, low: Any
    ) -> tuple[Tensor, Tensor]:
        given = x_RH, weight, h_BH
        out_RH, before_RH = torch.empty_like(x_RH), torch.empty_like(x_RH, dtype=low)
        h_BH, weight = h_BH.clone(), weight.to(low)
        product = _times(weight, len(rows))
        for x, out, before in _by_step(rows, x_RH, out_RH, before_RH):
            h = h_BH[: len(x)]
            torch.add(x, product(before.copy_(h)), out=out)
            h.copy_(_tanh_(out) if tanh else out.clamp_(min=0))
        ctx.rows, ctx.tanh = rows, tanh
        ctx.save_for_backward(out_RH, before_RH, weight, *given)
        return out_RH, h_BH

    @staticmethod
    def backward(ctx: Any, dout_RH: Tensor, dlast_BH: Tensor) -> Any:
        out_RH, before_RH, weight, *given = ctx.saved_tensors
        if torch.is_grad_enabled():
            x_RH, w, h_BH = given
            f = "tanh" if ctx.tanh else "relu"
            return *_differentiable(
                lambda x, h: (rnn_step(x, h @ w.t(), f),),
                ctx.rows, x_RH, [h_BH], [w], [dout_RH, dlast_BH],
            ), None, None, None  # fmt: skip
        dx_RH = torch.empty_like(out_RH)
        low_RH = _lowered(dx_RH, weight)
        dh_BH, product = dlast_BH.clone(), _times(weight.t(), len(ctx.rows))
        for out, dout, dx, low in _by_step(ctx.rows[::-1], out_RH, dout_RH, dx_RH, low_RH):
            dh = dh_BH[: len(dx)].add_(dout)
            if ctx.tanh:
                torch.addcmul(dh, dh * out, out, value=-1, out=dx)
            else:
                torch.mul(dh, out > 0, out=dx)
            dh.copy_(product(_lower(low, dx)))
        dweight = (low_RH.t() @ before_RH).to(dx_RH.dtype)
        return dx_RH, dweight, dh_BH, None, None, None


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
        given, width = (x_RG, weight, bias, h_BH), h_BH.shape[1]
        # Of every step: r, z and n; h W_n^T + b_n; the states before and after.
        gates_RG, inner_RH = torch.empty_like(x_RG), x_RG.new_empty(len(x_RG), width)
        before_RH, out_RH = torch.empty_like(inner_RH, dtype=low), torch.empty_like(inner_RH)
        h_BH, weight = h_BH.clone(), weight.to(low)
        product = _times(weight, len(rows))
        parts = (*x_RG.split([2 * width, width], 1), *gates_RG.split([2 * width, width], 1))
        steps = _by_step(rows, *parts, *gates_RG.chunk(3, 1)[:2], inner_RH, before_RH, out_RH)
        for x_rz, x_n, rz, n, r, z, inner, before, out in steps:
            h = h_BH[: len(out)]
            before.copy_(h)
            of_h = product(before)
            torch.add(x_rz, of_h[:, : 2 * width], out=rz).sigmoid_()
            torch.add(bias, of_h[:, 2 * width :], out=inner)
            _tanh_(torch.addcmul(x_n, r, inner, out=n))
            torch.addcmul(n, z, h.sub_(n), out=out)
            h.copy_(out)
        ctx.rows = rows
        ctx.save_for_backward(gates_RG, inner_RH, before_RH, weight, *given)
        return out_RH, h_BH

    @staticmethod
    def backward(ctx: Any, dout_RH: Tensor, dlast_BH: Tensor) -> Any:
        gates_RG, inner_RH, before_RH, weight, *given = ctx.saved_tensors
        width = before_RH.shape[1]
        if torch.is_grad_enabled():
            x_RG, w, bias, h_BH = given
            biases = torch.cat([bias.new_zeros(2 * width), bias])
            return *_differentiable(
                lambda x, h: (gru_step(x, h @ w.t() + biases, h),),
                ctx.rows, x_RG, [h_BH], [w, bias], [dout_RH, dlast_BH],
            ), None, None  # fmt: skip
        # As the products of the state see them: r, z, then what n's product receives.
        dx_RG, dstate_RG = torch.empty_like(gates_RG), torch.empty_like(gates_RG)
        low_RG = _lowered(dstate_RG, weight)
        dh_BH, product = dlast_BH.clone(), _times(weight.t(), len(ctx.rows))
        parts = (*gates_RG.chunk(3, 1), *dx_RG.chunk(3, 1), *dstate_RG.chunk(3, 1))
        steps = _by_step(ctx.rows[::-1], *parts, dstate_RG, low_RG, inner_RH, before_RH, dout_RH)
        for r, z, n, dx_r, dx_z, dx_n, dr, dz, dn, dstate, low, inner, before, dout in steps:
            dh = dh_BH[: len(dout)].add_(dout)
            dkept = dh * z
            dnew = dh - dkept  # of (1 - z) n
            torch.addcmul(dnew, dnew * n, n, value=-1, out=dx_n)
            dz.copy_(torch.mul((before - n).mul_(dnew), z, out=dx_z))
            torch.mul(dx_n, r, out=dn)
            dr.copy_(torch.addcmul(dn, dn, r, value=-1, out=dx_r).mul_(inner))
            torch.add(dkept, product(_lower(low, dstate)), out=dh)
        dweight = (low_RG.t() @ before_RH).to(dx_RG.dtype)
        return dx_RG, dweight, dstate_RG[:, 2 * width :].sum(0), dh_BH, None, None


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
        maybe = () if projection is None else (projection,)
        given, width = (x_RG, weight, *maybe, h_BP, c_BH), c_BH.shape[1]
        gates_RG = torch.empty_like(x_RG)  # i, f, g, o of every step
        out_RP = x_RG.new_empty(len(x_RG), h_BP.shape[1])
        before_RP = torch.empty_like(out_RP, dtype=low)
        cell_RH, squashed_RH = x_RG.new_empty(2, len(x_RG), width)  # c before, tanh(c') after
        h_BP, c_BH, weight = h_BP.clone(), c_BH.clone(), weight.to(low)
        product = _times(weight, len(rows))
        parts = (gates_RG[:, : 2 * width], *gates_RG.chunk(4, 1))
        steps = _by_step(rows, x_RG, gates_RG, *parts, out_RP, before_RP, cell_RH, squashed_RH)
        for x, gates, both, i, f, g, o, out, before, cell, squashed in steps:
            h, c = h_BP[: len(x)], c_BH[: len(x)]
            torch.add(x, product(before.copy_(h)), out=gates)
            both.sigmoid_()
            _tanh_(g)
            o.sigmoid_()
            torch.mul(cell.copy_(c), f, out=c).addcmul_(i, g)
            _tanh_(squashed.copy_(c))
            shown = o * squashed
            h.copy_(out.copy_(shown if projection is None else shown @ projection.t()))
        ctx.rows = rows
        ctx.save_for_backward(gates_RG, before_RP, cell_RH, squashed_RH, weight, *given)
        return out_RP, h_BP, c_BH

    @staticmethod
    def backward(ctx: Any, dout_RP: Tensor, dlast_BP: Tensor, dcell_BH: Tensor) -> Any:
        gates_RG, before_RP, cell_RH, squashed_RH, weight, x_RG, *given = ctx.saved_tensors
        w, *maybe, h_BP, c_BH = given
        projection = maybe[0] if maybe else None
        if torch.is_grad_enabled():

            def step(x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
                h, c = lstm_step(x, h @ w.t(), c)
                return h if projection is None else h @ projection.t(), c

            gradients = [dout_RP, dlast_BP, dcell_BH]
            found = _differentiable(step, ctx.rows, x_RG, [h_BP, c_BH], [w, *maybe], gradients)
            return *found[:2], found[2] if maybe else None, *found[-2:], None, None
        dx_RG, dstate_RP = torch.empty_like(gates_RG), torch.empty_like(dout_RP)
        low_RG = _lowered(dx_RG, weight)
        dh_BP, dc_BH = dlast_BP.clone(), dcell_BH.clone()
        product = _times(weight.t(), len(ctx.rows))
        parts = (*gates_RG.chunk(4, 1), *dx_RG.chunk(4, 1), dx_RG, low_RG)
        steps = _by_step(ctx.rows[::-1], *parts, dout_RP, dstate_RP, cell_RH, squashed_RH)
        for i, f, g, o, dx_i, dx_f, dx_g, dx_o, dx, low, dout, dstate, cell, squashed in steps:
            dh, dc = dh_BP[: len(dx)], dc_BH[: len(dx)]
            torch.add(dh, dout, out=dstate)
            dshown = dstate if projection is None else dstate @ projection
            dopen = dshown * o  # where the gate lets it through
            torch.addcmul(dopen, dopen, o, value=-1, out=dx_o).mul_(squashed)
            dc.add_(dopen.addcmul_(dopen * squashed, squashed, value=-1))
            dnew = dc * i
            torch.addcmul(dnew, dnew * g, g, value=-1, out=dx_g)
            torch.addcmul(dnew, dnew, i, value=-1, out=dx_i).mul_(g)
            dc.mul_(f)
            torch.addcmul(dc, dc, f, value=-1, out=dx_f).mul_(cell)
            dh.copy_(product(_lower(low, dx)))
        dprojection = None
        if projection is not None:
            dprojection = dstate_RP.t() @ (gates_RG.chunk(4, 1)[3] * squashed_RH)
        dweight = (low_RG.t() @ before_RP).to(dx_RG.dtype)
        return dx_RG, dweight, dprojection, dh_BP, dc_BH, None, None


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
