"""Rules that look at a matrix as a matrix: Adafactor, and Muon.

Source   Shazeer & Stern 2018, arXiv:1804.04235 (Adafactor); Jordan et al. 2024,
         kellerjordan.github.io/posts/muon, and Liu et al. 2025, arXiv:2502.16982 (Muon).
Differs  As torch: Adafactor's `lr` bounds the relative step (the paper's constant 0.01), eps1
         guards the two divisions and is not added to g^2, means stand for sums. Where eps1 is
         None, each parameter takes it from its own type; torch takes it from the first's for all.
Shapes   N rows, M columns; Adafactor factors the last two dimensions, Muon takes matrices only.
"""

from __future__ import annotations

import torch
from torch import Tensor, zeros_like

from fathom.scratch.optim.optimizer import Group, count, optimizer, require, zeros


def rms(x: Tensor) -> float:
    """The root mean square of the entries."""
    return x.square().mean().sqrt().item()


def adafactor(
    p: Tensor, g: Tensor, t: float, row_N1: Tensor, col_1M: Tensor, whole: Tensor, /,
    lr: float = 1e-2, beta2_decay: float = -0.8, eps: tuple[float | None, float] = (None, 1e-3),
    d: float = 1.0, weight_decay: float = 0.0,
) -> None:  # fmt: skip
    """Adam's second mean in sublinear memory, without the first.

    The step is relative to p's own size, in units of the gradient's deviation, and clipped to a
    root mean square of d.
    """
    eps1 = torch.finfo(p.dtype).eps if eps[0] is None else eps[0]
    size = max(eps[1], rms(p)) * min(lr, t**-0.5)
    w = t**beta2_decay  # 1 - beta2 at this step: 1 at first, so the start is no matter
    square = g * g
    if p.dim() < 2:
        variance = whole.lerp_(square, w).clone()
    else:  # an estimate of rank one: N + M numbers are remembered in place of N times M
        row_N1.lerp_(square.mean(-1, keepdim=True), w)
        col_1M.lerp_(square.mean(-2, keepdim=True), w)
        mean = row_N1.mean(-2, keepdim=True).clamp_(min=eps1)
        variance = torch.mul(row_N1, col_1M, out=square).div_(mean)
    update = variance.clamp_(min=eps1 * eps1).rsqrt_().mul_(g)
    p.mul_(1 - lr * weight_decay).add_(update, alpha=-size / max(1.0, rms(update) / d))


def check_adafactor(group: Group) -> None:
    """Raises ValueError in torch's words."""
    decay, d, (eps1, eps2) = group["beta2_decay"], group["d"], group["eps"]
    require(decay <= 0, f"beta2_decay should be <= 0 but is: {decay}")
    require(d >= 1, f"Clipping threshold d should be >= 1 but is: {d}")
    require(eps1 is None or eps1 >= 0, f"epsilon1 should be >= 0 but is: {eps1}")
    require(eps2 >= 0, f"epsilon2 should be >= 0 but is: {eps2}")


# A matrix has means along its rows and columns, what has fewer dimensions is remembered whole.
Adafactor = optimizer(
    "Adafactor", adafactor,
    {"step": count,
     "row_var": lambda p, group: zeros_like(p[..., :1]) if p.dim() > 1 else None,
     "col_var": lambda p, group: zeros_like(p[..., :1, :]) if p.dim() > 1 else None,
     "variance": lambda p, group: zeros_like(p) if p.dim() < 2 else None},
    decoupled=None, pairs=None, check=check_adafactor,
)  # fmt: skip


Coefficients = tuple[float, float, float]


def orthogonalise(x_NM: Tensor, *, coefficients: Coefficients, steps: int, eps: float) -> Tensor:
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
    ns_coefficients: Coefficients = (3.4445, -4.775, 2.0315), eps: float = 1e-7, ns_steps: int = 5,
    adjust_lr_fn: str | None = None,
) -> None:  # fmt: skip
    """Momentum, made orthogonal, for the matrices of hidden layers."""
    buffer.lerp_(g, 1 - momentum)
    direction = g.lerp(buffer, momentum) if nesterov else buffer
    direction = orthogonalise(direction, coefficients=ns_coefficients, steps=ns_steps, eps=eps)
    rows, columns = p.shape
    ratio = max(1, rows / columns) ** 0.5
    if adjust_lr_fn == "match_rms_adamw":
        ratio = 0.2 * max(rows, columns) ** 0.5
    p.add_(direction, alpha=-float(lr * ratio))


def check_muon(group: Group) -> None:
    """Raises ValueError for settings without sense, and for parameters that are no matrices."""
    known = None, "original", "match_rms_adamw"
    fn, steps = group["adjust_lr_fn"], group["ns_steps"]
    require(fn in known, f"Adjust learning rate function {fn} is not supported, only {known}")
    require(0 <= steps < 100, f"Invalid ns_steps: {steps} (must be at least 0, less than 100)")
    for p in group["params"]:
        require(p.dim() == 2, f"Muon only supports 2D parameters, not {tuple(p.shape)}: use AdamW")


# Like torch's, Muon multiplies by a rate in a tensor as by a tensor, which rounds differently.
Muon = optimizer(
    "Muon", muon, {"momentum_buffer": zeros}, decoupled=True, pairs=None, check=check_muon,
    read=lambda value: value,
)  # fmt: skip
