"""Dropout: zero random parts of the input while training, and scale up the rest.

Source   Srivastava et al. 2014, JMLR 15; over channels Tompson et al. 2014, arXiv:1411.4280;
         alpha dropout Klambauer et al. 2017, arXiv:1706.02515; book 5.6.
Differs  Masks are drawn in torch's order: one seed gives both the same. `inplace=True` overwrites
         the input as in torch, but saves no memory. Ranks that torch only warns of are errors.
Shapes   N batch, C channels. Dropout and AlphaDropout take any shape, the others (N, C, *); those
         for 1 and 3 dimensions also (C, *).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fathom.scratch.nn.activation_smooth import SELU_ALPHA, SELU_SCALE
from fathom.scratch.nn.layer import layer


def _zero_some(input: Tensor, mask: Tensor, p: float) -> Tensor:
    """Keep what the mask keeps and divide by 1 - p, which leaves the expected value as it was."""
    return input * mask.div_(1 - p)


def _saturate_some(input: Tensor, mask: Tensor, p: float) -> Tensor:
    """Set some to a SELU's value at minus infinity; a and b restore mean 0 and variance 1."""
    low = -SELU_ALPHA * SELU_SCALE
    a = 1 / ((low * low * p + 1) * (1 - p)) ** 0.5
    b = (mask - 1).mul_(-low * a).add_(-low * a * p)
    return torch.addcmul(b, input, mask.mul_(a))


def _check(settings: dict[str, Any]) -> None:
    p = settings["p"]
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _dropping(
    name: str, apply: Callable[[Tensor, Tensor, float], Tensor] = _zero_some, *,
    channels: dict[int, int] | None = None, training: bool = True,
) -> Any:  # fmt: skip
    """The function `name`, which draws a mask of ones (probability 1 - p) and zeros; and its layer.

    Where whole channels are dropped, `channels` says for each rank that is allowed how many
    dimensions the mask has. `training` is the default.
    """

    def drop(
        input: Tensor, p: float = 0.5, training: bool = training, inplace: bool = False
    ) -> Tensor:
        _check({"p": p})
        rank = input.dim()
        if channels is not None and rank not in channels:
            found = f"a {rank}D input of shape {tuple(input.shape)}"
            wanted = " or ".join(f"{n}D" for n in channels)
            raise RuntimeError(f"{name}: expected {wanted} input, but received {found}")
        if not training or p == 0 or input.numel() == 0:
            return input
        # `empty_like` lies in memory as the input does, and is filled in that order, as in torch.
        mask = torch.empty_like(input)
        if channels is not None:
            mask = input.new_empty([*input.shape[: channels[rank]], *[1] * (rank - channels[rank])])
        output = input * 0 if p == 1 else apply(input, mask.bernoulli_(1 - p), p)
        return input.copy_(output) if inplace else output

    drop.__name__ = drop.__qualname__ = name
    title = "".join(word.capitalize() for word in name.split("_"))  # Dropout1d, AlphaDropout
    return drop, layer(title, drop, "p={p}, inplace={inplace}", prepare=_check)


# What is dropped: numbers; channels of (N, C, L) or (C, L), of (N, C, H, W) or (as in torch) of
# (N, C, L), of (N, C, D, H, W) or (C, D, H, W); numbers and channels in SELU networks.
dropout, Dropout = _dropping("dropout")
dropout1d, Dropout1d = _dropping("dropout1d", channels={2: 1, 3: 2})
dropout2d, Dropout2d = _dropping("dropout2d", channels={3: 2, 4: 2})
dropout3d, Dropout3d = _dropping("dropout3d", channels={4: 1, 5: 2})
alpha_dropout, AlphaDropout = _dropping("alpha_dropout", _saturate_some, training=False)
feature_alpha_dropout, FeatureAlphaDropout = _dropping(
    "feature_alpha_dropout", _saturate_some, channels=dict.fromkeys(range(2, 9), 2), training=False
)
