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
    N, C, H, W = batch.shape
    h, w = size
    if h >= H and w >= W:  # nothing shrinks: two pixels each way are all that a new one sees
        return _enlarged(batch, boxes_N4, h, w)
    rows_NhH = _weights(boxes_N4[:, 1], boxes_N4[:, 3], H, h).to(batch.dtype)
    columns_NwW = _weights(boxes_N4[:, 0], boxes_N4[:, 2], W, w).to(batch.dtype)
    # The middle result lies transposed, so that each side is one product a picture, of all its
    # channels: broadcasting would copy the weights for every channel.
    middle_NwX = columns_NwW @ batch.reshape(N, C * H, W).transpose(1, 2)
    cut_NYh = middle_NwX.view(N, w * C, H) @ rows_NhH.transpose(1, 2)
    return cut_NYh.view(N, w, C, h).permute(0, 2, 3, 1).contiguous()


def _enlarged(batch: Tensor, boxes_N4: Tensor, h: int, w: int) -> Tensor:
    """The same for boxes that are no larger than what becomes of them."""
    H, W = batch.shape[2:]
    left_N, top_N, right_N, bottom_N = boxes_N4.unbind(1)
    zeros_N = torch.zeros_like(left_N)
    x_N3 = torch.stack([(right_N - left_N) / W, zeros_N, (left_N + right_N) / W - 1], dim=1)
    y_N3 = torch.stack([zeros_N, (bottom_N - top_N) / H, (top_N + bottom_N) / H - 1], dim=1)
    grid = _places(torch.stack([x_N3, y_N3], dim=1).to(batch.dtype), h, w)
    return nn.functional.grid_sample(batch, grid, "bilinear", "border", align_corners=False)


def _places(theta_N23: Tensor, h: int, w: int) -> Tensor:
    """Where each pixel of the result comes from, (N, h, w, 2), for `grid_sample`.

    In its coordinates, and those of `theta`, a picture reaches from -1 to 1. What torch's
    `affine_grid` gives, as the sum of a row and a column: an eighth of the time.
    """
    x_w, y_h = (
        (torch.arange(size, device=theta_N23.device).to(theta_N23.dtype) * 2 + 1) / size - 1
        for size in (w, h)
    )
    grid = theta_N23.new_empty(len(theta_N23), h, w, 2)
    for axis in (0, 1):
        of_x_N, of_y_N, shift_N = theta_N23[:, axis].unbind(1)
        along_Nw = of_x_N[:, None] * x_w
        down_Nh = of_y_N[:, None] * y_h + shift_N[:, None]
        torch.add(along_Nw[:, None, :], down_Nh[:, :, None], out=grid[..., axis])
    return grid


def _weights(first_N: Tensor, last_N: Tensor, size_in: int, size_out: int) -> Tensor:
    """How much of each input pixel is in each output pixel: (N, size_out, size_in)."""
    low_N, high_N = torch.minimum(first_N, last_N), torch.maximum(first_N, last_N)
    scale_N = (high_N - low_N) / size_out
    steps = torch.arange(size_out, device=first_N.device) + 0.5
    centres_No = low_N[:, None] + steps * scale_N[:, None]
    pixels_I = torch.arange(size_in, device=first_N.device) + 0.5
    reach_N = scale_N.clamp(min=1)[:, None, None]
    distance = (pixels_I - centres_No[:, :, None]).abs_().div_(reach_N)
    triangle = distance.neg_().add_(1).clamp_(min=0)
    weights = triangle.div_(triangle.sum(2, keepdim=True))
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
    grid = _places(theta_N23.to(batch.dtype), H, W)
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
