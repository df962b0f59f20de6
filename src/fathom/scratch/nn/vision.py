"""Rearranging and resizing pictures: pixel shuffle, channel shuffle, upsampling.

Source   Pixel shuffle Shi et al. 2016, arXiv:1609.05158; channel shuffle Zhang et al. 2017,
         arXiv:1707.01083; cubic Keys 1981, with slope -0.75 as in torch; book 14.10.
Differs  `mode="area"` is not offered: it is adaptive average pooling. Nor is antialiasing with
         aligned corners, which torch computes as if they were not.
Shapes   N batch, C channels, H height, W width, R factor; `input` (N, C, *sizes).

Every way of interpolating is linear and treats each axis alone: along an axis it is a matrix of
weights, new size by old size, and a picture is resized by a product on each side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Module

from fathom.scratch.nn.layer import layer
from fathom.scratch.nn.sizes import each

Sizes = int | Sequence[int] | None
Factors = float | Sequence[float] | None
MODES = {"nearest": (1, 2, 3), "nearest-exact": (1, 2, 3), "linear": (1,), "bilinear": (2,),
         "trilinear": (3,), "bicubic": (2,)}  # fmt: skip


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(*, C R R, H, W) to (*, C, H R, W R): R R channels become the pixels of a square."""
    r, c = upscale_factor, input.shape[-3] if input.dim() >= 3 else 0
    if input.dim() < 3 or r <= 0 or c % (r * r):
        limit = f"must be divisible by {r * r}, upscale_factor squared"
        raise RuntimeError(f"pixel_shuffle: the channels of {tuple(input.shape)} {limit}")
    x = input.unflatten(-3, (c // (r * r), r, r))  # (*, C, R, R, H, W)
    return x.movedim((-4, -3), (-3, -1)).flatten(-4, -3).flatten(-2)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(*, C, H R, W R) to (*, C R R, H, W): the pixels of a square become R R channels."""
    r = downscale_factor
    if input.dim() < 3 or r <= 0 or input.shape[-2] % r or input.shape[-1] % r:
        limit = f"must be divisible by {r}, downscale_factor"
        raise RuntimeError(f"pixel_unshuffle: height and width of {tuple(input.shape)} {limit}")
    x = input.unflatten(-1, (-1, r)).unflatten(-3, (-1, r))  # (*, C, H, R, W, R)
    return x.movedim((-3, -1), (-4, -3)).flatten(-5, -3)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """(N, C, *): deal the channels of each of `groups` groups out among all groups."""
    if input.dim() < 3 or groups <= 0 or input.shape[1] % groups:
        given = f"{tuple(input.shape)} and {groups} groups"
        raise RuntimeError(f"channel_shuffle: groups must divide the channels, but got {given}")
    return input.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)


def _cubic(distance: Tensor, a: float) -> Tensor:
    """Keys' curve through four points: 1 at distance 0, 0 at distances 1 and 2, slope a at 1."""
    d = distance.abs()
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = (((d - 5) * d + 8) * d - 4) * a
    return torch.where(d <= 1, near, torch.where(d < 2, far, 0))


def _places(mode: str, old: int, new: int, factor: float | None, align_corners: bool) -> Tensor:
    """Where each new pixel lies among the old ones, in double precision."""
    step = 1 / factor if factor else old / new  # old pixels for each new one
    out = torch.arange(new, dtype=torch.float64)
    if mode.startswith("nearest"):
        return (out + (0.5 if mode == "nearest-exact" else 0.0)) * step
    if align_corners:
        return out * ((old - 1) / (new - 1) if new > 1 else 0)
    return (out + 0.5) * step - 0.5


def _weights(mode: str, old: int, place: Tensor, stretch: float | None) -> Tensor:
    """The weights (new, old) by which one axis is interpolated; `stretch` is for antialiasing."""
    cubic = mode == "bicubic"
    if stretch:  # shrinking: the curve is as wide as a new pixel; beyond the edge nothing counts
        distance = (torch.arange(old) - place.unsqueeze(1)) / stretch
        weights = _cubic(distance, -0.5) if cubic else (1 - distance.abs()).clamp(min=0)
        return weights / weights.sum(1, keepdim=True)
    if not cubic:
        place = place.clamp(0, old - 1)
    # Beyond the edge, its pixel is repeated: two or four neighbours, some of which may coincide.
    first = place.floor().long()
    weights = place.new_zeros(len(place), old)
    for neighbour in range(-1, 3) if cubic else range(2):
        distance = place - (first + neighbour)
        weight = _cubic(distance, -0.75) if cubic else 1 - distance.abs()
        column = (first + neighbour).clamp(0, old - 1).unsqueeze(1)
        weights.scatter_add_(1, column, weight.unsqueeze(1))
    return weights


def interpolate(
    input: Tensor, size: Sizes = None, scale_factor: Factors = None, mode: str = "nearest",
    align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:  # fmt: skip
    """Resize the last dimensions of (N, C, *sizes) to `size`, or by `scale_factor`.

    `align_corners` keeps the outermost pixels in place, else the outer edges. `antialias` widens
    the curve for shrinking. `recompute_scale_factor` takes the factor from the rounded sizes.
    """
    dims, shape = input.dim() - 2, tuple(input.shape)
    if dims not in MODES.get(mode, ()):
        known = f"modes and numbers of sizes after (N, C): {MODES}"
        raise NotImplementedError(f"interpolate: mode {mode!r} for an input of {shape}; {known}")
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: one of size and scale_factor must be given, and only one")
    if align_corners is not None and mode.startswith("nearest"):
        raise ValueError("interpolate: align_corners goes with the linear and cubic modes only")
    if antialias and (mode not in ("bilinear", "bicubic") or align_corners):
        raise ValueError("interpolate: antialias goes with bilinear and bicubic, corners free")
    sizes, factors = each(size, dims), each(scale_factor, dims)
    if scale_factor is not None:
        sizes = tuple(math.floor(old * by) for old, by in zip(shape[2:], factors, strict=True))
    if recompute_scale_factor:
        factors = each(None, dims)
    if min(sizes) <= 0 or 0 in shape[1:]:
        raise RuntimeError(f"interpolate: sizes must be greater than 0, got {shape[2:]} to {sizes}")
    for axis, (old, new, factor) in enumerate(zip(shape[2:], sizes, factors, strict=True), start=2):
        place = _places(mode, old, new, factor, bool(align_corners))
        if mode.startswith("nearest"):  # chosen, not mixed
            input = input.index_select(axis, place.long().clamp(max=old - 1).to(input.device))
        else:
            stretch = max(1 / factor if factor else old / new, 1.0) if antialias else None
            weights = _weights(mode, old, place, stretch).to(input.device, input.dtype)
            input = (input.transpose(axis, -1) @ weights.t()).transpose(axis, -1)
    return input


PixelShuffle = layer("PixelShuffle", pixel_shuffle, "upscale_factor={upscale_factor}")
PixelUnshuffle = layer("PixelUnshuffle", pixel_unshuffle, "downscale_factor={downscale_factor}")
ChannelShuffle = layer("ChannelShuffle", channel_shuffle, "groups={groups}")


class Upsample(Module):
    """Resize to a size or by a factor."""

    def __init__(
        self, size: Sizes = None, scale_factor: Factors = None, mode: str = "nearest",
        align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if isinstance(scale_factor, Sequence):
            scale_factor = tuple(float(factor) for factor in scale_factor)
        self.scale_factor = float(scale_factor) if isinstance(scale_factor, int) else scale_factor
        self.size, self.mode = size, mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        settings = (self.mode, self.align_corners, self.recompute_scale_factor)
        return interpolate(input, self.size, self.scale_factor, *settings)

    def extra_repr(self) -> str:
        factor = self.scale_factor
        given = f"size={self.size}" if factor is None else f"scale_factor={factor}"
        return f"{given}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Each pixel becomes a square of its colour."""

    def __init__(self, size: Sizes = None, scale_factor: Factors = None) -> None:
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """Straight lines between the pixels, with the corners in place."""

    def __init__(self, size: Sizes = None, scale_factor: Factors = None) -> None:
        super().__init__(size, scale_factor, "bilinear", align_corners=True)
