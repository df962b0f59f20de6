"""What part of a picture a unit of a network sees, and what part of it counts.

The receptive field of a unit is every pixel from which a path leads to it. With all weights
positive and no activations the unit's gradient is a weighted count of those paths: it is zero
exactly where there is none, whatever the branches of the network. With its own weights the same
gradient says how much each pixel counts.

Source   Luo et al. 2016, arXiv:1701.04128 (effective receptive fields); book 6.3.
Shapes   `field_HW` is over the pixels of a picture; the unit is the one in the middle of its map.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

TRANSPARENT = ("ReLU", "Sigmoid", "Tanh", "Dropout", "BatchNorm1d", "BatchNorm2d")
WHOLE = ("AdaptiveAvgPool2d", "Flatten", "Linear")


def stages(model: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
    """The last map of each size, by the name of the module that gives it: (N, C, H, W)."""
    found: dict[int, tuple[str, Tensor]] = {}
    hooks = []

    def keep(name: str) -> Callable[[nn.Module, tuple, object], None]:
        def hook(module: nn.Module, args: tuple, output: object) -> None:
            if isinstance(output, Tensor) and output.dim() == 4 and len(output) == len(inputs):
                found[output.shape[-1]] = name, output

        return hook

    for name, module in model.named_modules():
        if name and type(module).__name__ not in WHOLE and not _decides(module):
            hooks.append(module.register_forward_hook(keep(name)))
    try:
        model(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: output for name, output in found.values() if output.shape[-1] > 1}


def _decides(module: nn.Module) -> bool:
    """Whether it holds layers that look at the whole picture at once."""
    return any(type(part).__name__ in WHOLE for part in module.modules())


def fields(model: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
    """For each of `stages`: how much each pixel moves its middle unit, (H, W), all adding to 1.

    The mean over the pictures of the gradient's absolute value, over all channels.
    """
    inputs = inputs.clone().requires_grad_()
    found = {}
    for name, output in stages(model, inputs).items():
        middle = output[:, :, output.shape[2] // 2, output.shape[3] // 2].sum()
        (slope,) = torch.autograd.grad(middle, inputs, retain_graph=True)
        field_HW = slope.abs().sum((0, 1))
        found[name] = field_HW / field_HW.sum().clamp(min=torch.finfo(field_HW.dtype).tiny)
    return found


def paths(model: nn.Module) -> nn.Module:
    """A copy, in float64, whose gradients count paths: means for maxima, no activations."""
    counted = copy.deepcopy(model).double().eval()
    for name, module in list(counted.named_modules()):
        kind = type(module).__name__
        if kind in TRANSPARENT:
            _replace(counted, name, nn.Identity())
        elif kind == "MaxPool2d":
            window = (module.kernel_size, module.stride, module.padding, module.ceil_mode)
            _replace(counted, name, nn.AvgPool2d(*window))
    for name, parameter in counted.named_parameters():
        with torch.no_grad():
            parameter.fill_(0 if name.endswith("bias") else 1 / max(1, parameter[0].numel()))
    return counted


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)


def extent(field_HW: Tensor) -> int:
    """The side of the smallest square around what is not zero."""
    rows, columns = (field_HW.sum(dim).nonzero().flatten() for dim in (1, 0))
    if not len(rows):
        return 0
    return int(max(rows.max() - rows.min(), columns.max() - columns.min())) + 1


def touches_border(field_HW: Tensor) -> bool:
    """Whether the field ends because the picture does."""
    edges = (field_HW[0], field_HW[-1], field_HW[:, 0], field_HW[:, -1])
    return any(bool((edge != 0).any()) for edge in edges)


def effective_extent(field_HW: Tensor, share: float = 0.95) -> int:
    """The side of the smallest square around the field's centre that holds `share` of it."""
    H, W = field_HW.shape
    total = field_HW.sum()
    y = (field_HW.sum(1) * torch.arange(H, dtype=field_HW.dtype)).sum() / total
    x = (field_HW.sum(0) * torch.arange(W, dtype=field_HW.dtype)).sum() / total
    rows = (torch.arange(H, dtype=field_HW.dtype) - y).abs()[:, None]
    columns = (torch.arange(W, dtype=field_HW.dtype) - x).abs()[None]
    distance = torch.maximum(rows, columns).flatten()
    order = distance.argsort()
    held = field_HW.flatten()[order].cumsum(0) / total
    reach = float(distance[order[int((held < share).sum())]])
    return min(round(2 * reach) + 1, max(H, W))
