"""Rules that look at a matrix as a matrix: Adafactor, and Muon.

Source   Shazeer & Stern 2018, arXiv:1804.04235 (Adafactor); Jordan et al. 2024,
         kellerjordan.github.io/posts/muon, and Liu et al. 2025, arXiv:2502.16982 (Muon).
Differs  As torch: Adafactor's `lr` bounds the relative step (the paper's constant 0.01), eps1
         guards the two divisions and is not added to g^2, means stand for sums. Where eps1 is
         None, each parameter takes it from its own type; torch takes it from the first's for all.
Shapes   N rows, M columns; Adafactor factors the last two dimensions, Muon takes matrices only.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, zeros_like

from fathom.scratch.optim.optimizer import Group, Start, count, optimizer, zeros


def refuse_complex(p: Tensor, name: str) -> None:
    """Raises RuntimeError, as torch does."""
    if p.is_complex():
        raise RuntimeError(f"{name} does not support complex parameters, here {p.dtype}")


def rms(x: Tensor) -> float:
    """The root mean square of the entries."""
    return x.square().mean().sqrt().item()


def factored_variance(
    g_NM: Tensor, row_N1: Tensor, col_1M: Tensor, *, w: float, eps: float
) -> Tensor:
    """An estimate of g^2 of rank one: N + M numbers are remembered in place of N times M."""
    square_NM = g_NM * g_NM
    row_N1.lerp_(square_NM.mean(-1, keepdim=True), w)
    col_1M.lerp_(square_NM.mean(-2, keepdim=True), w)
    mean = row_N1.mean(-2, keepdim=True).clamp_(min=eps)
    return torch.mul(row_N1, col_1M, out=square_NM).div_(mean)


def adafactor(
    p: Tensor, g: Tensor, t: float, row: Tensor, col: Tensor, whole: Tensor, /, lr: float = 1e-2,
    beta2_decay: float = -0.8, eps: tuple[float | None, float] = (None, 1e-3), d: float = 1.0,
    weight_decay: float = 0.0,
) -> None:  # fmt: skip
    """Adam's second mean in sublinear memory, without the first.

    The step is relative to p's own size, in units of the gradient's deviation, and clipped to a
    root mean square of d.
    """
    refuse_complex(p, "Adafactor")
    eps1 = torch.finfo(p.dtype).eps if eps[0] is None else eps[0]
    size = max(eps[1], rms(p)) * min(lr, t**-0.5)
    w = t**beta2_decay  # 1 - beta2 at this step: 1 at first, so the start is no matter
    if p.dim() < 2:
        variance = whole.lerp_(g * g, w).clone()
    else:
        variance = factored_variance(g, row, col, w=w, eps=eps1)
    update = variance.clamp_(min=eps1 * eps1).rsqrt_().mul_(g)
    p.mul_(1 - lr * weight_decay).add_(update, alpha=-size / max(1.0, rms(update) / d))


def check_adafactor(group: Group) -> None:
    """Raises ValueError in torch's words."""
    if not group["beta2_decay"] <= 0:
        raise ValueError(f"beta2_decay should be <= 0 but is: {group['beta2_decay']}")
    for number, value in enumerate(group["eps"], start=1):
        if value is not None and not value >= 0:
            raise ValueError(f"epsilon{number} should be >= 0 but is: {value}")
    if not group["d"] >= 1:
        raise ValueError(f"Clipping threshold d should be >= 1 but is: {group['d']}")


def mean_along(dim: int, p: Tensor) -> Tensor | None:
    """Zeros for the means of a matrix along a dimension; a vector has none."""
    return None if p.dim() < 2 else zeros_like(p).narrow(dim, 0, 1).clone()


FACTORS: dict[str, Start] = {
    "step": count,
    "row_var": lambda p, group: mean_along(-1, p),
    "col_var": lambda p, group: mean_along(-2, p),
    "variance": lambda p, group: zeros(p, group) if p.dim() < 2 else None,
}
Adafactor = optimizer(
    "Adafactor", adafactor, FACTORS, "* foreach maximize", decoupled=None, check=check_adafactor
)


def orthogonalise(
    x_NM: Tensor, *, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """Bring all singular values near 1 and keep the singular vectors, by Newton and Schulz.

    Each round maps a singular value s to a s + b s^3 + c s^5. In bfloat16, as the authors do: the
    result is rough by design. The shorter side goes first, for the smaller products.
    """
    a, b, c = coefficients
    tall = x_NM.size(0) > x_NM.size(1)
    x = x_NM.bfloat16().T if tall else x_NM.bfloat16()
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        polynomial = torch.addmm(gram, gram, gram, beta=b, alpha=c)  # b A + c A^2, rounded once
        x = torch.addmm(x, polynomial, x, beta=a)  # a x + (b A + c A^2) x
    return x.T if tall else x


def muon(
    p: Tensor, g: Tensor, buffer: Tensor, /, lr: float = 1e-3, weight_decay: float = 0.1,
    momentum: float = 0.95, nesterov: bool = True,
    ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315), eps: float = 1e-7,
    ns_steps: int = 5, adjust_lr_fn: str | None = None,
) -> None:  # fmt: skip
    """Momentum, made orthogonal, for the matrices of hidden layers."""
    refuse_complex(p, "Muon")
    buffer.lerp_(g, 1 - momentum)
    direction = g.lerp(buffer, momentum) if nesterov else buffer
    direction = orthogonalise(direction, coefficients=ns_coefficients, steps=ns_steps, eps=eps)
    rows, columns = p.shape
    ratio = math.sqrt(max(1, rows / columns))
    if adjust_lr_fn == "match_rms_adamw":
        ratio = 0.2 * math.sqrt(max(rows, columns))
    p.add_(direction, alpha=-float(lr * ratio))


def check_muon(group: Group) -> None:
    """Raises ValueError for settings without sense, and for parameters that are no matrices."""
    if group["adjust_lr_fn"] not in (None, "original", "match_rms_adamw"):
        raise ValueError(
            f"Adjust learning rate function {group['adjust_lr_fn']} is not supported; "
            "use 'original' or 'match_rms_adamw'"
        )
    steps = group["ns_steps"]
    if not 0 <= steps < 100:
        raise ValueError(f"Invalid ns_steps: {steps} (it must be at least 0, less than 100)")
    for p in group["params"]:
        if p.dim() != 2:
            raise ValueError(
                f"Muon only supports 2D parameters, but one has shape {tuple(p.shape)}; "
                "give it to AdamW"
            )


# Like torch's, Muon multiplies by a rate in a tensor as by a tensor, which rounds differently.
Muon = optimizer(
    "Muon", muon, {"momentum_buffer": zeros}, "", decoupled=True, check=check_muon,
    read=lambda value: value,
)  # fmt: skip
