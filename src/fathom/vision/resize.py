"""Resize a batch of pictures: bilinear, smoothed where it shrinks, as two matrix products.

Source   Bilinear interpolation is linear in the pixels and separable, so a resized picture is
         R X Cᵀ: R mixes rows, C mixes columns. Row i of R is a triangle centred where output pixel
         i falls in the input. Shrinking by a factor f widens the triangle f times, so that every
         input pixel is counted (Pillow's BILINEAR; torch's `interpolate(antialias=True)`).
Shapes   N pictures, C channels, H by W in, h by w out.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

PIXELS_AT_A_TIME = 1 << 20  # 4 MB of floats: what is being worked on stays near the processor


@lru_cache(maxsize=64)
def weights(
    size_in: int, size_out: int, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> Tensor:
    """How much of each input pixel is in each output pixel: (size_out, size_in), rows sum to 1."""
    scale = size_in / size_out
    reach = max(scale, 1.0)  # half the base of the triangle
    centres = (torch.arange(size_out, dtype=torch.float64) + 0.5) * scale
    pixels = torch.arange(size_in, dtype=torch.float64) + 0.5
    triangle = (1 - (pixels - centres[:, None]).abs() / reach).clamp(min=0)
    # At the border part of a triangle falls outside the picture: the rest is scaled up to 1.
    return (triangle / triangle.sum(1, keepdim=True)).to(device, dtype)


def resize(images: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Pictures (N, C, H, W), uint8 or floating, to (N, C, h, w) of the same dtype.

    `size` is (h, w), or one number for both. uint8 is rounded to the nearest.
    """
    h, w = (size, size) if isinstance(size, int) else size
    N, C, H, W = images.shape
    if (h, w) == (H, W):
        return images
    # Half precision has too few digits for a sum over many pixels, and integers have none.
    dtype = torch.float64 if images.dtype == torch.float64 else torch.float32
    rows_hH = weights(H, h, dtype, str(images.device))
    columns_wW = weights(W, w, dtype, str(images.device))
    out_NChw = images.new_empty(N, C, h, w)
    step = max(1, PIXELS_AT_A_TIME // (C * max(H, h) * max(W, w)))
    for first in range(0, N, step):
        part_NCHW = images[first : first + step].to(dtype)
        if w * H <= h * W:  # the shorter way round
            part_NChw = rows_hH @ (part_NCHW @ columns_wW.T)
        else:
            part_NChw = (rows_hH @ part_NCHW) @ columns_wW.T
        if not images.is_floating_point():
            part_NChw = part_NChw.round_().clamp_(0, 255)
        out_NChw[first : first + step] = part_NChw
    return out_NChw
