"""Batch and instance normalisation: each channel, over the batch or in each picture.

Source   Batch Ioffe & Szegedy 2015, arXiv:1502.03167; instance Ulyanov et al. 2016,
         arXiv:1607.08022; book 8.5.
Differs  The book keeps the biased variance of each batch in its running average; torch, the
         unbiased one. The book looks at the autograd switch to tell training from use; torch, at
         `training`. We follow torch in both.
Shapes   N batch, C channels, * any sizes: `input` (N, C, *); for InstanceNorm also (C, *).
"""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import torch
from torch import Tensor

from fathom.scratch.nn.dimensions import classes
from fathom.scratch.nn.normalisation import Affine, standardise


def _along(vector: Tensor | None, input: Tensor) -> Tensor | None:
    """One number for each channel, shaped to meet `input` (N, C, *)."""
    return None if vector is None else vector.view(1, -1, *[1] * (input.dim() - 2))


def _check_channels(name: str, input: Tensor, *vectors: Tensor | None) -> None:
    if input.dim() < 2:
        raise ValueError(f"{name}: expected (N, C, *), got input of shape {tuple(input.shape)}")
    for vector in vectors:
        if vector is not None and vector.numel() != input.shape[1]:
            raise RuntimeError(
                f"{name}: made for {vector.numel()} channels, the input of shape "
                f"{tuple(input.shape)} has {input.shape[1]}"
            )


def _follow(running: Tensor | None, value: Tensor, momentum: float) -> None:
    """Move a running average towards the value of this batch."""
    if running is not None:
        running.lerp_(value.to(running.dtype), momentum)


def _with_given_statistics(
    name: str, input: Tensor, mean: Tensor | None, variance: Tensor | None, weight: Tensor | None,
    bias: Tensor | None, eps: float,
) -> Tensor:  # fmt: skip
    """w (x - mean) / sqrt(variance + eps) + b with constants learned earlier."""
    if mean is None or variance is None:
        raise RuntimeError(f"{name}: expected running_mean and running_var to be defined")
    scale = (variance + eps).rsqrt()
    scale = scale if weight is None else scale * weight
    column = (-1, *[1] * (input.dim() - 2))
    output = (input - mean.view(column)) * scale.view(column)
    return (output if bias is None else output + bias.view(column)).to(input.dtype)


def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
    weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Standardise each channel over batch and space, by this batch or by the running averages.

    While training, the running averages are moved by `momentum` towards the batch. Raises
    ValueError where a channel has a single number, whose variance says nothing.
    """
    _check_channels("batch_norm", input, weight, bias, running_mean, running_var)
    if eps < 0 or (training and eps == 0):
        raise ValueError(f"batch_norm eps must be positive, but got {eps}")
    if not training:
        given = (running_mean, running_var, weight, bias, eps)
        return _with_given_statistics("batch_norm", input, *given)
    count = input.shape[0] * input.shape[2:].numel()
    if count == 1:
        raise ValueError(f"Training needs more than 1 value per channel, got {list(input.shape)}")
    dims = (0, *range(2, input.dim()))
    w, b = _along(weight, input), _along(bias, input)
    output, mean, variance = standardise(input, w, b, dims, eps)
    if count == 0:
        return output
    _follow(running_mean, mean.flatten(), momentum)
    _follow(running_var, variance.flatten() * (count / (count - 1)), momentum)
    return output


def instance_norm(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None,
    weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: bool = True,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Standardise each channel of each example over space, or by the running averages."""
    _check_channels("instance_norm", input, weight, bias, running_mean, running_var)
    if not use_input_stats:
        given = (running_mean, running_var, weight, bias, eps)
        return _with_given_statistics("instance_norm", input, *given)
    count = input.shape[2:].numel()
    if count == 1:
        raise ValueError(f"Training needs more than 1 spatial element, got {list(input.shape)}")
    dims = tuple(range(2, input.dim()))
    w, b = _along(weight, input), _along(bias, input)
    output, mean, variance = standardise(input, w, b, dims, eps)
    _follow(running_mean, mean.flatten(1).mean(0), momentum)
    _follow(running_var, variance.flatten(1).mean(0) * (count / (count - 1)), momentum)
    return output


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
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    num_features: int
    eps: float
    momentum: float | None

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
        affine: bool = True, track_running_stats: bool = True, device: Any = None,
        dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        settings = dict(num_features=num_features, eps=eps, momentum=momentum, affine=affine)
        settings["track_running_stats"] = track = track_running_stats
        super().__init__((num_features,), affine, affine and bias, device, dtype, **settings)
        average = torch.empty(num_features, device=device, dtype=dtype)
        count = torch.empty((), dtype=torch.long, device=device)
        self.register_buffer("running_mean", average if track else None)
        self.register_buffer("running_var", average.clone() if track else None)
        self.register_buffer("num_batches_tracked", count if track else None)
        self.register_load_state_dict_pre_hook(_count_batches_of_old)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, no batch seen."""
        for name, buffer in self.named_buffers():
            buffer.fill_(int(name == "running_var"))

    def check_rank(self, input: Tensor) -> None:
        """Raises ValueError where the input has not one of the layer's numbers of dimensions."""
        ranks = self.ranks[self.dims]
        if input.dim() not in ranks:
            raise ValueError(
                f"{type(self).__name__}: expected {' or '.join(f'{rank}D' for rank in ranks)} "
                f"input (got {input.dim()}D input of shape {tuple(input.shape)})"
            )


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
        alone = input.dim() == self.dims + 1
        channels = input.shape[0 if alone else 1]
        if channels != self.num_features:
            said = f"expected {self.num_features} channels, got input of {tuple(input.shape)}"
            if self.affine:
                raise ValueError(f"{type(self).__name__}: {said}")
            warnings.warn(f"{said}: num_features is not used where affine=False", stacklevel=2)
        output = instance_norm(
            input.unsqueeze(0) if alone else input, self.running_mean, self.running_var,
            self.weight, self.bias, self.training or not self.track_running_stats,
            self.momentum or 0.0, self.eps,
        )  # fmt: skip
        return output.squeeze(0) if alone else output


BatchNorm1d, BatchNorm2d, BatchNorm3d = classes(_BatchNorm)
InstanceNorm1d, InstanceNorm2d, InstanceNorm3d = classes(_InstanceNorm)
