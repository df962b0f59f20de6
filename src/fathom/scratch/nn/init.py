"""Where weights start: fill a tensor in place with numbers of the right size.

Source   Glorot and Bengio 2010 (xavier); He et al. 2015, arXiv:1502.01852 (kaiming); Saxe et al.
         2014, arXiv:1312.6120 (orthogonal); Martens 2010 (sparse); book 4.8, 5.3.
Differs  Nothing: the same draws in the same order as torch, so a seed gives the same weights.
Shapes   A weight has shape (out, in, *kernel): fan_in counts the inputs of one output.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import Any

import torch
from torch import Generator, Tensor

Draws = Generator | None  # where the random numbers come from: torch's own generator, if None


@torch.no_grad()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Draws = None) -> Tensor:
    """Fill with draws from U(a, b)."""
    return tensor.uniform_(a, b, generator=generator)


@torch.no_grad()
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Draws = None) -> Tensor:
    """Fill with draws from N(mean, std squared)."""
    return tensor.normal_(mean, std, generator=generator)


@torch.no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one number."""
    return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros."""
    return constant_(tensor, 0.0)


# How large should the numbers be? Large enough that the signal keeps its variance from layer
# to layer: forwards that depends on how many inputs an output sums, backwards on the converse.


def fans(tensor: Tensor) -> tuple[int, int]:
    """(inputs summed into an output, outputs fed by an input) of a weight (out, in, *kernel)."""
    if tensor.dim() < 2:
        raise ValueError(f"no fan_in of fewer than 2 dimensions, got sizes {list(tensor.shape)}")
    taps = math.prod(tensor.shape[2:])
    return tensor.shape[1] * taps, tensor.shape[0] * taps


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much an activation shrinks the standard deviation that passes through it."""
    gains = {"linear": 1, "sigmoid": 1, "tanh": 5 / 3, "relu": math.sqrt(2.0), "selu": 3 / 4}
    if nonlinearity == "leaky_relu":
        slope: Any = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in gains and not nonlinearity.startswith("conv"):
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return gains.get(nonlinearity, 1)


def _uniform_of(tensor: Tensor, std: float, generator: Draws) -> Tensor:
    """Draws of this standard deviation: a uniform of half-width a has variance a^2 / 3."""
    return uniform_(tensor, -math.sqrt(3.0) * std, math.sqrt(3.0) * std, generator)


def _xavier_std(tensor: Tensor, gain: float) -> float:
    return gain * math.sqrt(2.0 / sum(fans(tensor)))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Draws = None) -> Tensor:
    """Glorot's compromise between both directions, uniform."""
    return _uniform_of(tensor, _xavier_std(tensor, gain), generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Draws = None) -> Tensor:
    """Glorot's compromise, normal."""
    return normal_(tensor, 0.0, _xavier_std(tensor, gain), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    if tensor.numel() == 0:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return 0.0
    fan_in, fan_out = fans(tensor)
    fan = fan_in if mode.lower() == "fan_in" else fan_out
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Draws = None,
) -> Tensor:  # fmt: skip
    """He's rule: keep the variance through rectifiers; `a` is the slope below zero."""
    return _uniform_of(tensor, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Draws = None,
) -> Tensor:  # fmt: skip
    """He's rule, normal."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def inputs_uniform_(tensors: Iterable[Tensor], inputs: int) -> None:
    """What most layers start from: U(-b, b) with b = 1 / sqrt(inputs)."""
    bound = 1 / math.sqrt(inputs) if inputs > 0 else 0.0
    for tensor in tensors:
        uniform_(tensor, -bound, bound)


def fan_in_uniform_(weight: Tensor, bias: Tensor | None) -> None:
    """The same with fan_in inputs: what Linear and all convolutions start from."""
    kaiming_uniform_(weight, a=math.sqrt(5))  # torch's way of writing sqrt(3) / sqrt(3 fan_in)
    if bias is not None:
        inputs_uniform_([bias], fans(weight)[0])


# Weights that do something definite.


@torch.no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix: a linear layer that hands its input on."""
    if tensor.dim() != 2:
        raise ValueError(f"eye_: expected 2 dimensions, got sizes {list(tensor.shape)}")
    tensor.zero_().diagonal().fill_(1)
    return tensor


@torch.no_grad()
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A one in the middle of the kernel: a convolution that hands its channels on."""
    if tensor.dim() not in (3, 4, 5):
        raise ValueError(f"dirac_: expected 3 to 5 dimensions, got sizes {list(tensor.shape)}")
    if tensor.shape[0] % groups:
        raise ValueError(f"dirac_: {len(tensor)} outputs do not divide into {groups} groups")
    middle: tuple[Any, ...] = (..., *(size // 2 for size in tensor.shape[2:]))
    for group in tensor.zero_().chunk(groups):
        group[middle].diagonal().fill_(1)
    return tensor


@torch.no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Draws = None) -> Tensor:
    """A random rotation (rows or columns orthonormal), times `gain`."""
    if tensor.dim() < 2:
        raise ValueError(f"orthogonal_: needs 2 or more dimensions, got sizes {list(tensor.shape)}")
    normal = tensor.new_empty(tensor.shape).normal_(generator=generator).flatten(1)
    wide = normal.shape[0] < normal.shape[1]
    q, r = torch.linalg.qr(normal.T if wide else normal)
    q = q * r.diagonal().sign()  # without this the rotations are not evenly spread
    return tensor.copy_((q.T if wide else q).reshape(tensor.shape)).mul_(gain)


@torch.no_grad()
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Draws = None) -> Tensor:
    """Normal numbers, with the fraction `sparsity` of each column set to zero."""
    if tensor.dim() != 2:
        raise ValueError(f"sparse_: expected 2 dimensions, got sizes {list(tensor.shape)}")
    for column in tensor.normal_(0, std, generator=generator).t():
        column[torch.randperm(len(column))[: math.ceil(sparsity * len(column))]] = 0
    return tensor


@torch.no_grad()
def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
    generator: Draws = None,
) -> Tensor:  # fmt: skip
    """N(mean, std squared), kept within [a, b]: draws that are rejected are drawn again."""
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(f"trunc_normal_: mean {mean} is over 2 std outside [{a}, {b}]", stacklevel=2)
    low, high = (math.erf((x - mean) / std / math.sqrt(2.0)) / 2 for x in (a, b))
    inside = high - low > 0.3  # most normal draws are
    log_peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2

    def draw(into: Tensor) -> Tensor:
        """Normal numbers; or, if the interval is far out in the tail, evenly spread ones."""
        if inside:
            return into.normal_(mean, std, generator=generator)
        return into.uniform_(a, b, generator=generator)

    def rejected(draws: Tensor) -> Tensor:
        """What is outside; or all but a part of the evenly spread, their relative density."""
        if inside:
            return (draws < draws.new_tensor(a)) | (draws > draws.new_tensor(b))
        log_density = ((draws - mean) / std) ** 2 * -0.5 - log_peak
        return torch.empty_like(draws).uniform_(generator=generator).log_() > log_density

    pending = rejected(draw(tensor))
    while pending.any():
        draws = draw(torch.empty_like(tensor))
        tensor.copy_(torch.where(pending, draws, tensor))
        pending = pending & rejected(draws)
    return tensor
