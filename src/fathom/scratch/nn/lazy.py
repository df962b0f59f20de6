"""Lazy layers: the number of inputs is read off the first input.

Source   torch.nn's lazy layers; book 5.6 (deferred initialisation).
Differs  Nothing. The waiting itself (parameters without sizes, a hook before the first forward,
         the change of class after it) is torch's bookkeeping; `module.py` shows how it works.
Shapes   Those of the layer that each becomes.

A lazy layer takes the arguments of its layer but the first. It is built with none of the inputs,
so that a zero in a size marks where their number belongs.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any, ClassVar

from torch import Tensor
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from fathom.scratch.made import made
from fathom.scratch.nn import batchnorm, conv, conv_transpose
from fathom.scratch.nn.dimensions import SPACE
from fathom.scratch.nn.linear import Linear


class _Lazy(LazyModuleMixin):
    """Comes before the layer in the list of bases; becomes that layer at the first input."""

    counted: ClassVar[str]  # the layer's name for its number of inputs
    count: ClassVar[Callable[[Any, Tensor], int]]  # reads it off the first of them

    def __init__(self: Any, **settings: Any) -> None:
        super().__init__(**{self.counted: 0}, **settings)  # type: ignore[misc]
        self.waiting: dict[str, tuple[int, ...]] = {}
        kinds: list[Any] = [UninitializedParameter, UninitializedBuffer]
        for held, kind in zip((self._parameters, self._buffers), kinds, strict=True):
            for name, tensor in held.items():
                if tensor is not None and tensor.dim() > 0:
                    self.waiting[name] = tuple(tensor.shape)
                    held[name] = kind(device=tensor.device, dtype=tensor.dtype)

    def reset_parameters(self: Any) -> None:
        if not self.has_uninitialized_params() and all(p.numel() for p in self.parameters()):
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self: Any, input: Tensor) -> None:
        """Called by torch's hook before the first forward."""
        if self.has_uninitialized_params():
            inputs = self.count(input)
            setattr(self, self.counted, inputs)
            for name, sizes in self.waiting.items():
                groups = getattr(self, "groups", 1) if sizes[0] else 1
                getattr(self, name).materialize([size or inputs // groups for size in sizes])
            self.reset_parameters()


def _last(layer: Any, input: Tensor) -> int:
    """The number of inputs of a linear layer."""
    return input.shape[-1]


def _channels(layer: Any, input: Tensor) -> int:
    """The number of inputs of a convolution: of channels, which its groups divide."""
    n, sizes, name = layer.dims, list(input.shape), type(layer).__name__
    if len(sizes) not in (n + 1, n + 2):
        raise RuntimeError(f"{name}: expected {n + 1}D or {n + 2}D input, got sizes {sizes}")
    if sizes[-n - 1] % layer.groups:
        raise ValueError(f"{name}: channels of {sizes} must be divisible by groups, {layer.groups}")
    return sizes[-n - 1]


def _features(layer: Any, input: Tensor) -> int:
    """The number of inputs of a normalisation of channels."""
    layer.check_rank(input)
    return input.shape[1]


def _lazy(layer: type, count: Callable[[Any, Tensor], int], like: type | None = None) -> Any:
    """The lazy form of `layer`, whose first argument waits; others have the defaults of `like`."""
    first, *rest = signature(like or layer).parameters.values()
    waits = {"cls_to_become": layer, "counted": first.name, "count": count}
    about = {"__doc__": f"Becomes a `{layer.__name__}`.", "__module__": __name__}
    name = f"Lazy{layer.__name__}"
    return made(name, type(name, (_Lazy, layer), waits), rest, **about)


def _in_space(file: Any, name: str, count: Any, like: Any = None) -> list[Any]:
    """The lazy forms of a layer in one, two and three dimensions."""
    return [_lazy(getattr(file, f"{name}{n}d"), count, like) for n in SPACE]


LazyLinear = _lazy(Linear, _last)
LazyConv1d, LazyConv2d, LazyConv3d = _in_space(conv, "Conv", _channels)
LazyConvTranspose1d, LazyConvTranspose2d, LazyConvTranspose3d = _in_space(
    conv_transpose, "ConvTranspose", _channels
)
LazyBatchNorm1d, LazyBatchNorm2d, LazyBatchNorm3d = _in_space(batchnorm, "BatchNorm", _features)
LazyInstanceNorm1d, LazyInstanceNorm2d, LazyInstanceNorm3d = _in_space(
    batchnorm, "InstanceNorm", _features, like=batchnorm.BatchNorm1d
)  # as in torch, all is learnt and averaged
