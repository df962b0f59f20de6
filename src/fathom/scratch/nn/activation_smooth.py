"""Activations made of exponentials: sigmoid, tanh and the curves built from them.

Source   ELU Clevert et al. 2015, arXiv:1511.07289; SELU Klambauer et al. 2017, arXiv:1706.02515;
         CELU Barron 2017, arXiv:1704.07483; GELU Hendrycks & Gimpel 2016, arXiv:1606.08415;
         SiLU Ramachandran et al. 2017, arXiv:1710.05941; Mish Misra 2019, arXiv:1908.08681;
         GLU Dauphin et al. 2016, arXiv:1612.08083; book 5.1.
Differs  `inplace=True` overwrites the input as in torch, but saves no memory.
Shapes   Any to the same, except GLU, which halves one dimension.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from fathom.scratch.nn.elementwise import InPlace, Shown, above, elementwise, exp, in_place

# Values for which a SELU layer keeps mean 0 and variance 1 (Klambauer et al., equation 14).
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


@elementwise(saves="output", slope=lambda y: torch.addcmul(y, y, y, value=-1))
def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + e^-x), with slope y (1 - y). Where e^-x overflows, 1 / infinity is the right 0."""
    return exp(input, -1).add_(1).reciprocal_()


@elementwise(saves="output", slope=lambda y: 1 - y * y)
def tanh(input: Tensor) -> Tensor:
    """(e^2x - 1) / (e^2x + 1), with slope 1 - y^2.

    `expm1` keeps the digits of e^2x - 1 near zero. Beyond 20 the result is 1 in double precision.
    """
    numerator = (2 * input).clamp_(-40, 40).expm1_()
    return numerator.div_(numerator + 2)


@elementwise(saves="input", slope=lambda x: sigmoid(-x))
def logsigmoid(input: Tensor) -> Tensor:
    """log sigmoid(x) = min(x, 0) - log(1 + e^-|x|), with slope sigmoid(-x).

    The sigmoid itself would underflow, and its logarithm be that of 0.
    """
    return input.clamp(max=0).sub_(exp(input.abs(), -1).log1p_())


def _softplus_slope(x: Tensor, beta: float, threshold: float) -> Tensor:
    z = beta * x
    return torch.maximum(sigmoid(z), above(z, threshold))


@elementwise(saves="input", slope=_softplus_slope)
def _softplus(x: Tensor, beta: float, threshold: float) -> Tensor:
    # log(1 + e^z) = max(z, 0) + log(1 + e^-|z|), whose exponential cannot overflow.
    z = beta * x
    y = exp(z.abs(), -1).log1p_().mul_(z.clone().le_(threshold)).add_(z.clamp(min=0)).div_(beta)
    return torch.where(z > threshold, x, y) if threshold < 0 else y


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^bx) / b, a smooth ReLU; exactly x where b x exceeds `threshold`."""
    return _softplus(input, beta, threshold)


@elementwise(saves="part", slope=lambda x, s: (1 - s).mul_(x).add_(1).mul_(s))
def _silu(x: Tensor) -> tuple[Tensor, Tensor]:
    s = sigmoid(x)
    return x * s, s


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x sigmoid(x), also called swish."""
    return in_place(_silu, input, inplace)


def _mish_slope(x: Tensor) -> Tensor:
    e = exp(x.clamp(max=20))
    below = e * (e + 2) + 2
    return (below - 2) / below + x * 4 * e * (e + 1) / (below * below)


@elementwise(saves="input", slope=_mish_slope)
def _mish(x: Tensor) -> Tensor:
    # tanh(log(1 + e^x)) = n / (n + 2) with n = e^x (e^x + 2): one exponential, no logarithm.
    e = exp(x.clamp(max=20))
    n = e.mul_(e + 2)
    return x * n / (n + 2)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(softplus(x)); beyond x = 20 it equals x in double precision."""
    return in_place(_mish, input, inplace)


def _elu_slope(x: Tensor, alpha: float, scale: float, rate: float) -> Tensor:
    # For x > 0 the exponential is e^0; the second term corrects alpha * rate to 1.
    tail = exp(x.clamp(max=0), rate) * (scale * alpha * rate)
    return tail.add_(above(x), alpha=scale * (1 - alpha * rate)) if alpha * rate != 1 else tail


@elementwise(saves="input", slope=_elu_slope)
def _elu(x: Tensor, alpha: float, scale: float, rate: float) -> Tensor:
    """scale x above zero, scale alpha (e^(rate x) - 1) below."""
    tail = (x.clamp(max=0) * rate).expm1_().mul_(alpha)
    return tail.add_(x.clamp(min=0)).mul_(scale)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x above zero, alpha (e^x - 1) below."""
    return in_place(_elu, input, inplace, alpha, 1.0, 1.0)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x above zero, alpha (e^(x / alpha) - 1) below: slope 1 on both sides of zero."""
    if alpha == 0:
        raise ZeroDivisionError("celu: alpha is 0, and e^(x / alpha) needs it to be another number")
    return in_place(_elu, input, inplace, alpha, 1.0, 1 / alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """A scaled ELU whose outputs keep mean 0 and variance 1 from layer to layer."""
    return in_place(_elu, input, inplace, SELU_ALPHA, SELU_SCALE, 1.0)


def _gelu_slope(x: Tensor, below: Tensor) -> Tensor:
    return (exp(x * x, -0.5) * x).mul_(1 / math.sqrt(2 * math.pi)).add_(below)


@elementwise(saves="part", slope=_gelu_slope)
def _gelu_exact(x: Tensor) -> tuple[Tensor, Tensor]:
    """x times the probability that a standard normal number is below x."""
    below = (x * math.sqrt(0.5)).erf_().add_(1).mul_(0.5)
    return x * below, below


def _gelu_tanh_slope(x: Tensor, t: Tensor) -> Tensor:
    bend = (x * x).mul_(3 * 0.044715).add_(1).mul_(x) * (1 - t * t)
    return bend.mul_(math.sqrt(2 / math.pi)).add_(t).add_(1).mul_(0.5)


@elementwise(saves="part", slope=_gelu_tanh_slope)
def _gelu_tanh(x: Tensor) -> tuple[Tensor, Tensor]:
    t = tanh((x * x).mul_(0.044715).add_(1).mul_(x).mul_(math.sqrt(2 / math.pi)))
    return (t + 1).mul_(x).mul_(0.5), t


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x P(Z < x) for a standard normal Z; `approximate="tanh"` is the formula of GPT-2."""
    if approximate not in ("none", "tanh"):
        raise RuntimeError(f"gelu: approximate is {approximate!r}, must be 'none' or 'tanh'")
    return _gelu_exact(input) if approximate == "none" else _gelu_tanh(input)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return input - tanh(input)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half along `dim`, gated by the sigmoid of the second half."""
    if input.dim() == 0:
        raise RuntimeError("glu: the input is a single number and cannot be halved")
    if input.size(dim) % 2:
        raise RuntimeError(
            f"glu: dimension {dim} must have an even size to be halved, it has {input.size(dim)}"
        )
    value, gate = input.chunk(2, dim)
    return value * sigmoid(gate)


class Sigmoid(nn.Module):
    """1 / (1 + e^-x)."""

    def forward(self, input: Tensor) -> Tensor:
        return sigmoid(input)


class Tanh(nn.Module):
    """(e^2x - 1) / (e^2x + 1)."""

    def forward(self, input: Tensor) -> Tensor:
        return tanh(input)


class LogSigmoid(nn.Module):
    """log(1 / (1 + e^-x))."""

    def forward(self, input: Tensor) -> Tensor:
        return logsigmoid(input)


class Softplus(Shown):
    """log(1 + e^bx) / b; exactly x where b x exceeds `threshold`."""

    shown = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Tensor:
        return softplus(input, self.beta, self.threshold)


class SiLU(InPlace):
    """x sigmoid(x)."""

    def forward(self, input: Tensor) -> Tensor:
        return silu(input, self.inplace)


class Mish(InPlace):
    """x tanh(softplus(x))."""

    def forward(self, input: Tensor) -> Tensor:
        return mish(input, self.inplace)


class ELU(Shown):
    """x above zero, alpha (e^x - 1) below."""

    shown = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input: Tensor) -> Tensor:
        return elu(input, self.alpha, self.inplace)


class CELU(Shown):
    """x above zero, alpha (e^(x / alpha) - 1) below."""

    shown = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input: Tensor) -> Tensor:
        return celu(input, self.alpha, self.inplace)


class SELU(InPlace):
    """A scaled ELU that keeps mean 0 and variance 1."""

    def forward(self, input: Tensor) -> Tensor:
        return selu(input, self.inplace)


class GELU(Shown):
    """x P(Z < x) for a standard normal Z."""

    shown = ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return gelu(input, self.approximate)


class Tanhshrink(nn.Module):
    """x - tanh(x)."""

    def forward(self, input: Tensor) -> Tensor:
        return tanhshrink(input)


class GLU(Shown):
    """The first half along `dim`, gated by the sigmoid of the second half."""

    shown = ("dim",)

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return glu(input, self.dim)
