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
from torch.optim.optimizer import ParamsT

from fathom.scratch.optim.optimizer import Group, PerParameter, State, new_step, tick


def _rms(x: Tensor) -> float:
    """The root mean square of the entries."""
    return x.square().mean().sqrt().item()


def factored_variance(
    g_NM: Tensor, row_N1: Tensor, col_1M: Tensor, *, w: float, eps: float
) -> Tensor:
    """An estimate of g^2 of rank one: N + M numbers are remembered in place of N times M."""
    square_NM = g_NM * g_NM
    row_N1.lerp_(square_NM.mean(-1, keepdim=True), w)
    col_1M.lerp_(square_NM.mean(-2, keepdim=True), w)
    return torch.mul(row_N1, col_1M, out=square_NM).div_(
        row_N1.mean(-2, keepdim=True).clamp_(min=eps)
    )


def adafactor(p: Tensor, g: Tensor, variance: Tensor, *, size: float, d: float, eps: float) -> None:
    """Step by `size` in units of the gradient's deviation, clipped to a root mean square of d."""
    update = variance.clamp_(min=eps * eps).rsqrt_().mul_(g)
    p.add_(update, alpha=-size / max(1.0, _rms(update) / d))


class Adafactor(PerParameter):
    """Adam's second mean in sublinear memory, without the first; as `torch.optim.Adafactor`."""

    decoupled = None  # the size of a step is measured before the parameter decays

    def __init__(
        self, params: ParamsT, lr: float | Tensor = 1e-2, beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3), d: float = 1.0, weight_decay: float = 0.0,
        *, foreach: bool | None = None, maximize: bool = False,
    ) -> None:  # fmt: skip
        if not beta2_decay <= 0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        for number, value in enumerate(eps, start=1):
            if value is not None and not value >= 0:
                raise ValueError(f"epsilon{number} should be >= 0 but is: {value}")
        if not d >= 1:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        defaults = dict(
            lr=lr, beta2_decay=beta2_decay, eps=eps, d=d, weight_decay=weight_decay,
            foreach=foreach, maximize=maximize,
        )  # fmt: skip
        super().__init__(params, defaults)

    def start(self, p: Tensor, group: Group) -> State:
        if p.is_complex():
            raise RuntimeError(f"Adafactor does not support complex parameters, here {p.dtype}")
        if p.dim() < 2:
            return {"step": new_step(), "variance": zeros_like(p)}
        row_N1, col_1M = (
            p.new_zeros((*p.shape[:-1], 1)),
            p.new_zeros((*p.shape[:-2], 1, p.shape[-1])),
        )
        return {"step": new_step(), "row_var": row_N1, "col_var": col_1M}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        t, lr = tick(state), float(group["lr"])
        eps1, eps2 = group["eps"]
        eps1 = torch.finfo(p.dtype).eps if eps1 is None else eps1
        size = max(eps2, _rms(p)) * min(lr, t**-0.5)
        w = (
            t ** group["beta2_decay"]
        )  # 1 - beta2 at this step: 1 at first, so the start is no matter
        if p.dim() < 2:
            variance = state["variance"].lerp_(g * g, w).clone()
        else:
            variance = factored_variance(g, state["row_var"], state["col_var"], w=w, eps=eps1)
        p.mul_(1 - lr * group["weight_decay"])
        adafactor(p, g, variance, size=size, d=group["d"], eps=eps1)


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


class Muon(PerParameter):
    """Momentum, made orthogonal, for the matrices of hidden layers; as `torch.optim.Muon`."""

    decoupled = True

    def __init__(
        self, params: ParamsT, lr: float | Tensor = 1e-3, weight_decay: float = 0.1,
        momentum: float = 0.95, nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315), eps: float = 1e-7,
        ns_steps: int = 5, adjust_lr_fn: str | None = None,
    ) -> None:  # fmt: skip
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(
                f"Adjust learning rate function {adjust_lr_fn} is not supported; "
                "use 'original' or 'match_rms_adamw'"
            )
        if not 0 <= ns_steps < 100:
            raise ValueError(f"Invalid ns_steps: {ns_steps} (it must be at least 0, less than 100)")
        defaults = dict(
            lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov,
            ns_coefficients=ns_coefficients, eps=eps, ns_steps=ns_steps, adjust_lr_fn=adjust_lr_fn,
        )  # fmt: skip
        super().__init__(params, defaults)
        for p in (p for group in self.param_groups for p in group["params"]):
            if p.dim() != 2:
                raise ValueError(
                    f"Muon only supports 2D parameters, but one has shape {tuple(p.shape)}; "
                    "give it to AdamW"
                )

    def start(self, p: Tensor, group: Group) -> State:
        if p.is_complex():
            raise RuntimeError(f"Muon does not support complex parameters, here {p.dtype}")
        return {"momentum_buffer": zeros_like(p)}

    def update(self, p: Tensor, g: Tensor, state: State, group: Group) -> None:
        mu, (rows, columns) = group["momentum"], p.shape
        buffer = state["momentum_buffer"].lerp_(g, 1 - mu)
        direction = orthogonalise(
            g.lerp(buffer, mu) if group["nesterov"] else buffer,
            coefficients=group["ns_coefficients"],
            steps=group["ns_steps"],
            eps=group["eps"],
        )
        if group["adjust_lr_fn"] == "match_rms_adamw":
            ratio = 0.2 * math.sqrt(max(rows, columns))
        else:
            ratio = math.sqrt(max(1, rows / columns))
        p.add_(direction, alpha=-float(group["lr"] * ratio))
