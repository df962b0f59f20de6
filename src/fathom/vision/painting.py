"""Shapes, patterns and bitmaps painted over pictures, a batch at a time, with soft edges.

Each thing is a function of where a pixel lies in its own frame: its centre is (0, 0), its radius
1. A shape says how far the pixel is outside its edge; a pattern, which of two colours it has.

Shapes   N pictures, S by S pixels; `u_NSS` points right and `v_NSS` down in the thing's frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Field = Callable[[Tensor, Tensor], Tensor]


def frame(centre_N2: Tensor, radius_N: Tensor, angle_N: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """`u` and `v`, each (N, S, S), of every pixel; centres and radii are in pixels."""
    pixels_S = torch.arange(size) + 0.5
    x_NS = (pixels_S - centre_N2[:, :1]) / radius_N[:, None]
    y_NS = (pixels_S - centre_N2[:, 1:]) / radius_N[:, None]
    cos_N, sin_N = angle_N.cos()[:, None], angle_N.sin()[:, None]
    u_NSS = (cos_N * x_NS)[:, None, :] + (sin_N * y_NS)[:, :, None]
    v_NSS = (cos_N * y_NS)[:, :, None] - (sin_N * x_NS)[:, None, :]
    return u_NSS, v_NSS


def coverage(outside_NSS: Tensor, radius_N: Tensor) -> Tensor:
    """How much of each pixel is covered, in [0, 1]: an edge is one pixel wide."""
    return (0.5 - outside_NSS * radius_N[:, None, None]).clamp_(0, 1)


def disc(u: Tensor, v: Tensor) -> Tensor:
    return torch.hypot(u, v) - 1


def ring(u: Tensor, v: Tensor) -> Tensor:
    return (torch.hypot(u, v) - 0.75).abs() - 0.25


def crescent(u: Tensor, v: Tensor) -> Tensor:
    return torch.maximum(disc(u, v), 0.8 - torch.hypot(u - 0.55, v))


def square(u: Tensor, v: Tensor) -> Tensor:
    return torch.maximum(u.abs(), v.abs()) - 0.8


def cross(u: Tensor, v: Tensor) -> Tensor:
    across, along = u.abs(), v.abs()
    upright = torch.maximum(across - 0.3, along - 0.95)
    return torch.minimum(upright, torch.maximum(across - 0.95, along - 0.3))


def triangle(u: Tensor, v: Tensor) -> Tensor:
    return torch.maximum(v, math.sqrt(3) / 2 * u.abs() - v / 2) - 0.5


def hexagon(u: Tensor, v: Tensor) -> Tensor:
    return torch.maximum(v.abs(), math.sqrt(3) / 2 * u.abs() + v.abs() / 2) - math.sqrt(3) / 2


def star(u: Tensor, v: Tensor) -> Tensor:
    """Five points: the plane is folded onto one half of one point, whose edge is a line."""
    tenth = math.pi / 5
    angle = torch.atan2(u, -v).remainder(2 * tenth).sub(tenth).abs()  # 0 in a notch, a tenth at tip
    radius = torch.hypot(u, v)
    notch, tip = 0.45, 1.0
    along_x, along_y = tip * math.cos(tenth) - notch, tip * math.sin(tenth)
    length = math.hypot(along_x, along_y)
    x, y = radius * angle.cos() - notch, radius * angle.sin()
    return (x * along_y - y * along_x) / length


SHAPES: dict[str, Field] = {
    field.__name__: field
    for field in (disc, ring, crescent, square, cross, triangle, hexagon, star)
}


def stripes(u: Tensor, v: Tensor) -> Tensor:
    return torch.sin(8 * u)


def checks(u: Tensor, v: Tensor) -> Tensor:
    return torch.sin(7 * u) * torch.sin(7 * v)


def dots(u: Tensor, v: Tensor) -> Tensor:
    return torch.cos(9 * u) + torch.cos(9 * v) - 0.6


def ripples(u: Tensor, v: Tensor) -> Tensor:
    return torch.sin(12 * torch.hypot(u, v))


PATTERNS: dict[str, Field] = {field.__name__: field for field in (stripes, checks, dots, ripples)}


def looked_up(bitmaps_NKK: Tensor, u_NSS: Tensor, v_NSS: Tensor) -> Tensor:
    """The value of each picture's bitmap at every pixel; 0 outside the square that it fills.

    `bitmaps_NKK` should be finer than the pixels: the nearest value is taken.
    """
    N, K, _ = bitmaps_NKK.shape
    columns = ((u_NSS + 0.9) * (K / 1.8)).floor_().clamp_(0, K - 1)
    rows = ((v_NSS + 0.9) * (K / 1.8)).floor_().clamp_(0, K - 1)
    places = (rows * K + columns).long().view(N, -1)
    found = bitmaps_NKK.reshape(N, -1).gather(1, places).view_as(u_NSS)
    return found * (torch.maximum(u_NSS.abs(), v_NSS.abs()) < 0.9)


def rgb(hue_N: Tensor, saturation_N: Tensor, value_N: Tensor) -> Tensor:
    """(N, 3) of hue, saturation and value, each in [0, 1]."""
    offsets = hue_N.new_tensor([0.0, 2 / 3, 1 / 3])
    wheel_N3 = ((hue_N[:, None] + offsets) % 1 * 6 - 3).abs().sub(1).clamp(0, 1)
    return value_N[:, None] * (1 - saturation_N[:, None] * (1 - wheel_N3))
