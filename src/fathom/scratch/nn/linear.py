"""The layers that are one product: linear and bilinear.

Source   book 3.2, 3.3.
Differs  The book keeps its weight as (inputs, outputs); torch, transposed. We follow torch.
Shapes   I inputs, O outputs; `x_I` has shape (*, I), any number of dimensions before it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, Parameter

from fathom.scratch.nn import init


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x W^T + b: `input` (*, I), `weight` (O, I) or (I,), `bias` (O,); the result is (*, O).

    Raises RuntimeError, naming both sizes, where the inputs are not I.
    """
    if input.dim() == 0 or input.shape[-1] != weight.shape[-1]:
        wanted = f"end in {weight.shape[-1]}, as the weight {list(weight.shape)} does"
        raise RuntimeError(f"linear: the input {list(input.shape)} should {wanted}")
    if bias is None:
        return input @ weight.t()
    if input.dim() == 2 and weight.dim() == 2:
        return torch.addmm(bias, input, weight.t())  # product and sum in one pass over memory
    return input @ weight.t() + bias


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x1^T W_o x2 + b_o for every output o: (*, I), (*, J), weight (O, I, J); the result is (*, O).

    Raises RuntimeError where the sizes do not fit together.
    """
    (*batch1, in1), (*batch2, in2) = input1.shape, input2.shape
    if batch1 != batch2 or weight.shape[1:] != (in1, in2):
        found = f"{list(input1.shape)}, {list(input2.shape)} and {list(weight.shape)}"
        raise RuntimeError(f"bilinear: expected (*, I), (*, J) and weight (O, I, J), got {found}")
    pairs = input1.unsqueeze(-1) * input2.unsqueeze(-2)  # (*, I, J): every product of two inputs
    return linear(pairs.flatten(-2), weight.flatten(1), bias)


class Identity(Module):
    """Hands its input on; takes any arguments, so that it can stand in for any layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input


class _Product(Module):
    """What a layer that is one product learns: a weight, and a bias for each output."""

    weight: Parameter
    bias: Parameter | None

    def __init__(self, sizes: tuple[int, ...], bias: bool, device: Any, dtype: Any) -> None:
        super().__init__()
        self.weight = Parameter(torch.empty(sizes, device=device, dtype=dtype))
        shift = torch.empty(sizes[0], device=device, dtype=dtype)
        self.register_parameter("bias", Parameter(shift) if bias else None)


class Linear(_Product):
    """y = x W^T + b (book 3.2): (*, in_features) to (*, out_features)."""

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        super().__init__((out_features, in_features), bias, device, dtype)
        self.in_features, self.out_features = in_features, out_features
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init.fan_in_uniform_(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        sizes = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"


class Bilinear(_Product):
    """y_o = x1^T W_o x2 + b_o: (*, in1_features) and (*, in2_features) to (*, out_features)."""

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True,
        device: Any = None, dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got {in1_features}")
        super().__init__((out_features, in1_features, in2_features), bias, device, dtype)
        self.in1_features, self.in2_features = in1_features, in2_features
        self.out_features = out_features
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init.inputs_uniform_(self.parameters(), self.in1_features)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        sizes = f"in1_features={self.in1_features}, in2_features={self.in2_features}"
        return f"{sizes}, out_features={self.out_features}, bias={self.bias is not None}"
