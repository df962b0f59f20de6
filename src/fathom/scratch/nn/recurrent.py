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

So the gradients are written by hand. They are what autograd would find in `plain_sweep`, which says
what a sweep is in ten lines, and which a second derivative goes through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd import Function

from fathom.scratch.nn.recurrent_cells import gru_step, lstm_step, rnn_step

Rows = Sequence[slice]
Tensors = tuple[Tensor, ...]
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


def plain_sweep(cell: Any, rows: Rows, x_RG: Tensor, *given: Tensor) -> Tensors:
    """The cell's step, from the inputs' share and the states to new states, at one time after the
    other. `given` are the first states and the weights.

    Returns every new state (R, H), and of each kind of state the last (B, H).
    """
    states, weights, found = given[: cell.states], given[cell.states :], {}
    for at in rows:
        x = x_RG[at]
        new = cell.step(x, *(state[: len(x)] for state in states), *weights)
        states = tuple(torch.cat([n, old[len(x) :]]) for n, old in zip(new, states, strict=True))
        found[at.start] = new[0]
    return torch.cat([found[start] for start in sorted(found)]), *states


class _Sweep(Function):
    """A cell's sweep: `ahead`, and `back` with gradients written by hand; `low` is the type of its
    products."""

    @staticmethod
    def forward(ctx: Any, cell: Any, rows: Rows, low: torch.dtype, *given: Any) -> Tensors:
        outputs, kept = cell.ahead(rows, low, *given)
        ctx.cell, ctx.rows, ctx.count = cell, rows, len(given)
        ctx.save_for_backward(*given, *kept)
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        given, kept = ctx.saved_tensors[: ctx.count], ctx.saved_tensors[ctx.count :]
        if not torch.is_grad_enabled():
            return None, None, None, *ctx.cell.back(ctx.rows, gradients, *kept)
        wanted = [each is not None and each.requires_grad for each in given]
        outputs = plain_sweep(ctx.cell, ctx.rows, *given)
        inputs = [each for each, wants in zip(given, wanted, strict=True) if wants]
        found = iter(torch.autograd.grad(outputs, inputs, gradients, create_graph=True))
        return None, None, None, *(next(found) if wants else None for wants in wanted)


def _sweep(cell: Any, rows: Rows, *given: Tensor | None) -> Any:
    """Run a sweep in the type of its weight, with its products in what autocast asks for."""
    weight: Any = given[1 + cell.states]
    device, low = weight.device.type, weight.dtype
    if torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.bfloat16:
        low = torch.bfloat16
    with torch.autocast(device, enabled=False):
        alike = [None if each is None else each.to(weight.dtype) for each in given]
        return _Sweep.apply(cell, rows, low, *alike)


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


@dataclass(frozen=True)
class _RNN:
    """h' = f(x + h W^T), with f the hyperbolic tangent or the rectifier."""

    nonlinearity: str
    states: ClassVar = 1

    def step(self, x: Tensor, h: Tensor, weight: Tensor) -> Tensors:
        return (rnn_step(x, h @ weight.t(), self.nonlinearity),)

    def ahead(self, rows: Rows, low: Any, x_RH: Tensor, h_BH: Tensor, weight: Tensor) -> Any:
        out_RH, before_RH = torch.empty_like(x_RH), torch.empty_like(x_RH, dtype=low)
        h_BH, weight = h_BH.clone(), weight.to(low)
        product = _times(weight, len(rows))
        for x, out, before in _by_step(rows, x_RH, out_RH, before_RH):
            h = h_BH[: len(x)]
            torch.add(x, product(before.copy_(h)), out=out)
            h.copy_(_tanh_(out) if self.nonlinearity == "tanh" else out.clamp_(min=0))
        return (out_RH, h_BH), (out_RH, before_RH, weight)

    def back(
        self, rows: Rows, gradients: Tensors, out_RH: Tensor, before_RH: Tensor, weight: Tensor
    ) -> Tensors:
        dout_RH, dlast_BH = gradients
        dx_RH = torch.empty_like(out_RH)
        low_RH = _lowered(dx_RH, weight)
        dh_BH, product = dlast_BH.clone(), _times(weight.t(), len(rows))
        for out, dout, dx, low in _by_step(rows[::-1], out_RH, dout_RH, dx_RH, low_RH):
            dh = dh_BH[: len(dx)].add_(dout)
            if self.nonlinearity == "tanh":
                torch.addcmul(dh, dh * out, out, value=-1, out=dx)
            else:
                torch.mul(dh, out > 0, out=dx)
            dh.copy_(product(_lower(low, dx)))
        return dx_RH, dh_BH, (low_RH.t() @ before_RH).to(dx_RH.dtype)


class _GRU:
    """Two gates decide how much of the old state enters the new candidate, and how much stays.

        r = sigmoid(x_r + h W_r^T)                reset
        z = sigmoid(x_z + h W_z^T)                update
        n = tanh(x_n + r * (h W_n^T + b_n))       candidate
        h' = (1 - z) n + z h

    `x_RG` (R, 3H) and `weight` (3H, H) hold r, z and n side by side; `bias` (H) is b_n, all other
    biases are in `x_RG`.
    """

    states = 1

    def step(self, x: Tensor, h: Tensor, weight: Tensor, bias: Tensor) -> Tensors:
        biases = torch.cat([bias.new_zeros(2 * len(bias)), bias])
        return (gru_step(x, h @ weight.t() + biases, h),)

    def ahead(
        self, rows: Rows, low: Any, x_RG: Tensor, h_BH: Tensor, weight: Tensor, bias: Tensor
    ) -> Any:
        # Of every step: r, z and n; h W_n^T + b_n; the states before and after.
        width = len(bias)
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
        return (out_RH, h_BH), (gates_RG, inner_RH, before_RH, weight)

    def back(
        self, rows: Rows, gradients: Tensors, gates_RG: Tensor, inner_RH: Tensor,
        before_RH: Tensor, weight: Tensor,
    ) -> Tensors:  # fmt: skip
        dout_RH, dlast_BH = gradients
        # As the products of the state see them: r, z, then what n's product receives.
        dx_RG, dstate_RG = torch.empty_like(gates_RG), torch.empty_like(gates_RG)
        low_RG = _lowered(dstate_RG, weight)
        dh_BH, product = dlast_BH.clone(), _times(weight.t(), len(rows))
        parts = (*gates_RG.chunk(3, 1), *dx_RG.chunk(3, 1), *dstate_RG.chunk(3, 1))
        steps = _by_step(rows[::-1], *parts, dstate_RG, low_RG, inner_RH, before_RH, dout_RH)
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
        return dx_RG, dh_BH, dweight, dstate_RG.chunk(3, 1)[2].sum(0)


class _LSTM:
    """A cell that is only ever scaled and added to, so that its gradient does not die away.

        i = sigmoid(x_i + h W_i^T)    what to write     f = sigmoid(x_f + h W_f^T)   what to keep
        g = tanh(x_g + h W_g^T)       what is new       o = sigmoid(x_o + h W_o^T)   what to show
        c' = f c + i g                                  h' = o tanh(c')

    `x_RG` (R, 4H), biases included, and `weight` (4H, H) hold i, f, g, o side by side. With a
    `projection` (P, H), the state is h' projection^T, of width P, and `weight` is (4H, P).
    """

    states = 2

    def step(
        self, x: Tensor, h: Tensor, c: Tensor, weight: Tensor, projection: Tensor | None
    ) -> Tensors:
        h, c = lstm_step(x, h @ weight.t(), c)
        return h if projection is None else h @ projection.t(), c

    def ahead(
        self, rows: Rows, low: Any, x_RG: Tensor, h_BP: Tensor, c_BH: Tensor, weight: Tensor,
        projection: Tensor | None,
    ) -> Any:  # fmt: skip
        width = c_BH.shape[1]
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
        kept = gates_RG, before_RP, cell_RH, squashed_RH, weight, projection
        return (out_RP, h_BP, c_BH), kept

    def back(
        self, rows: Rows, gradients: Tensors, gates_RG: Tensor, before_RP: Tensor,
        cell_RH: Tensor, squashed_RH: Tensor, weight: Tensor, projection: Tensor | None,
    ) -> Any:  # fmt: skip
        dout_RP, dlast_BP, dcell_BH = gradients
        dx_RG, dstate_RP = torch.empty_like(gates_RG), torch.empty_like(dout_RP)
        low_RG = _lowered(dx_RG, weight)
        dh_BP, dc_BH = dlast_BP.clone(), dcell_BH.clone()
        product = _times(weight.t(), len(rows))
        parts = (*gates_RG.chunk(4, 1), *dx_RG.chunk(4, 1), dx_RG, low_RG)
        steps = _by_step(rows[::-1], *parts, dout_RP, dstate_RP, cell_RH, squashed_RH)
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
        dweight, dprojection = (low_RG.t() @ before_RP).to(dx_RG.dtype), None
        if projection is not None:
            dprojection = dstate_RP.t() @ (gates_RG.chunk(4, 1)[3] * squashed_RH)
        return dx_RG, dh_BP, dc_BH, dweight, dprojection


def sweep_rnn(
    x_RH: Tensor, h_BH: Tensor, weight: Tensor, rows: Rows, *, nonlinearity: str = "tanh"
) -> tuple[Tensor, Tensor]:
    """(every state (R, H), the last of each sequence (B, H)) of the plain recurrence."""
    return _sweep(_RNN(nonlinearity), rows, x_RH, h_BH, weight)


def sweep_gru(
    x_RG: Tensor, h_BH: Tensor, weight: Tensor, bias: Tensor, rows: Rows
) -> tuple[Tensor, Tensor]:
    """(every state (R, H), the last of each sequence (B, H)) of the gated recurrence."""
    return _sweep(_GRU(), rows, x_RG, h_BH, weight, bias)


def sweep_lstm(
    x_RG: Tensor, h_BP: Tensor, c_BH: Tensor, weight: Tensor, rows: Rows, *,
    projection: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """(every state (R, P), the last state (B, P), the last cell (B, H) of each sequence)."""
    return _sweep(_LSTM(), rows, x_RG, h_BP, c_BH, weight, projection)
