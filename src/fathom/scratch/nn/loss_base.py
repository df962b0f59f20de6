"""What all losses share: from one loss for each element to one number, and checks of shapes."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from inspect import Signature, signature
from typing import Any

from torch import Tensor

from fathom.scratch.nn.layer import binder, layer

FLAGS = signature(lambda size_average=None, reduce=None, reduction="mean": None).parameters


def _settle(settings: dict[str, Any]) -> None:
    """Fold the older pair of flags, which torch still accepts, into `reduction`."""
    average, reduce = settings.pop("size_average", None), settings.pop("reduce", None)
    if average is not None or reduce is not None:
        word = "none" if reduce is False else "sum" if average is False else "mean"
        settings["reduction"] = word
        warnings.warn(f"size_average and reduce are old; use reduction='{word}'", stacklevel=4)


def reduce_loss(name: str, losses: Tensor, reduction: str, weights: Tensor | None = None) -> Tensor:
    """All losses, their sum or their mean, which divides by the sum of `weights` if there are any.

    The mean of nothing is an error, not NaN. "batchmean" divides the sum by the batch alone.
    """
    if reduction not in ("none", "mean", "sum", "batchmean"):
        raise ValueError(f"{name}: {reduction} is not a valid value for reduction")
    if reduction == "none":
        return losses
    if reduction != "mean":
        return losses.sum() / (1 if reduction == "sum" or not losses.dim() else len(losses))
    if losses.numel() == 0:
        raise ValueError(f"{name}: no mean of an empty batch, its shape is {tuple(losses.shape)}")
    # Cheaper backward than `mean`: one number is spread.
    return losses.sum() / (losses.numel() if weights is None else weights.sum())


def same_shape(name: str, **tensors: Tensor | None) -> None:
    """Raises ValueError unless the shapes are equal: (4, 1) and (4,) would broadcast to (4, 4)."""
    shapes = {key: tuple(each.shape) for key, each in tensors.items() if each is not None}
    if len(set(shapes.values())) > 1:
        found = ", ".join(f"{key} {shape}" for key, shape in shapes.items())
        raise ValueError(f"{name}: shapes must be equal, got {found}")


def loss(arguments: str, alike: str = "target input") -> Callable[[Callable], Callable[..., Any]]:
    """Decorate a function that gives a loss for each element: what it gives is reduced.

    `arguments` are torch's, in its order: those of the function and `size_average`, `reduce` and
    `reduction`. Those named in `alike` must have one shape. Where the mean shall be weighted, the
    function gives a pair, losses and weights.
    """

    def decorate(losses: Callable) -> Callable[..., Any]:
        known = {**signature(losses).parameters, **FLAGS}
        takes = Signature([known[name] for name in arguments.split()])
        bind = binder(losses.__name__, takes)

        @functools.wraps(losses)
        def public(*args: Any, **named: Any) -> Tensor:
            values = bind(args, named)
            _settle(values)
            reduction = values.pop("reduction")
            if alike:
                same_shape(losses.__name__, **{name: values[name] for name in alike.split()})
            found, weights = losses(**values), None
            if isinstance(found, tuple):
                found, weights = found
            return reduce_loss(losses.__name__, found, reduction, weights)

        public.__signature__ = takes  # type: ignore[attr-defined]
        return public

    return decorate


def loss_layer(
    name: str, function: Callable[..., Any], *, without: str = "",
    check: Callable[[dict[str, Any]], None] = lambda settings: None,
) -> Any:  # fmt: skip
    """`layer`, for a loss; `check` looks at the settings."""

    def prepare(settings: dict[str, Any]) -> None:
        _settle(settings)
        check(settings)

    return layer(name, function, without=without, prepare=prepare)
