"""Recurrent networks: sweeps stacked in layers and run in both directions.

Source   Schuster and Paliwal 1997 (bidirectional); Sak et al. 2014, arXiv:1402.1128 (projection);
         book 8.6, 9.1 to 9.4.
Differs  Inputs may be whole numbers too; see `recurrent.py` for the equations.
Shapes   T steps, B batch, I inputs, H hidden, L layers, D directions (1 or 2), P = H, or the
         projection's width: (T, B, I) to (T, B, D * P), or (B, T, I) with `batch_first`, or
         without B. States are (L * D, B, P), an LSTM's cells (L * D, B, H).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, Parameter
from torch.nn.utils.rnn import PackedSequence

from fathom.scratch.nn import init
from fathom.scratch.nn.dropout import dropout
from fathom.scratch.nn.embedding import embedding
from fathom.scratch.nn.linear import linear
from fathom.scratch.nn.recurrent import Rows, step_rows, sweep_gru, sweep_lstm, sweep_rnn

GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "GRU": 3, "LSTM": 4}
States = tuple[Tensor, ...]  # (h,) or (h, c)


class RNNBase(Module):
    """Parameters, layers and directions; what one sweep is, the classes below say.

    Whole numbers, (T, B), stand for one-hot vectors: their rows are looked up, not multiplied.
    """

    reads_numbers = True

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_settings(input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size)
        self.mode, self.input_size, self.hidden_size = mode, input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional, self.proj_size = float(dropout), bidirectional, proj_size
        self._all_weights: list[list[str]] = []

        gates, state = GATES[mode] * hidden_size, proj_size or hidden_size
        directions = ("", "_reverse") if bidirectional else ("",)
        for layer in range(num_layers):
            inputs = input_size if layer == 0 else state * len(directions)
            sizes: dict[str, tuple[int, ...]] = {
                "weight_ih": (gates, inputs),
                "weight_hh": (gates, state),
            }
            if bias:
                sizes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
            if proj_size:
                sizes |= {"weight_hr": (proj_size, hidden_size)}
            for direction in directions:
                names = {name: f"{name}_l{layer}{direction}" for name in sizes}
                for name, shape in sizes.items():
                    weight = Parameter(torch.empty(shape, device=device, dtype=dtype))
                    self.register_parameter(names[name], weight)
                self._all_weights.append(list(names.values()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        bound = 1.0 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self) -> None:
        """For callers that know torch's layers: there is nothing to flatten here."""

    def sweep(self, suffix: str, x_RI: Tensor, states: States, rows: Rows) -> tuple[Tensor, ...]:
        """(all states (R, P), then the last of each kind of state) of one layer and direction."""
        raise NotImplementedError

    def from_inputs(self, suffix: str, x_RI: Tensor, bias: Tensor | None) -> Tensor:
        """The inputs' share of all gates of all steps, with their bias and `bias`."""
        weight = getattr(self, "weight_ih" + suffix)
        if self.bias:
            bias = getattr(self, "bias_ih" + suffix) + bias
        if x_RI.is_floating_point():
            return linear(x_RI, weight, bias)
        table_VG = weight.t() if bias is None else weight.t() + bias
        return embedding(x_RI[:, 0], table_VG)  # a row looked up is a one-hot product

    def run(self, input: Any, states: States | None) -> tuple[Any, States]:
        """All layers and directions over a batch of sequences, padded or packed."""
        packed = isinstance(input, PackedSequence)
        data: Tensor = input.data if packed else input
        if not data.is_floating_point():
            data = data.unsqueeze(-1)
        self._check_input(data, packed=packed)
        batched = packed or data.dim() == 3
        if packed:
            batch_sizes = input.batch_sizes.tolist()
            order, restore = input.sorted_indices, input.unsorted_indices
            x_RI = data
        else:
            data = data if batched else data.unsqueeze(0 if self.batch_first else 1)
            x_TBI = data.transpose(0, 1) if self.batch_first else data
            batch_sizes, order, restore = [x_TBI.shape[1]] * x_TBI.shape[0], None, None
            x_RI = x_TBI.flatten(0, 1)
        states = self._first_states(states, batch_sizes, batched)
        if order is not None:
            states = tuple(state.index_select(1, order) for state in states)

        last: list[tuple[Tensor, ...]] = []
        directions = 2 if self.bidirectional else 1
        for layer in range(self.num_layers):
            if layer > 0 and self.dropout > 0:
                x_RI = dropout(x_RI, self.dropout, self.training)
            outputs = []
            for direction in range(directions):
                suffix = f"_l{layer}" + "_reverse" * direction
                first = tuple(state[layer * directions + direction] for state in states)
                rows = step_rows(batch_sizes, reverse=direction == 1)
                output, *ends = self.sweep(suffix, x_RI, first, rows)
                outputs.append(output)
                last.append(tuple(ends))
            x_RI = torch.cat(outputs, 1) if directions == 2 else outputs[0]

        final = tuple(torch.stack(kind) for kind in zip(*last, strict=True))
        if packed:
            if restore is not None:
                final = tuple(state.index_select(1, restore) for state in final)
            return PackedSequence(x_RI, *input[1:]), final
        y_TBP = x_RI.view(len(batch_sizes), -1, x_RI.shape[1])
        if not batched:
            return y_TBP.squeeze(1), tuple(state.squeeze(1) for state in final)
        return (y_TBP.transpose(0, 1) if self.batch_first else y_TBP), final

    def _check_input(self, x: Tensor, *, packed: bool) -> None:
        weight = self.all_weights[0][0]
        if x.dim() not in ((2,) if packed else (2, 3)):
            raise ValueError(
                f"{type(self).__name__}: Expected input to be 2D or 3D, got {x.dim()}D instead, "
                f"of sizes {list(x.shape)}"
            )
        if not x.is_floating_point():
            return  # the table of all tokens' shares names those that are out of range
        if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
            raise ValueError(
                f"RNN input dtype ({x.dtype}) does not match weight dtype ({weight.dtype}). "
                f"Convert input: input.to({weight.dtype}), or convert model: model.to({x.dtype})"
            )
        if x.shape[-1] != self.input_size:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. "
                f"Expected {self.input_size}, got {x.shape[-1]}"
            )
        if x.shape[1 if self.batch_first and x.dim() == 3 else 0] == 0:
            raise RuntimeError(
                f"Expected sequence length to be larger than 0 in RNN, got input {list(x.shape)}"
            )

    def _first_states(self, states: States | None, batch_sizes: list[int], batched: bool) -> States:
        """The given states, or zeros, as (L * D, B, width); raises naming the sizes expected."""
        widths = [self.proj_size or self.hidden_size]  # of h, and an LSTM's of c
        widths += [self.hidden_size] if self.mode == "LSTM" else []
        stacked = self.num_layers * (2 if self.bidirectional else 1)
        if states is None:
            like = self.all_weights[0][0]
            return tuple(like.new_zeros(stacked, batch_sizes[0], width) for width in widths)
        for number, (state, width) in enumerate(zip(states, widths, strict=True)):
            expected = (stacked, batch_sizes[0], width) if batched else (stacked, width)
            if tuple(state.shape) != expected:
                which = f"hidden[{number}]" if len(widths) == 2 else "hidden"
                raise RuntimeError(f"Expected {which} size {expected}, got {list(state.shape)}")
        return states if batched else tuple(state.unsqueeze(1) for state in states)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        plain = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False}
        for name, usual in {**plain, "dropout": 0, "bidirectional": False}.items():
            if getattr(self, name) != usual:
                text += f", {name}={getattr(self, name)}"
        return text


def check_settings(
    input_size: int,
    hidden_size: int,
    num_layers: int,
    bias: bool,
    batch_first: bool,
    dropout: float,
    proj_size: int,
) -> None:
    """Raises TypeError or ValueError for what cannot be a network."""
    if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout <= 1:
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an "
            f"element being zeroed, got {dropout!r}"
        )
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout "
            f"expects num_layers greater than 1, but got dropout={dropout} and num_layers=1",
            stacklevel=4,
        )
    for name, flag in {"bias": bias, "batch_first": batch_first}.items():
        if not isinstance(flag, bool):
            raise TypeError(f"{name} should be of type bool, got: {type(flag).__name__}")
    for name, size in {"input_size": input_size, "hidden_size": hidden_size}.items():
        if not isinstance(size, int):
            raise TypeError(f"{name} should be of type int, got: {type(size).__name__}")
        if size <= 0:
            raise ValueError(f"{name} must be greater than zero, got {size}")
    if num_layers <= 0:
        raise ValueError(f"num_layers must be greater than zero, got {num_layers}")
    if not 0 <= proj_size < hidden_size:
        raise ValueError(
            "proj_size should be zero to disable projections, and has to be smaller than "
            f"hidden_size, {hidden_size}, got {proj_size}"
        )


class RNN(RNNBase):
    """The plain recurrence (book 8.6): h' = tanh(W x + b + U h + c), or with a rectifier."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        layers = (num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype)
        super().__init__(f"RNN_{nonlinearity.upper()}", input_size, hidden_size, *layers)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, (last,) = self.run(input, None if hx is None else (hx,))
        return output, last

    def sweep(self, suffix: str, x_RI: Tensor, states: States, rows: Rows) -> tuple[Tensor, ...]:
        weight = getattr(self, "weight_hh" + suffix)
        x_RH = self.from_inputs(suffix, x_RI, getattr(self, "bias_hh" + suffix, None))
        return sweep_rnn(x_RH, states[0], weight, rows, tanh=self.nonlinearity == "tanh")


class GRU(RNNBase):
    """The gated recurrent unit (book 9.1)."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        layers = (num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype)
        super().__init__("GRU", input_size, hidden_size, *layers)

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, (last,) = self.run(input, None if hx is None else (hx,))
        return output, last

    def sweep(self, suffix: str, x_RI: Tensor, states: States, rows: Rows) -> tuple[Tensor, ...]:
        weight = getattr(self, "weight_hh" + suffix)
        bias = getattr(self, "bias_hh" + suffix) if self.bias else weight.new_zeros(len(weight))
        of_rz, of_n = bias.split([2 * self.hidden_size, self.hidden_size])
        # The reset gate scales the candidate's bias too: it stays apart from the inputs' share.
        x_RG = self.from_inputs(suffix, x_RI, torch.cat([of_rz, torch.zeros_like(of_n)]))
        return sweep_gru(x_RG, states[0], weight, of_n, rows)


class LSTM(RNNBase):
    """Long short-term memory (book 9.2), with a projection of the state if `proj_size` is given."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        layers = (num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype)
        super().__init__("LSTM", input_size, hidden_size, *layers)

    def forward(self, input: Any, hx: Sequence[Tensor] | None = None) -> tuple[Any, States]:
        return self.run(input, None if hx is None else tuple(hx))

    def sweep(self, suffix: str, x_RI: Tensor, states: States, rows: Rows) -> tuple[Tensor, ...]:
        weight, projection = getattr(self, "weight_hh" + suffix), None
        if self.proj_size:
            projection = getattr(self, "weight_hr" + suffix)
        x_RG = self.from_inputs(suffix, x_RI, getattr(self, "bias_hh" + suffix, None))
        h_BP, c_BH = states
        return sweep_lstm(x_RG, h_BP, c_BH, weight, rows, projection=projection)
