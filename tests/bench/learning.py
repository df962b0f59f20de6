"""What a contender of a benchmark did in its turns: for its tests, which see a bare function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

PRODUCTS = {"mm", "addmm", "linear", "matmul"}  # as inference and training have them


def losses(epoch: Callable[[], None], monkeypatch: Any) -> list[float]:
    """The loss of each step of a turn: what gradients were asked of."""
    found: list[float] = []
    backward = torch.Tensor.backward

    def noted(loss: torch.Tensor, *args: Any, **kwargs: Any) -> None:
        found.append(float(loss.detach()))
        backward(loss, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(torch.Tensor, "backward", noted)
        epoch()
    return found


def rows_of_logits(epoch: Callable[[], None], vocab: int) -> int:
    """For how many tokens a turn computed logits: rows of products with as many columns."""
    seen = 0

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):
            nonlocal seen
            made = func(*args, **(kwargs or {}))
            if func.overloadpacket.__name__ in PRODUCTS and made.shape[-1] == vocab:
                seen += made.numel() // vocab
            return made

    with Watch():
        epoch()
    return seen
