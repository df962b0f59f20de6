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
from torch import Tensor

from fathom.scratch.nn.elementwise import above, elementwise, exp
from fathom.scratch.nn.layer import layer

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


@elementwise(saves="output", slope=lambda y: (y * y).sub_(y))
def _sigmoid_of_minus(x: Tensor) -> Tensor:
    return exp(x).add_(1).reciprocal_()


@elementwise(saves="input", slope=_sigmoid_of_minus)
def logsigmoid(input: Tensor) -> Tensor:
    """log sigmoid(x) = min(x, 0) - log(1 + e^-|x|), with slope sigmoid(-x).

    The sigmoid itself would underflow, and its logarithm be that of 0.
    """
    return input.clamp(max=0).sub_(exp(input.abs(), -1).log1p_())


def _softplus_slope(x: Tensor, beta: float, threshold: float) -> Tensor:
    z = x if beta == 1 else beta * x
    return torch.maximum(sigmoid(z), above(z, threshold))


@elementwise(saves="input", slope=_softplus_slope)
def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^bx) / b, a smooth ReLU; exactly x where b x exceeds `threshold`."""
    # log(1 + e^z) = max(z, 0) + log(1 + e^-|z|), whose exponential cannot overflow.
    z = input if beta == 1 else beta * input
    y = exp(z.abs(), -1).log1p_().mul_(z.clone().le_(threshold)).add_(z.clamp(min=0)).div_(beta)
    return torch.where(z > threshold, input, y) if threshold < 0 else y


@elementwise(saves="part", slope=lambda x, s: (1 - s).mul_(x).add_(1).mul_(s))
def silu(input: Tensor, inplace: bool = False) -> tuple[Tensor, Tensor]:
    """x sigmoid(x), also called swish."""
    s = sigmoid(input)
    return input * s, s


def _mish_slope(x: Tensor) -> Tensor:
    e = exp(x.clamp(max=20))
    below = e * (e + 2) + 2
    return (below - 2) / below + x * 4 * e * (e + 1) / (below * below)


@elementwise(saves="input", slope=_mish_slope)
def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(log(1 + e^x)), which equals x n / (n + 2) with n = e^x (e^x + 2): no logarithm.

    Beyond x = 20 it equals x in double precision.
    """
    e = exp(input.clamp(max=20))
    n = e.mul_(e + 2)
    return input * n / (n + 2)


def _elu(x: Tensor, alpha: float, scale: float = 1.0, rate: float = 1.0) -> tuple[Tensor, Tensor]:
    """scale x above zero, scale alpha (e^(rate x) - 1) below; and e^(rate x) - 1, or 0 above."""
    bend = (x.clamp(max=0) * rate).expm1_()
    return torch.add(x.clamp(min=0), bend, alpha=alpha).mul_(scale), bend


def _elu_slope(x: Tensor, bend: Tensor, alpha: float, scale: float = 1, rate: float = 1) -> Tensor:
    # Above zero the exponential is 1; the second term corrects alpha * rate to 1, too.
    slope = (bend + 1).mul_(scale * alpha * rate)
    return slope.add_(above(x), alpha=scale * (1 - alpha * rate)) if alpha * rate != 1 else slope


@elementwise(saves="part", slope=_elu_slope)
def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> tuple[Tensor, Tensor]:
    """x above zero, alpha (e^x - 1) below."""
    return _elu(input, alpha)


@elementwise(saves="part", slope=lambda x, bend, alpha: _elu_slope(x, bend, alpha, rate=1 / alpha))
def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> tuple[Tensor, Tensor]:
    """x above zero, alpha (e^(x / alpha) - 1) below: slope 1 on both sides of zero."""
    if alpha == 0:
        raise ZeroDivisionError("celu: alpha is 0, and e^(x / alpha) needs it to be another number")
    return _elu(input, alpha, rate=1 / alpha)


@elementwise(saves="part", slope=lambda x, bend: _elu_slope(x, bend, SELU_ALPHA, SELU_SCALE))
def selu(input: Tensor, inplace: bool = False) -> tuple[Tensor, Tensor]:
    """A scaled ELU whose outputs keep mean 0 and variance 1 from layer to layer."""
    return _elu(input, SELU_ALPHA, SELU_SCALE)


def _gelu_slope(x: Tensor, below: Tensor) -> Tensor:
    bell = x.square().mul_(-0.5 * math.log2(math.e)).exp2_()
    return torch.addcmul(below, x, bell, value=1 / math.sqrt(2 * math.pi))


@elementwise(saves="part", slope=_gelu_slope)
def _gelu_exact(x: Tensor) -> tuple[Tensor, Tensor]:
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
    if input.dim() == 0 or input.size(dim) % 2:
        raise RuntimeError(f"glu: dimension {dim} needs an even size, got {tuple(input.shape)}")
    value, gate = input.chunk(2, dim)
    return value * sigmoid(gate)


Sigmoid = layer("Sigmoid", sigmoid)
Tanh = layer("Tanh", tanh)
LogSigmoid = layer("LogSigmoid", logsigmoid)
Softplus = layer("Softplus", softplus, "beta={beta}, threshold={threshold}")
SiLU = layer("SiLU", silu, "")
Mish = layer("Mish", mish, "")
ELU = layer("ELU", elu, "alpha={alpha}")
CELU = layer("CELU", celu, "alpha={alpha}")
SELU = layer("SELU", selu, "")
GELU = layer("GELU", gelu, "approximate={approximate!r}")
Tanhshrink = layer("Tanhshrink", tanhshrink)
GLU = layer("GLU", glu, "dim={dim}")
