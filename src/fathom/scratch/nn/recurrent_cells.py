"""One step of a recurrent network: the equations of RNN, GRU and LSTM, and nothing else.

Source   Elman 1990; Cho et al. 2014, arXiv:1406.1078; Hochreiter and Schmidhuber 1997; book 8.4,
         9.1, 9.2.
Differs  The book's GRU resets the state before the matrix product, torch's after it; the book has
         one bias for each gate, torch two. We follow torch.
Shapes   B batch, I inputs, H hidden: `x_BI`, `h_BH`, or both without B. Weights of all gates are
         stacked, (gates * H, I) and (gates * H, H), so that a step is two products.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, Parameter

from fathom.scratch.nn import init
from fathom.scratch.nn.linear import linear


def rnn_step(from_x: Tensor, from_h: Tensor, nonlinearity: str = "tanh") -> Tensor:
    """h' = f(W_x x + W_h h)."""
    total = from_x + from_h
    return torch.tanh(total) if nonlinearity == "tanh" else total.clamp(min=0)


def gru_step(from_x: Tensor, from_h: Tensor, h: Tensor) -> Tensor:
    """`from_x` and `from_h` hold the shares of reset, update and candidate side by side."""
    x_r, x_z, x_n = from_x.chunk(3, -1)
    h_r, h_z, h_n = from_h.chunk(3, -1)
    reset, update = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    candidate = torch.tanh(x_n + reset * h_n)
    return (1 - update) * candidate + update * h


def lstm_step(from_x: Tensor, from_h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """`from_x` and `from_h` hold the shares of input, forget, cell and output gate."""
    i, f, g, o = (from_x + from_h).chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


class RNNCellBase(Module):
    """The parameters of a cell with `num_chunks` gates, and the checks of its inputs."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        gates = num_chunks * hidden_size

        def parameter(*sizes: int) -> Parameter:
            return Parameter(torch.empty(sizes, device=device, dtype=dtype))

        self.weight_ih, self.weight_hh = parameter(gates, input_size), parameter(gates, hidden_size)
        self.bias_ih: Parameter | None
        self.bias_hh: Parameter | None
        self.register_parameter("bias_ih", parameter(gates) if bias else None)
        self.register_parameter("bias_hh", parameter(gates) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init.inputs_uniform_(self.parameters(), self.hidden_size)

    def check(self, input: Tensor, hx: Tensor | None, name: str = "hidden") -> Tensor:
        """The state to start from: `hx`, or zeros. Raises naming the sizes that do not fit."""
        cell, expected = type(self).__name__, (*input.shape[:-1], self.hidden_size)
        for word, each in (("input", input), (name, hx)):
            if each is not None and each.dim() not in (1, 2):
                found = f"got {each.dim()}D instead, of sizes {list(each.shape)}"
                raise ValueError(f"{cell}: Expected {word} to be 1D or 2D, {found}")
        if input.shape[-1] != self.input_size:
            found = f"got {input.shape[-1]} expected {self.input_size}"
            raise RuntimeError(f"{cell}: input has inconsistent input_size: {found}")
        if hx is not None and hx.shape != expected:
            raise RuntimeError(f"{cell}: Expected {name} size {expected}, got {list(hx.shape)}")
        return input.new_zeros(expected) if hx is None else hx

    def shares(self, input: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """What the input and what the state add to every gate."""
        from_x = linear(input, self.weight_ih, self.bias_ih)
        return from_x, linear(h, self.weight_hh, self.bias_hh)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        text += f", bias={self.bias}" if self.bias is not True else ""
        nonlinearity = self.__dict__.get("nonlinearity", "tanh")
        return text + (f", nonlinearity={nonlinearity}" if nonlinearity != "tanh" else "")


class RNNCell(RNNCellBase):
    """(B, I) and state (B, H) to state (B, H)."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh",
        device: Any = None, dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        h = self.check(input, hx)
        return rnn_step(*self.shares(input, h), self.nonlinearity)


class GRUCell(RNNCellBase):
    """(B, I) and state (B, H) to state (B, H)."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        h = self.check(input, hx)
        return gru_step(*self.shares(input, h), h)


class LSTMCell(RNNCellBase):
    """(B, I) and a pair of state and cell, (B, H) each, to such a pair."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        h, c = hx if hx is not None else (None, None)
        h, c = self.check(input, h, "hx[0]"), self.check(input, c, "hx[1]")
        return lstm_step(*self.shares(input, h), c)
