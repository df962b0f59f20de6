"""Lazy layers: the number of inputs is read off the first input.

Source   torch.nn's lazy layers; book 5.6 (deferred initialisation).
Differs  Nothing. The waiting itself (parameters without sizes, a hook before the first forward,
         the change of class after it) is torch's bookkeeping; `module.py` shows how it works.
Shapes   Those of the layer that each becomes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import UninitializedParameter

from fathom.scratch.nn.conv import Conv1d, Conv2d, Conv3d
from fathom.scratch.nn.conv_transpose import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from fathom.scratch.nn.linear import Linear
from fathom.scratch.nn.sizes import Ints


class _Lazy(LazyModuleMixin):
    """Comes before the layer in the list of bases; the layer was built with no inputs."""

    def wait(self, bias: bool, device: Any, dtype: torch.dtype | None) -> None:
        """Replace the empty parameters by such as have no size yet."""
        for name in ("weight", "bias") if bias else ("weight",):
            nothing: Any = UninitializedParameter
            setattr(self, name, nothing(device=device, dtype=dtype))

    def sizes(self, input: Tensor) -> dict[str, tuple[int, ...]]:
        """The sizes of the parameters, given the first input."""
        raise NotImplementedError

    def initialize_parameters(self, input: Tensor) -> None:
        """Called by torch's hook before the first forward."""
        if self.has_uninitialized_params():  # type: ignore[misc]
            for name, sizes in self.sizes(input).items():
                if getattr(self, name) is not None:
                    getattr(self, name).materialize(sizes)
            self.reset_parameters()

    def reset_parameters(self) -> None:
        layer: Any = self
        if not layer.has_uninitialized_params() and layer.weight.numel():
            super().reset_parameters()  # type: ignore[misc]


class LazyLinear(_Lazy, Linear):
    """Becomes a `Linear` at the first input (*, in_features)."""

    cls_to_become = Linear

    def __init__(
        self,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(0, 0, False)
        self.out_features = out_features
        self.wait(bias, device, dtype)

    def sizes(self, input: Tensor) -> dict[str, tuple[int, ...]]:
        self.in_features = input.shape[-1]
        return {"weight": (self.out_features, self.in_features), "bias": (self.out_features,)}


class _LazyChannels(_Lazy):
    """The convolutions' half: inputs are counted in the dimension of the channels."""

    def sizes(self, input: Any) -> dict[str, tuple[int, ...]]:
        layer: Any = self
        if input.dim() not in (layer.dims + 1, layer.dims + 2):
            raise RuntimeError(
                f"Expected {layer.dims + 1}D (unbatched) or {layer.dims + 2}D (batched) input to "
                f"{type(self).__name__}, but got input of size: {list(input.shape)}"
            )
        layer.in_channels = input.shape[-layer.dims - 1]
        if layer.in_channels % layer.groups:
            raise ValueError(
                f"in_channels must be divisible by groups: {layer.in_channels}, {layer.groups}"
            )
        ends = (layer.in_channels, layer.out_channels)
        ends = ends if layer.transposed else ends[::-1]
        weight = (ends[0], ends[1] // layer.groups, *layer.kernel_size)
        return {"weight": weight, "bias": (layer.out_channels,)}


class _LazyConv(_LazyChannels):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Ints | str = 0,
        dilation: Ints = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        window = (kernel_size, stride, padding, dilation, groups)
        super().__init__(0, 0, *window, False, padding_mode)  # type: ignore[misc]
        self.out_channels = out_channels
        self.wait(bias, device, dtype)


class LazyConv1d(_LazyConv, Conv1d):
    """Becomes a `Conv1d`."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """Becomes a `Conv2d`."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """Becomes a `Conv3d`."""

    cls_to_become = Conv3d


class _LazyConvTranspose(_LazyChannels):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Ints = 0,
        output_padding: Ints = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Ints = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        window = (kernel_size, stride, padding, output_padding, groups)
        super().__init__(0, 0, *window, False, dilation, padding_mode)  # type: ignore[misc]
        self.out_channels = out_channels
        self.wait(bias, device, dtype)


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """Becomes a `ConvTranspose1d`."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """Becomes a `ConvTranspose2d`."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """Becomes a `ConvTranspose3d`."""

    cls_to_become = ConvTranspose3d
