"""Batch and instance normalisation: each channel, over the batch or in each picture.

Source   Batch Ioffe & Szegedy 2015, arXiv:1502.03167; instance Ulyanov et al. 2016,
         arXiv:1607.08022; book 8.5.
Differs  The book keeps the biased variance of each batch in its running average; torch, the
         unbiased one. The book looks at the autograd switch to tell training from use; torch, at
         `training`. We follow torch in both.
Shapes   N batch, C channels, * any sizes: `input` (N, C, *); for InstanceNorm also (C, *).
"""

from __future__ import annotations

import math
import warnings
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import Buffer

from fathom.scratch.nn.dimensions import classes
from fathom.scratch.nn.normalisation import Affine, standardise


def _by_channel(
    name: str, input: Tensor, dims: tuple[int, ...], running_mean: Tensor | None,
    running_var: Tensor | None, weight: Tensor | None, bias: Tensor | None, by_input: bool,
    momentum: float, eps: float,
) -> Tensor:  # fmt: skip
    """w (x - mean) / sqrt(variance + eps) + b, with the averages over `dims`, or the running ones.

    In the first case the running averages are moved by `momentum` towards those of the input.
    """
    shape = tuple(input.shape)
    if len(shape) < 2:
        raise ValueError(f"{name}: expected (N, C, *), got input of shape {shape}")
    for vector in (running_mean, running_var, weight, bias):
        if vector is not None and vector.numel() != shape[1]:
            given = f"the input of shape {shape} has {shape[1]}"
            raise RuntimeError(f"{name}: made for {vector.numel()} channels, {given}")
    column = (1, -1, *[1] * (len(shape) - 2))  # one number for each channel, to meet the input
    w, b = (None if vector is None else vector.view(column) for vector in (weight, bias))
    if not by_input:
        if running_mean is None or running_var is None:
            raise RuntimeError(f"{name}: expected running_mean and running_var to be defined")
        scale = (running_var + eps).rsqrt().view(column)
        output = (input - running_mean.view(column)) * (scale if w is None else scale * w)
        return (output if b is None else output + b).to(input.dtype)
    count = math.prod(shape[dim] for dim in dims)
    if count == 1:
        raise ValueError(f"{name}: needs more than 1 value for a variance, got input {list(shape)}")
    output, mean, variance = standardise(input, w, b, dims, eps)
    unbiased = variance * (count / (count - 1))
    for running, found in ((running_mean, mean), (running_var, unbiased)):
        if running is not None and input.numel():
            average = found.mean(0) if len(found) > 1 else found  # each example may have its own
            running.lerp_(average.flatten().to(running.dtype), momentum)
    return output


def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
    weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Standardise each channel over batch and space, by this batch or by the running averages.

    While training, the running averages are moved by `momentum` towards the batch. Raises
    ValueError where a channel has a single number, whose variance says nothing.
    """
    if eps < 0 or (training and eps == 0):
        raise ValueError(f"batch_norm eps must be positive, but got {eps}")
    dims = (0, *range(2, input.dim()))
    vectors = (running_mean, running_var, weight, bias)
    return _by_channel("batch_norm", input, dims, *vectors, training, momentum, eps)


def instance_norm(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None,
    weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: bool = True,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Standardise each channel of each example over space, or by the running averages."""
    dims = tuple(range(2, input.dim()))
    vectors = (running_mean, running_var, weight, bias)
    return _by_channel("instance_norm", input, dims, *vectors, use_input_stats, momentum, eps)


def _count_batches_of_old(module: Any, state: dict, prefix: str, metadata: dict, *_: Any) -> None:
    """Weights saved before torch 0.4.1 have no count of batches: keep the module's own."""
    if metadata.get("version", 1) < 2 and module.num_batches_tracked is not None:
        state.setdefault(prefix + "num_batches_tracked", module.num_batches_tracked)


class _Normalise(Affine):
    """A scale and a shift for each channel, and the running averages of means and variances."""

    _version = 2
    shown = (
        "{num_features}, eps={eps}, momentum={momentum}, affine={affine}, bias={bias}, "
        "track_running_stats={track_running_stats}"
    )
    dims: ClassVar[int]  # of space
    ranks: ClassVar[dict[int, tuple[int, ...]]]  # numbers of dimensions that the input may have

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
        affine: bool = True, track_running_stats: bool = True, device: Any = None,
        dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__((num_features,), affine, bias, device, dtype)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        track, on = track_running_stats, {"device": device, "dtype": dtype}
        self.running_mean = Buffer(torch.zeros(num_features, **on)) if track else None
        self.running_var = Buffer(torch.ones(num_features, **on)) if track else None
        self.num_batches_tracked = Buffer(torch.tensor(0, device=device)) if track else None
        self.register_load_state_dict_pre_hook(_count_batches_of_old)

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, no batch seen."""
        for name, buffer in self.named_buffers():
            buffer.fill_(int(name == "running_var"))

    def check_rank(self, input: Tensor) -> None:
        """Raises ValueError where the input has not one of the layer's numbers of dimensions."""
        ranks, shape = self.ranks[self.dims], tuple(input.shape)
        if len(shape) not in ranks:
            wanted = " or ".join(f"{rank}D" for rank in ranks)
            given = f"{len(shape)}D input of shape {shape}"
            raise ValueError(f"{type(self).__name__}: expected {wanted} input (got {given})")


class _BatchNorm(_Normalise):
    """Batch normalisation of (N, C, *sizes); in one dimension, of (N, C) too."""

    ranks: ClassVar = {1: (2, 3), 2: (4,), 3: (5,)}

    def forward(self, input: Tensor) -> Tensor:
        self.check_rank(input)
        momentum = self.momentum or 0.0
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # the plain average of all batches so far
                momentum = 1 / float(self.num_batches_tracked)
        by_batch = self.training or self.running_mean is None
        running = self.running_mean, self.running_var
        if self.training and not self.track_running_stats:
            running = None, None
        return batch_norm(input, *running, self.weight, self.bias, by_batch, momentum, self.eps)


class _InstanceNorm(_Normalise):
    """Instance normalisation of (N, C, *sizes), or of one example alone, (C, *sizes)."""

    ranks: ClassVar = {1: (2, 3), 2: (3, 4), 3: (4, 5)}

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
        affine: bool = False, track_running_stats: bool = False, device: Any = None,
        dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        settings = (eps, momentum, affine, track_running_stats, device, dtype)
        super().__init__(num_features, *settings, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        self.check_rank(input)
        batch = input[None] if input.dim() == self.dims + 1 else input
        if batch.shape[1] != self.num_features and not self.affine:
            said = f"expected {self.num_features} channels, got input of {tuple(input.shape)}"
            warnings.warn(f"{said}: num_features is not used where affine=False", stacklevel=2)
        vectors = (self.running_mean, self.running_var, self.weight, self.bias)
        by_input = self.training or not self.track_running_stats
        output = instance_norm(batch, *vectors, by_input, self.momentum or 0.0, self.eps)
        return output.view(input.shape)


BatchNorm1d, BatchNorm2d, BatchNorm3d = classes(_BatchNorm)
InstanceNorm1d, InstanceNorm2d, InstanceNorm3d = classes(_InstanceNorm)
