"""What all losses share: from one loss for each element to one number, and checks of shapes."""

from __future__ import annotations

import warnings

from torch import Tensor, nn


def reduction_of(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """`reduction`, unless the older pair of flags, which torch still accepts, is used instead."""
    if size_average is None and reduce is None:
        return reduction
    reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
    warnings.warn(f"size_average and reduce are old; use reduction='{reduction}'", stacklevel=4)
    return reduction


def reduce_loss(
    name: str, losses: Tensor, reduction: str, size_average: bool | None = None,
    reduce: bool | None = None,
) -> Tensor:  # fmt: skip
    """All losses, their sum or their mean. The mean of nothing is an error, not NaN."""
    reduction = reduction_of(size_average, reduce, reduction)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{name}: {reduction} is not a valid value for reduction")
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    if losses.numel() == 0:
        raise ValueError(f"{name}: no mean of an empty batch, its shape is {tuple(losses.shape)}")
    return losses.sum() / losses.numel()  # cheaper backward than `mean`: one number is spread


def same_shape(name: str, input: Tensor, target: Tensor) -> None:
    """Raises ValueError unless the shapes are equal: (4, 1) and (4,) would broadcast to (4, 4)."""
    if input.shape != target.shape:
        raise ValueError(
            f"{name}: the target has shape {tuple(target.shape)}, the input {tuple(input.shape)}; "
            "they must be equal"
        )


class Loss(nn.Module):
    """A loss and the way it becomes one number: "mean", "sum", or "none" to keep them apart."""

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
    ) -> None:  # fmt: skip
        super().__init__()
        self.reduction = reduction_of(size_average, reduce, reduction)


class WeightedLoss(Loss):
    """A loss with a weight for each class, or for each element, that moves with the module."""

    weight: Tensor | None

    def __init__(
        self, weight: Tensor | None = None, size_average: bool | None = None,
        reduce: bool | None = None, reduction: str = "mean",
    ) -> None:  # fmt: skip
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
