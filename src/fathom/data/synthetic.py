"""Data made from a formula and a seed: the truth is known, so a fit can be compared with it.

Source   Book 3.2 (a line with noise), 4.1 (exclusive or) and 4.4 (a cubic through twenty powers).
Shapes   N samples, K features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def linear(
    w: Sequence[float] | Tensor, b: float, count: int, noise: float, seed: int
) -> tuple[Tensor, Tensor]:
    """Features (count, K) ~ N(0, 1) and targets (count, 1) = X w + b + N(0, noise²)."""
    generator = torch.Generator().manual_seed(seed)
    w_K1 = torch.as_tensor(w, dtype=torch.float32).reshape(-1, 1)
    x_NK = torch.randn(count, len(w_K1), generator=generator)
    y_N1 = x_NK @ w_K1 + b
    y_N1 += noise * torch.randn(count, 1, generator=generator)
    return x_NK, y_N1


def powers(x: Tensor, degree: int) -> Tensor:
    """Features xⁱ/i! for i = 0 to degree - 1: (N,) or (N, 1) to (N, degree).

    Without the factorial the highest powers would be huge, and so would their gradients.
    """
    exponents = torch.arange(degree, dtype=torch.float64)
    factorials = torch.tensor([float(math.factorial(i)) for i in range(degree)])
    features = x.reshape(-1, 1).double() ** exponents / factorials
    return features.to(x.dtype)


def polynomial(
    w: Sequence[float] | Tensor, degree: int, count: int, noise: float, seed: int
) -> tuple[Tensor, Tensor]:
    """Features (count, degree) = xⁱ/i! of x ~ N(0, 1), targets (count, 1) = Σ wᵢ xⁱ/i! + noise.

    `w` may be shorter than `degree`: the remaining weights are truly zero.
    """
    generator = torch.Generator().manual_seed(seed)
    true_D1 = torch.zeros(degree, 1)
    given = torch.as_tensor(w, dtype=torch.float32).reshape(-1, 1)
    true_D1[: len(given)] = given
    x_ND = powers(torch.randn(count, generator=generator), degree)
    y_N1 = x_ND @ true_D1 + noise * torch.randn(count, 1, generator=generator)
    return x_ND, y_N1


def exclusive_or(count: int, noise: float, seed: int) -> tuple[Tensor, Tensor]:
    """Points (count, 2) around the corners (±1, ±1), and labels (count,): 1 where the signs differ.

    The corners take turns.
    """
    generator = torch.Generator().manual_seed(seed)
    corners_42 = torch.tensor([[-1.0, -1.0], [1.0, 1.0], [-1.0, 1.0], [1.0, -1.0]])
    chosen_N = torch.arange(count) % 4
    x_N2 = corners_42[chosen_N] + noise * torch.randn(count, 2, generator=generator)
    return x_N2, (chosen_N >= 2).long()


def separable(count: int, features: int, margin: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Features (count, features), signs ±1 (count,), and the unit normal of a plane between them.

    The plane goes through the origin. Points are uniform along its normal, from `margin` to 1 on
    either side, and normal along all other directions, with variances that sum to one.
    """
    generator = torch.Generator().manual_seed(seed)
    basis_KK, _ = torch.linalg.qr(torch.randn(features, features, generator=generator).double())
    signs_N = torch.randint(2, (count,), generator=generator).double() * 2 - 1
    along_N = margin + (1 - margin) * torch.rand(count, generator=generator).double()
    x_NK = torch.randn(count, features, generator=generator).double() / (features - 1) ** 0.5
    x_NK[:, 0] = signs_N * along_N
    return x_NK @ basis_KK.T, signs_N, basis_KK[:, 0]
