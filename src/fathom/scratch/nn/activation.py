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

from fathom.scratch.nn.elementwise import InPlace, Shown, above, elementwise, in_place


@elementwise(saves="output", slope=torch.sign)
def _relu(x: Tensor) -> Tensor:
    return x.clamp(min=0)


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)."""
    return in_place(_relu, input, inplace)


def _between(y: Tensor, low: float, high: float) -> Tensor:
    """1 where low < y < high, 0 where y is either of them."""
    if low == -high:
        return y.abs().neg_().gt_(low)
    return (high - y).mul_(y if low == 0 else y - low).sign_()


@elementwise(saves="output", slope=_between)
def _clip(x: Tensor, low: float, high: float) -> Tensor:
    return x.clamp(low, high)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x, clipped to between `min_val` and `max_val`."""
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val is {min_val} and must not exceed max_val, {max_val}")
    return in_place(_clip, input, inplace, min_val, max_val)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)."""
    return in_place(_clip, input, inplace, 0.0, 6.0)


# y - y^2 is above zero between 0 and 1, and zero at both.
@elementwise(saves="output", slope=lambda y: torch.addcmul(y, y, y, value=-1).sign_().mul_(1 / 6))
def _hardsigmoid(x: Tensor) -> Tensor:
    return (x + 3).clamp_(0, 6).mul_(1 / 6)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """A sigmoid of three straight lines: 0 up to -3, 1 from 3 on."""
    return in_place(_hardsigmoid, input, inplace)


def _hardswish_slope(x: Tensor) -> Tensor:
    """x / 3 + 1/2 between -3 and 3, 0 before and 1 after: 1/2 + x / 6, x / 6 doubled between."""
    between = x.abs().neg_().gt_(-3)
    return between.add_(1).mul_((x * (1 / 6)).clamp_(-0.5, 0.5)).add_(0.5)


@elementwise(saves="input", slope=_hardswish_slope)
def _hardswish(x: Tensor) -> Tensor:
    return (x + 3).clamp_(0, 6).mul_(x).mul_(1 / 6)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x hardsigmoid(x)."""
    return in_place(_hardswish, input, inplace)


@elementwise(saves="input", slope=lambda x, threshold, value: above(x, threshold))
def _threshold(x: Tensor, threshold: float, value: float) -> Tensor:
    keep = above(x, threshold)
    return x.clamp(min=threshold).mul_(keep).add_(keep.sub_(1), alpha=-value)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > `threshold`, else `value`."""
    return in_place(_threshold, input, inplace, threshold, value)


def _scale_below_zero(x: Tensor, slope: float | Tensor) -> Tensor:
    """x above zero, `slope` x below. The mask is a constant, so autograd gives the right slopes."""
    up = above(x.detach())
    return x * (up + (1 - up) * slope)


@elementwise(saves="input", slope=lambda x, slope: x.sign().clamp_(min=slope))
def _leak(x: Tensor, slope: float) -> Tensor:
    """The larger of x and `slope` x, for slopes from 0 to 1."""
    scaled = x * slope
    return torch.maximum(x, scaled, out=scaled)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x above zero, `negative_slope` x below."""
    curve = _leak if 0 <= negative_slope <= 1 else _scale_below_zero
    return in_place(curve, input, inplace, negative_slope)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x above zero, w x below, w learned: one number, or one for each channel (dimension 1)."""
    channels = input.size(1) if input.dim() > 1 else 1
    if weight.dim() > 1 or weight.numel() not in (1, channels):
        raise RuntimeError(
            f"prelu: the weight has shape {tuple(weight.shape)}; expected 1 number or one for each "
            f"of the {channels} channels of an input of shape {tuple(input.shape)}"
        )
    weight = (
        weight.reshape(()) if weight.numel() == 1 else weight.view(-1, *[1] * (input.dim() - 2))
    )
    return _scale_below_zero(input, weight)


def rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False,
    inplace: bool = False,
) -> Tensor:  # fmt: skip
    """A leaky ReLU whose slope is drawn anew for each number; their mean, when not training."""
    if lower > upper:
        raise RuntimeError(f"rrelu: lower is {lower} and must not exceed upper, {upper}")
    if not training:
        return in_place(_scale_below_zero, input, inplace, (lower + upper) / 2)
    # torch draws in double precision, and only for the numbers that are not positive.
    slopes, drawn = torch.ones_like(input), input <= 0
    count = int(drawn.sum())
    random = torch.empty(count, dtype=torch.float64, device=input.device).uniform_(lower, upper)
    slopes[drawn] = random.to(input.dtype)
    return in_place(lambda x: x * slopes, input, inplace)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where |x| > `lambd`, else 0."""
    return input * input.detach().abs().gt_(lambd)


@elementwise(saves="output", slope=lambda y, lambd: y.sign().abs_())
def _softshrink(x: Tensor, lambd: float) -> Tensor:
    return x.clamp(-lambd, lambd).neg_().add_(x)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved towards zero by `lambd`, not beyond it."""
    if lambd < 0:
        raise RuntimeError(f"softshrink: lambd is {lambd}, must be 0 or more")
    return _softshrink(input, lambd)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return input / (1 + input.abs())


class ReLU(InPlace):
    """max(x, 0)."""

    def forward(self, input: Tensor) -> Tensor:
        return relu(input, self.inplace)


class Hardtanh(Shown):
    """x, clipped to between `min_val` and `max_val` (older names: `min_value`, `max_value`)."""

    shown = ("min_val", "max_val")

    def __init__(
        self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False,
        min_value: float | None = None, max_value: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        min_val = min_val if min_value is None else min_value
        max_val = max_val if max_value is None else max_value
        if min_val >= max_val:
            raise AssertionError(f"max_val, {max_val}, must be larger than min_val, {min_val}")
        self.min_val, self.max_val, self.inplace = min_val, max_val, inplace

    def forward(self, input: Tensor) -> Tensor:
        return hardtanh(input, self.min_val, self.max_val, self.inplace)


class ReLU6(InPlace):
    """min(max(x, 0), 6)."""

    def forward(self, input: Tensor) -> Tensor:
        return relu6(input, self.inplace)


class Hardsigmoid(nn.Module):
    """A sigmoid of three straight lines."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return hardsigmoid(input, self.inplace)


class Hardswish(nn.Module):
    """x hardsigmoid(x)."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return hardswish(input, self.inplace)


class Threshold(Shown):
    """x where x > `threshold`, else `value`."""

    shown = ("threshold", "value")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold, self.value, self.inplace = threshold, value, inplace

    def forward(self, input: Tensor) -> Tensor:
        return threshold(input, self.threshold, self.value, self.inplace)


class LeakyReLU(Shown):
    """x above zero, `negative_slope` x below."""

    shown = ("negative_slope",)

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace

    def forward(self, input: Tensor) -> Tensor:
        return leaky_relu(input, self.negative_slope, self.inplace)


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
        """Set every slope to the initial one."""
        with torch.no_grad():
            self.weight.fill_(self.init)

    def forward(self, input: Tensor) -> Tensor:
        return prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class RReLU(Shown):
    """A leaky ReLU with a random slope while training, and the mean slope afterwards."""

    shown = ("lower", "upper")

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower, self.upper, self.inplace = lower, upper, inplace

    def forward(self, input: Tensor) -> Tensor:
        return rrelu(input, self.lower, self.upper, self.training, self.inplace)


class Hardshrink(nn.Module):
    """x where |x| > `lambd`, else 0."""

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Softshrink(nn.Module):
    """x moved towards zero by `lambd`, not beyond it."""

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Softsign(nn.Module):
    """x / (1 + |x|)."""

    def forward(self, input: Tensor) -> Tensor:
        return softsign(input)
