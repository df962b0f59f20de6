"""Activations made of straight lines: ReLU, its leaky, clipped and shrinking relatives.

Source   ReLU Nair & Hinton 2010; PReLU He et al. 2015, arXiv:1502.01852; RReLU Xu et al. 2015,
         arXiv:1505.00853; Hardswish Howard et al. 2019, arXiv:1905.02244; book 5.1.
Differs  `inplace=True` overwrites the input as in torch, but saves no memory.
Shapes   Any to the same.

At a corner the slope is that of the flat or the left side, as in torch: ReLU's slope at 0 is 0.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from fathom.scratch.nn.elementwise import above, elementwise, line
from fathom.scratch.nn.init import constant_
from fathom.scratch.nn.layer import layer


@elementwise(saves="output", slope=torch.sign)
def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)."""
    return input.clamp(min=0)


def _between(y: Tensor, low: float, high: float) -> Tensor:
    """1 where low < y < high, 0 where y is either of them."""
    if low == -high:
        return y.abs().lt_(high)
    return (high - y).mul_(y if low == 0 else y - low).gt_(0)


@elementwise(saves="output", slope=_between)
def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x, clipped to between `min_val` and `max_val`."""
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val is {min_val} and must not exceed max_val, {max_val}")
    return input.clamp(min_val, max_val)


def _hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False,
    min_value: float | None = None, max_value: float | None = None,
) -> Tensor:  # fmt: skip
    """x, clipped to between `min_val` and `max_val` (older names: `min_value`, `max_value`)."""
    return hardtanh(input, min_val, max_val, inplace)


def _check_bounds(settings: dict[str, Any]) -> None:
    for name, older in (("min_val", "min_value"), ("max_val", "max_value")):
        given = settings.pop(older)
        settings[name] = settings[name] if given is None else given
    low, high = settings["min_val"], settings["max_val"]
    if low >= high:
        raise AssertionError(f"max_val, {high}, must be larger than min_val, {low}")


@elementwise(saves="output", slope=lambda y: _between(y, 0, 6))
def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)."""
    return input.clamp(0, 6)


@elementwise(saves="input", slope=lambda x: x.abs().lt_(3).mul_(1 / 6))
def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """A sigmoid of three straight lines: 0 up to -3, 1 from 3 on."""
    return line(input, 1 / 6, 0.5).clamp_(0, 1)


@elementwise(
    saves="part", slope=lambda x, gate: torch.addcmul(gate, x, x.abs().lt_(3), value=1 / 6)
)
def hardswish(input: Tensor, inplace: bool = False) -> tuple[Tensor, Tensor]:
    """x hardsigmoid(x)."""
    gate = line(input, 1 / 6, 0.5).clamp_(0, 1)
    return input * gate, gate


@elementwise(saves="input", slope=lambda x, threshold, value: above(x, threshold))
def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > `threshold`, else `value`."""
    below = torch.le(input, threshold, out=torch.empty_like(input))
    return input.clamp(min=threshold).add_(below, alpha=-threshold).add_(below, alpha=value)


def _leaky_slope(x: Tensor, slope: float) -> Tensor:
    up = above(x)
    return up.clamp_(min=slope) if 0 <= slope <= 1 else up.mul_(1 - slope).add_(slope)


@elementwise(saves="input", slope=_leaky_slope)
def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x above zero, `negative_slope` x below: the larger of both, or the smaller if it is steep."""
    scaled = input * negative_slope
    choose = torch.maximum if negative_slope <= 1 else torch.minimum
    return choose(input, scaled, out=scaled)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x above zero, w x below, w learned: one number, or one for each channel (dimension 1)."""
    channels = input.size(1) if input.dim() > 1 else 1
    if weight.dim() > 1 or weight.numel() not in (1, channels):
        raise RuntimeError(
            f"prelu: the weight has shape {tuple(weight.shape)}; expected 1 number or one for each "
            f"of the {channels} channels of an input of shape {tuple(input.shape)}"
        )
    sizes = [-1, *[1] * (input.dim() - 2)][: input.dim()]
    return torch.addcmul(relu(input), input.clamp(max=0), weight.reshape(sizes))


def rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False,
    inplace: bool = False,
) -> Tensor:  # fmt: skip
    """A leaky ReLU whose slope is drawn anew for each number; their mean, when not training."""
    if lower > upper:
        raise RuntimeError(f"rrelu: lower is {lower} and must not exceed upper, {upper}")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    # torch draws in double precision, and only for the numbers that are not positive.
    slopes, drawn = torch.ones_like(input), input <= 0
    random = torch.empty(int(drawn.sum()), dtype=torch.float64, device=input.device)
    slopes[drawn] = random.uniform_(lower, upper).to(input.dtype)
    return input.mul_(slopes) if inplace else input * slopes


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where |x| > `lambd`, else 0."""
    return input * input.detach().abs().gt_(lambd)


@elementwise(saves="output", slope=lambda y, lambd: y.sign().abs_())
def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved towards zero by `lambd`, not beyond it."""
    if lambd < 0:
        raise RuntimeError(f"softshrink: lambd is {lambd}, must be 0 or more")
    nearest = input.clamp(-lambd, lambd)
    return torch.add(input, nearest, alpha=-1, out=nearest)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return input / (1 + input.abs())


class PReLU(nn.Module):
    """A leaky ReLU that learns its slope: one number, or `num_parameters` for as many channels."""

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = nn.Parameter(torch.empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        return prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


ReLU = layer("ReLU", relu, "")
Hardtanh = layer(
    "Hardtanh", _hardtanh, "min_val={min_val}, max_val={max_val}", prepare=_check_bounds
)
ReLU6 = layer("ReLU6", relu6, "")
Hardsigmoid = layer("Hardsigmoid", hardsigmoid)
Hardswish = layer("Hardswish", hardswish)
Threshold = layer("Threshold", threshold, "threshold={threshold}, value={value}")
LeakyReLU = layer("LeakyReLU", leaky_relu, "negative_slope={negative_slope}")
RReLU = layer("RReLU", rrelu, "lower={lower}, upper={upper}")
Hardshrink = layer("Hardshrink", hardshrink, "{lambd}")
Softshrink = layer("Softshrink", softshrink, "{lambd}")
Softsign = layer("Softsign", softsign)
