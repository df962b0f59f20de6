"""What all losses share: from one loss for each element to one number, and checks of shapes."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from inspect import Signature, signature
from typing import Any

from torch import Tensor

from fathom.scratch.made import binder
from fathom.scratch.nn.layer import layer

FLAGS = signature(lambda size_average=None, reduce=None, reduction="mean": None).parameters


def _fold_flags(settings: dict[str, Any]) -> None:
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


def shapes(**tensors: Tensor | None) -> str:
    """Names and sizes, for an error."""
    given = {name: tuple(each.shape) for name, each in tensors.items() if each is not None}
    return ", ".join(f"{name} {shape}" for name, shape in given.items())


def loss(
    arguments: str, alike: str = "target input",
    check: Callable[[dict[str, Any]], None] = lambda settings: None,
) -> Callable[[Callable], Callable[..., Any]]:  # fmt: skip
    """Decorate a function that gives a loss for each element: what it gives is reduced.

    `arguments` are torch's, in its order: those of the function and `size_average`, `reduce` and
    `reduction`. Those named in `alike` must have one shape: (4, 1) and (4,) would broadcast to
    (4, 4). `check` raises for settings without sense. Where the mean shall be weighted, the
    function gives a pair, losses and weights.
    """

    def decorate(losses: Callable) -> Callable[..., Any]:
        name = losses.__name__
        known = {**signature(losses).parameters, **FLAGS}
        takes = Signature([known[each] for each in arguments.split()])
        bind = binder(name, takes)

        def settle(settings: dict[str, Any]) -> None:
            _fold_flags(settings)
            check(settings)

        @functools.wraps(losses)
        def public(*args: Any, **named: Any) -> Tensor:
            values = bind(args, named)
            settle(values)
            reduction = values.pop("reduction")
            compared = {each: values[each] for each in alike.split() if values[each] is not None}
            if len({tensor.shape for tensor in compared.values()}) > 1:
                raise ValueError(f"{name}: shapes must be equal, got {shapes(**compared)}")
            found = losses(**values)
            found, weights = found if isinstance(found, tuple) else (found, None)
            return reduce_loss(name, found, reduction, weights)

        public.__signature__ = takes  # type: ignore[attr-defined]
        public.settle = settle  # type: ignore[attr-defined]
        return public

    return decorate


def loss_layer(name: str, function: Any, *, without: str = "") -> Any:
    """`layer`, for a `loss`, whose settings are looked at when it is made."""
    return layer(name, function, without=without, prepare=function.settle)
