"""Lazy layers: the number of inputs is read off the first input.

Source   torch.nn's lazy layers; book 5.6 (deferred initialisation).
Differs  Nothing. The waiting itself (parameters without sizes, a hook before the first forward,
         the change of class after it) is torch's bookkeeping; `module.py` shows how it works.
Shapes   Those of the layer that each becomes.

A lazy layer takes the arguments of its layer but the first. It is built with none of the inputs,
so that a zero in a size marks where their number belongs.
"""

from __future__ import annotations

from inspect import Signature, signature
from typing import Any, ClassVar

from torch import Tensor
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from fathom.scratch.nn import batchnorm, conv, conv_transpose
from fathom.scratch.nn.dimensions import SPACE
from fathom.scratch.nn.linear import Linear


class _Lazy(LazyModuleMixin):
    """Comes before the layer in the list of bases; becomes that layer at the first input."""

    __signature__: ClassVar[Signature]
    counted: ClassVar[str]  # the layer's name for its number of inputs

    def __init_subclass__(cls) -> None:
        if len(cls.__bases__) == 2:
            cls.cls_to_become = layer = cls.__bases__[1]
            if cls.__init__ is _Lazy.__init__:  # for those who ask what it takes
                whole = signature(layer)
                cls.__signature__ = whole.replace(parameters=[*whole.parameters.values()][1:])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(0, *args, **kwargs)  # type: ignore[misc]
        layer: Any = self
        self.waiting: dict[str, tuple[int, ...]] = {}
        kinds: list[Any] = [UninitializedParameter, UninitializedBuffer]
        for held, kind in zip((layer._parameters, layer._buffers), kinds, strict=True):
            for name, tensor in held.items():
                if tensor is not None and tensor.dim() > 0:
                    self.waiting[name] = tuple(tensor.shape)
                    held[name] = kind(device=tensor.device, dtype=tensor.dtype)

    def reset_parameters(self) -> None:
        layer: Any = self
        if not layer.has_uninitialized_params() and all(p.numel() for p in layer.parameters()):
            super().reset_parameters()  # type: ignore[misc]

    def count(self, input: Tensor) -> int:
        """The number of inputs of the first of them."""
        raise NotImplementedError

    def initialize_parameters(self, input: Tensor) -> None:
        """Called by torch's hook before the first forward."""
        layer: Any = self
        if layer.has_uninitialized_params():
            inputs = self.count(input)
            setattr(self, self.counted, inputs)
            for name, sizes in self.waiting.items():
                groups = getattr(self, "groups", 1) if sizes[0] else 1
                getattr(self, name).materialize([size or inputs // groups for size in sizes])
            self.reset_parameters()


class LazyLinear(_Lazy, Linear):
    """Becomes a `Linear` at the first input (*, in_features)."""

    counted = "in_features"

    def count(self, input: Tensor) -> int:
        return input.shape[-1]


class _LazyChannels(_Lazy):
    """The convolutions' half: the inputs are the channels."""

    counted = "in_channels"

    def count(self, input: Tensor) -> int:
        layer: Any = self
        n = layer.dims
        if input.dim() not in (n + 1, n + 2):
            raise RuntimeError(
                f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to "
                f"{type(self).__name__}, but got input of size: {list(input.shape)}"
            )
        inputs, groups = input.shape[-n - 1], layer.groups
        if inputs % groups:
            raise ValueError(f"in_channels must be divisible by groups: {inputs}, {groups}")
        return inputs


class _LazyFeatures(_Lazy):
    """The normalisations' half: the inputs are the channels, and all is learnt and averaged."""

    counted = "num_features"

    def __init__(
        self, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, device: Any = None, dtype: Any = None, *,
        bias: bool = True,
    ) -> None:  # fmt: skip
        settings = (eps, momentum, affine, track_running_stats, device, dtype)
        super().__init__(*settings, bias=bias)

    def count(self, input: Tensor) -> int:
        layer: Any = self
        layer.check_rank(input)
        return input.shape[1]


def _lazy(mixin: type, file: Any, name: str) -> list[Any]:
    """The lazy forms of a layer in one, two and three dimensions."""
    layers = [getattr(file, f"{name}{n}d") for n in SPACE]
    about = {"__doc__": f"Becomes a `{name}` of as many dimensions.", "__module__": __name__}
    return [type(f"Lazy{layer.__name__}", (mixin, layer), dict(about)) for layer in layers]


LazyConv1d, LazyConv2d, LazyConv3d = _lazy(_LazyChannels, conv, "Conv")
LazyConvTranspose1d, LazyConvTranspose2d, LazyConvTranspose3d = _lazy(
    _LazyChannels, conv_transpose, "ConvTranspose"
)
LazyBatchNorm1d, LazyBatchNorm2d, LazyBatchNorm3d = _lazy(_LazyFeatures, batchnorm, "BatchNorm")
LazyInstanceNorm1d, LazyInstanceNorm2d, LazyInstanceNorm3d = _lazy(
    _LazyFeatures, batchnorm, "InstanceNorm"
)
