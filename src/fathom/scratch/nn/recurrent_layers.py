"""Recurrent networks: sweeps stacked in layers and run in both directions.

Source   Schuster and Paliwal 1997 (bidirectional); Sak et al. 2014, arXiv:1402.1128 (projection);
         book 8.6, 9.1 to 9.4.
Differs  Inputs may be whole numbers too; see `recurrent.py` for the equations.
Shapes   T steps, B batch, I inputs, H hidden, L layers, D directions (1 or 2), P = H, or the
         projection's width: (T, B, I) to (T, B, D * P), or (B, T, I) with `batch_first`, or
         without B. States are (L * D, B, P), an LSTM's cells (L * D, B, H).
"""

from __future__ import annotations

import warnings
from functools import partialmethod
from numbers import Integral
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, Parameter
from torch.nn.utils.rnn import PackedSequence

from fathom.scratch.nn import functional as F
from fathom.scratch.nn import init
from fathom.scratch.nn.recurrent import Rows, step_rows, sweep_gru, sweep_lstm, sweep_rnn

GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "GRU": 3, "LSTM": 4}
States = tuple[Tensor, ...]  # (h,) or (h, c)


class RNNBase(Module):
    """Parameters, layers and directions; what one sweep is, the classes below say.

    Whole numbers, (T, B), stand for one-hot vectors: their rows are looked up, not multiplied.
    """

    reads_numbers = True
    weight_ih_l0: Parameter

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
        proj_size: int = 0, device: Any = None, dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.mode, self.input_size, self.hidden_size = mode, input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional, self.proj_size = dropout, bidirectional, proj_size
        self._check_settings()
        self.dropout = float(dropout)
        self.directions = 2 if bidirectional else 1

        gates, state = GATES[mode] * hidden_size, proj_size or hidden_size
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            inputs = state * self.directions if layer > 0 else input_size
            sizes: dict[str, Any] = {"weight_ih": (gates, inputs), "weight_hh": (gates, state)}
            if bias:
                sizes |= {"bias_ih": gates, "bias_hh": gates}
            if proj_size:
                sizes["weight_hr"] = proj_size, hidden_size
            for direction in range(self.directions):
                names = {f"{name}_l{layer}" + "_reverse" * direction: name for name in sizes}
                for name, kind in names.items():
                    weight = torch.empty(sizes[kind], device=device, dtype=dtype)
                    self.register_parameter(name, Parameter(weight))
                self._all_weights.append(list(names))
        self.reset_parameters()

    def _check_settings(self) -> None:
        """Raises TypeError or ValueError for what cannot be a network."""
        flags, sizes = ("bias", "batch_first"), ("input_size", "hidden_size", "num_layers")
        for name in (*flags, *sizes):
            value, kind = getattr(self, name), "bool" if name in flags else "int"
            if not isinstance(value, bool if name in flags else Integral):
                raise TypeError(f"{name} should be of type {kind}, got: {type(value).__name__}")
            if name in sizes and value <= 0:
                raise ValueError(f"{name} must be greater than zero, got {value}")
        p = self.dropout
        if isinstance(p, bool) or not isinstance(p, int | float) or not 0 <= p <= 1:
            raise ValueError(f"dropout should be a probability in range [0, 1], got {p!r}")
        if p > 0 and self.num_layers == 1:
            where = 4 if self.mode.startswith("RNN") else 3  # it has a constructor of its own
            warnings.warn(f"dropout={p} acts between layers, and num_layers is 1", stacklevel=where)
        if self.proj_size and self.mode != "LSTM":
            raise ValueError(f"proj_size is for an LSTM only, got {self.proj_size} for {self.mode}")
        if not 0 <= self.proj_size < self.hidden_size:
            allowed = f"0, for no projection, or less than hidden_size, {self.hidden_size}"
            raise ValueError(f"proj_size should be {allowed}, got {self.proj_size}")

    def reset_parameters(self) -> None:
        init.inputs_uniform_(self.parameters(), self.hidden_size)

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
            return F.linear(x_RI, weight, bias)
        table_VG = weight.t() if bias is None else weight.t() + bias
        return F.embedding(x_RI[:, 0], table_VG)  # a row looked up is a one-hot product

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """All layers and directions over a batch of sequences, padded or packed.

        `hx`, like the second result, is h or, of an LSTM, (h, c).
        """
        packed = isinstance(input, PackedSequence)
        data: Tensor = input.data if packed else input
        if not data.is_floating_point():
            data = data.unsqueeze(-1)
        self._check_input(data, packed=packed)
        batched = packed or data.dim() == 3
        if packed:
            x_RI, batch_sizes = data, input.batch_sizes.tolist()
        else:
            x_TBI = data.transpose(0, 1) if batched and self.batch_first else data
            x_TBI = x_TBI if batched else data.unsqueeze(1)
            x_RI, batch_sizes = x_TBI.flatten(0, 1), [x_TBI.shape[1]] * x_TBI.shape[0]
        states = self._first_states(hx, batch_sizes[0], batched)
        if packed and input.sorted_indices is not None:
            states = tuple(state.index_select(1, input.sorted_indices) for state in states)

        ends: list[States] = []
        for layer in range(self.num_layers):
            if layer > 0 and self.dropout > 0:
                x_RI = F.dropout(x_RI, self.dropout, self.training)
            outputs = []
            for direction in range(self.directions):
                suffix = f"_l{layer}" + "_reverse" * direction
                first = tuple(state[len(ends)] for state in states)
                rows = step_rows(batch_sizes, reverse=direction == 1)
                output, *end = self.sweep(suffix, x_RI, first, rows)
                outputs.append(output)
                ends.append(tuple(end))
            x_RI = torch.cat(outputs, 1) if self.directions == 2 else outputs[0]

        last = [torch.stack(kind) for kind in zip(*ends, strict=True)]
        if packed and input.unsorted_indices is not None:
            last = [state.index_select(1, input.unsorted_indices) for state in last]
        last = last if batched else [state.squeeze(1) for state in last]
        final = tuple(last) if self.mode == "LSTM" else last[0]
        if packed:
            return PackedSequence(x_RI, *input[1:]), final
        y_TBP = x_RI.view(len(batch_sizes), -1, x_RI.shape[1])
        if not batched:
            return y_TBP.squeeze(1), final
        return (y_TBP.transpose(0, 1) if self.batch_first else y_TBP), final

    def _check_input(self, x: Tensor, *, packed: bool) -> None:
        sizes, kind = list(x.shape), self.weight_ih_l0.dtype
        if x.dim() not in ((2,) if packed else (2, 3)):
            raise ValueError(f"RNN input: expected to be 2D or 3D, got {x.dim()}D of {sizes}")
        if not x.is_floating_point():
            return  # the table of all tokens' shares names those that are out of range
        if x.dtype != kind and not torch.is_autocast_enabled(x.device.type):
            found = f"input dtype ({x.dtype}) does not match weight dtype ({kind})"
            raise ValueError(f"RNN {found}. Convert input: input.to({kind})")
        if sizes[-1] != self.input_size:
            expected = f"input_size. Expected {self.input_size}, got {sizes[-1]} of {sizes}"
            raise RuntimeError(f"input.size(-1) must be equal to {expected}")
        if sizes[1 if self.batch_first and x.dim() == 3 else 0] == 0:
            raise RuntimeError(f"Expected sequence length to be larger than 0, got input {sizes}")

    def _first_states(self, hx: Any, batch_size: int, batched: bool) -> States:
        """The given states, or zeros, as (L * D, B, width); raises naming the sizes expected."""
        lstm, width = self.mode == "LSTM", self.proj_size or self.hidden_size
        widths = {"hidden[0]": width, "hidden[1]": self.hidden_size} if lstm else {"hidden": width}
        stacked = len(self._all_weights)
        if hx is None:
            zeros = self.weight_ih_l0.new_zeros
            return tuple(zeros(stacked, batch_size, width) for width in widths.values())
        states = tuple(hx) if lstm else (hx,)
        for state, (which, width) in zip(states, widths.items(), strict=True):
            expected = (stacked, batch_size, width) if batched else (stacked, width)
            if state.shape != expected:
                raise RuntimeError(f"Expected {which} size {expected}, got {list(state.shape)}")
        return states if batched else tuple(state.unsqueeze(1) for state in states)

    def extra_repr(self) -> str:
        usual = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False}
        usual |= {"dropout": 0, "bidirectional": False}
        found = {name: getattr(self, name) for name in usual}
        unusual = [f"{name}={value}" for name, value in found.items() if value != usual[name]]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *unusual])


class RNN(RNNBase):
    """The plain recurrence (book 8.6): h' = tanh(W x + b + U h + c), or with a rectifier."""

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh",
        bias: bool = True, batch_first: bool = False, dropout: float = 0.0,
        bidirectional: bool = False, device: Any = None, dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select 'tanh' or 'relu'.")
        layers = (num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype)
        super().__init__(f"RNN_{nonlinearity.upper()}", input_size, hidden_size, *layers)
        self.nonlinearity = nonlinearity

    def sweep(self, suffix: str, x_RI: Tensor, states: States, rows: Rows) -> tuple[Tensor, ...]:
        weight = getattr(self, "weight_hh" + suffix)
        x_RH = self.from_inputs(suffix, x_RI, getattr(self, "bias_hh" + suffix, None))
        return sweep_rnn(x_RH, states[0], weight, rows, nonlinearity=self.nonlinearity)


class GRU(RNNBase):
    """The gated recurrent unit (book 9.1)."""

    __init__ = partialmethod(RNNBase.__init__, "GRU")

    def sweep(self, suffix: str, x_RI: Tensor, states: States, rows: Rows) -> tuple[Tensor, ...]:
        weight = getattr(self, "weight_hh" + suffix)
        bias = getattr(self, "bias_hh" + suffix) if self.bias else weight.new_zeros(len(weight))
        of_rz, of_n = bias.split([2 * self.hidden_size, self.hidden_size])
        # The reset gate scales the candidate's bias too: it stays apart from the inputs' share.
        x_RG = self.from_inputs(suffix, x_RI, torch.cat([of_rz, torch.zeros_like(of_n)]))
        return sweep_gru(x_RG, states[0], weight, of_n, rows)


class LSTM(RNNBase):
    """Long short-term memory (book 9.2), with a projection of the state if `proj_size` is given."""

    __init__ = partialmethod(RNNBase.__init__, "LSTM")

    def sweep(self, suffix: str, x_RI: Tensor, states: States, rows: Rows) -> tuple[Tensor, ...]:
        weight, projection = getattr(self, "weight_hh" + suffix), None
        if self.proj_size:
            projection = getattr(self, "weight_hr" + suffix)
        x_RG = self.from_inputs(suffix, x_RI, getattr(self, "bias_hh" + suffix, None))
        h_BP, c_BH = states
        return sweep_lstm(x_RG, h_BP, c_BH, weight, rows, projection=projection)
