"""Where the pixels of a picture go: cut and resized, turned, sheared, shifted; each its own way.

Source   A cut that is resized is linear in the pixels and separable, as a whole picture is (see
         resize.py): R X Cᵀ with an R and a C of each picture's own, for a batch two batched
         products. An affine map asks for each pixel of the result where it comes from.
Shapes   N pictures (N, C, H, W), floating; `boxes_N4` is left, top, right, bottom in pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def crop_and_resize(batch: Tensor, boxes_N4: Tensor, size: tuple[int, int]) -> Tensor:
    """Each picture's own box, (N, C, h, w): bilinear, smoothed where it shrinks.

    Edges may be anywhere between pixels; at them what lies just outside is mixed in, as Pillow's
    `resize(box=...)` does. A box whose right is left of its left is mirrored.
    """
    _, _, H, W = batch.shape
    rows_NhH = _weights(boxes_N4[:, 1], boxes_N4[:, 3], H, size[0]).to(batch.dtype)
    columns_NwW = _weights(boxes_N4[:, 0], boxes_N4[:, 2], W, size[1]).to(batch.dtype)
    return rows_NhH[:, None] @ (batch @ columns_NwW.transpose(1, 2)[:, None])


def _weights(first_N: Tensor, last_N: Tensor, size_in: int, size_out: int) -> Tensor:
    """How much of each input pixel is in each output pixel: (N, size_out, size_in)."""
    low_N, high_N = torch.minimum(first_N, last_N), torch.maximum(first_N, last_N)
    scale_N = (high_N - low_N) / size_out
    steps = torch.arange(size_out, device=first_N.device) + 0.5
    centres_No = low_N[:, None] + steps * scale_N[:, None]
    pixels_I = torch.arange(size_in, device=first_N.device) + 0.5
    reach_N = scale_N.clamp(min=1)[:, None, None]
    triangle = (1 - (pixels_I - centres_No[:, :, None]).abs() / reach_N).clamp(min=0)
    weights = triangle / triangle.sum(2, keepdim=True)
    return torch.where((last_N < first_N)[:, None, None], weights.flip(1), weights)


def affine(batch: Tensor, matrices_N23: Tensor, *, fill: float = 0.0) -> Tensor:
    """Each pixel from where its matrix says, in pixels from the centre; bilinear.

    `matrices_N23` take a place in the result to one in the picture: (x, y) = M (x', y', 1). What
    comes from outside the picture is `fill`.
    """
    _, _, H, W = batch.shape
    half = batch.new_tensor([W / 2, H / 2])
    # From pixels to the coordinates of `grid_sample`, in which a picture reaches from -1 to 1.
    linear_N22 = matrices_N23[:, :, :2] * half / half[:, None]
    theta_N23 = torch.cat([linear_N22, (matrices_N23[:, :, 2] / half)[:, :, None]], dim=2)
    grid = nn.functional.affine_grid(
        theta_N23.to(batch.dtype), list(batch.shape), align_corners=False
    )
    found = nn.functional.grid_sample(batch - fill, grid, "bilinear", "zeros", align_corners=False)
    return found + fill


def rotation(angles_N: Tensor) -> Tensor:
    """Matrices that turn pictures clockwise by angles in radians."""
    cos_N, sin_N = angles_N.cos(), angles_N.sin()
    return _matrices(cos_N, sin_N, -sin_N, cos_N)


def shear(x_N: Tensor, y_N: Tensor) -> Tensor:
    """Matrices that move each row right by x times its height, each column down by y times."""
    ones = torch.ones_like(x_N)
    return _matrices(ones, -x_N, -y_N, ones)


def translation(x_N: Tensor, y_N: Tensor) -> Tensor:
    """Matrices that move pictures x pixels right and y down."""
    ones, zeros = torch.ones_like(x_N), torch.zeros_like(x_N)
    linear = _matrices(ones, zeros, zeros, ones)[:, :, :2]
    return torch.cat([linear, -torch.stack([x_N, y_N], dim=1)[:, :, None]], dim=2)


def _matrices(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    zeros = torch.zeros_like(a)
    return torch.stack([a, b, zeros, c, d, zeros], dim=1).view(-1, 2, 3)
