"""Dropout: zero random parts of the input while training, and scale up the rest.

Source   Srivastava et al. 2014, JMLR 15; over channels Tompson et al. 2014, arXiv:1411.4280;
         alpha dropout Klambauer et al. 2017, arXiv:1706.02515; book 5.6.
Differs  Masks are drawn in torch's order: one seed gives both the same. `inplace=True` overwrites
         the input as in torch, but saves no memory. Ranks that torch only warns of are errors.
Shapes   N batch, C channels. Dropout and AlphaDropout take any shape, the others (N, C, *); those
         for 1 and 3 dimensions also (C, *).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from fathom.scratch.nn.activation_smooth import SELU_ALPHA, SELU_SCALE


def _zero_some(input: Tensor, mask: Tensor, p: float) -> Tensor:
    """Keep what the mask keeps and divide by 1 - p, which leaves the expected value as it was."""
    return input * mask.div_(1 - p)


def _saturate_some(input: Tensor, mask: Tensor, p: float) -> Tensor:
    """Set some to a SELU's value at minus infinity; a and b restore mean 0 and variance 1."""
    low = -SELU_ALPHA * SELU_SCALE
    a = 1 / ((low * low * p + 1) * (1 - p)) ** 0.5
    b = (mask - 1).mul_(-low * a).add_(-low * a * p)
    return torch.addcmul(b, input, mask.mul_(a))


def _drop(
    name: str, input: Tensor, p: float, training: bool, inplace: bool,
    apply: Callable[[Tensor, Tensor, float], Tensor],
    mask_shape: tuple[int, ...] | torch.Size | None = None,
) -> Tensor:  # fmt: skip
    """Draw a mask of ones (probability 1 - p) and zeros, and apply it to the input."""
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0 or input.numel() == 0:
        return input
    if p == 1:
        output = input * 0
    else:
        # `empty_like` lies in memory as the input does, and is filled in that order, as in torch.
        mask = torch.empty_like(input) if mask_shape is None else input.new_empty(mask_shape)
        output = apply(input, mask.bernoulli_(1 - p), p)
    return input.copy_(output) if inplace else output


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each number with probability `p`."""
    return _drop("dropout", input, p, training, inplace, _zero_some)


def _drop_channels(
    name: str, input: Tensor, p: float, training: bool, inplace: bool, leading: dict[int, int]
) -> Tensor:
    """Drop whole channels. `leading`: for each rank allowed, how many dimensions the mask has."""
    rank = input.dim()
    if rank not in leading:
        ranks = " or ".join(f"{n}D" for n in leading)
        raise RuntimeError(
            f"{name}: expected {ranks} input, but received a {rank}D input of shape "
            f"{tuple(input.shape)}"
        )
    shape = (*input.shape[: leading[rank]], *[1] * (rank - leading[rank]))
    return _drop(name, input, p, training, inplace, _zero_some, shape)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero each channel of (N, C, L) or (C, L) with probability `p`."""
    return _drop_channels("dropout1d", input, p, training, inplace, {2: 1, 3: 2})


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero each channel of (N, C, H, W) with probability `p`. As in torch, 3D means (N, C, L)."""
    return _drop_channels("dropout2d", input, p, training, inplace, {3: 2, 4: 2})


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero each channel of (N, C, D, H, W) or (C, D, H, W) with probability `p`."""
    return _drop_channels("dropout3d", input, p, training, inplace, {4: 1, 5: 2})


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout for SELU: the dropped numbers saturate, mean and variance stay."""
    return _drop("alpha_dropout", input, p, training, inplace, _saturate_some)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Alpha dropout of whole channels: dimension 1 of (N, C, *)."""
    if input.dim() < 2:
        raise RuntimeError(
            "feature_alpha_dropout: feature dropout requires at least 2 dimensions in the input, "
            f"got shape {tuple(input.shape)}"
        )
    shape = (*input.shape[:2], *[1] * (input.dim() - 2))
    return _drop("feature_alpha_dropout", input, p, training, inplace, _saturate_some, shape)


class _Dropout(nn.Module):
    """A dropout with its probability; the subclasses say what is dropped."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Zero each number with probability p while training."""

    def forward(self, input: Tensor) -> Tensor:
        return dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_Dropout):
    """Zero each channel of a sequence with probability p while training."""

    def forward(self, input: Tensor) -> Tensor:
        return dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """Zero each channel of a picture with probability p while training."""

    def forward(self, input: Tensor) -> Tensor:
        return dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_Dropout):
    """Zero each channel of a volume with probability p while training."""

    def forward(self, input: Tensor) -> Tensor:
        return dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """Dropout for SELU networks."""

    def forward(self, input: Tensor) -> Tensor:
        return alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(_Dropout):
    """Dropout of whole channels for SELU networks."""

    def forward(self, input: Tensor) -> Tensor:
        return feature_alpha_dropout(input, self.p, self.training, self.inplace)
