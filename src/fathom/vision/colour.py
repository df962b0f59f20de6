"""What becomes of the colours of a picture: each function takes a strength for every picture.

Source   Pillow's ImageEnhance and ImageOps, for whole batches and for values between the bytes.
Differs  Nothing is rounded to bytes on the way; `equalise`, which counts levels, looks at 256.
Shapes   N pictures (N, C, H, W) in [0, 1], C 1 or 3; strengths (N,).
"""

from __future__ import annotations

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in what the eye takes for light (BT.601)
LEVELS = 256


def grey(batch: Tensor) -> Tensor:
    """(N, 1, H, W): how light each pixel is."""
    if batch.shape[1] == 1:
        return batch
    red, green, blue = batch.unbind(1)
    return (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue)[:, None]


def brightness(batch: Tensor, factor_N: Tensor) -> Tensor:
    """Black at 0, unchanged at 1."""
    return (batch * _each(factor_N)).clamp(0, 1)


def contrast(batch: Tensor, factor_N: Tensor) -> Tensor:
    """The mean grey of the picture at 0, unchanged at 1."""
    return _away_from(grey(batch).mean((1, 2, 3), keepdim=True), batch, factor_N)


def saturation(batch: Tensor, factor_N: Tensor) -> Tensor:
    """Grey at 0, unchanged at 1. Grey pictures stay as they are."""
    return _away_from(grey(batch), batch, factor_N)


def sharpness(batch: Tensor, factor_N: Tensor) -> Tensor:
    """Smoothed at 0, unchanged at 1; the outermost pixels are never smoothed."""
    smooth = batch.clone()
    H, W = batch.shape[2:]
    around = [
        batch[:, :, y : H - 2 + y, x : W - 2 + x] * (5 if (y, x) == (1, 1) else 1)
        for y in range(3)
        for x in range(3)
    ]
    smooth[:, :, 1:-1, 1:-1] = sum(around) / 13
    return _away_from(smooth, batch, factor_N)


def hue(batch: Tensor, turn_N: Tensor) -> Tensor:
    """Every colour turned on the wheel by a share of the whole; grey pictures stay as they are.

    In the hue-saturation-value model the lightest and the darkest channel of a pixel stay what
    they are: only which channel is which, and where between them the third lies, is changed.
    """
    if batch.shape[1] == 1:
        return batch
    high, low = batch.amax(1), batch.amin(1)
    spread = (high - low).clamp(min=1e-12)
    red, green, blue = batch.unbind(1)
    sixths = torch.where(
        high == red,
        (green - blue) / spread,
        torch.where(high == green, 2 + (blue - red) / spread, 4 + (red - green) / spread),
    )
    turned = sixths + 6 * turn_N[:, None, None]
    channels = [high - (high - low) * _distance((turned + start) % 6) for start in (0.0, 4.0, 2.0)]
    return torch.stack(channels, dim=1)


def _distance(sixths: Tensor) -> Tensor:
    """How far a channel is below the lightest: 0 near its own hue, 1 on the far side."""
    return ((sixths - 3).abs() - 1).clamp(0, 1).neg().add(1)


def solarise(batch: Tensor, threshold_N: Tensor) -> Tensor:
    """What is lighter than the threshold, or as light, becomes its negative."""
    return torch.where(batch < _each(threshold_N), batch, 1 - batch)


def posterise(batch: Tensor, bits_N: Tensor) -> Tensor:
    """Only so many of a byte's eight bits."""
    bytes_NCHW = (batch * (LEVELS - 1)).round()
    step = _each(torch.exp2(8 - bits_N.round()))
    return (bytes_NCHW / step).floor() * step / (LEVELS - 1)


def autocontrast(batch: Tensor) -> Tensor:
    """Each channel stretched from its darkest to its lightest, to [0, 1]; a flat one stays."""
    low, high = batch.amin((2, 3), keepdim=True), batch.amax((2, 3), keepdim=True)
    flat = high <= low
    return torch.where(flat, batch, (batch - low) / torch.where(flat, 1.0, high - low))


def equalise(batch: Tensor) -> Tensor:
    """Each channel so that every lightness is about equally common; a flat one stays."""
    N, C, H, W = batch.shape
    levels = (batch * (LEVELS - 1)).round().long().view(N * C, H * W)
    counts = torch.zeros(N * C, LEVELS, dtype=torch.long, device=batch.device)
    counts.scatter_add_(1, levels, torch.ones_like(levels))
    last = LEVELS - 1 - (counts.flip(1) > 0).long().argmax(1)  # the lightest level that occurs
    step = (H * W - counts.gather(1, last[:, None])) // (LEVELS - 1)
    before = counts.cumsum(1) - counts
    table = ((before + step // 2) // step.clamp(min=1)).clamp(max=LEVELS - 1)
    found = table.gather(1, levels).to(batch.dtype) / (LEVELS - 1)
    return torch.where(step > 0, found, batch.view(N * C, H * W)).view(N, C, H, W)


def _away_from(other: Tensor, batch: Tensor, factor_N: Tensor) -> Tensor:
    """`other` at 0, `batch` at 1, and on beyond."""
    return torch.lerp(other.expand_as(batch), batch, _each(factor_N)).clamp(0, 1)


def _each(strength_N: Tensor) -> Tensor:
    return strength_N[:, None, None, None]
