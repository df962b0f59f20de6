"""Grad-CAM: which places of a picture speak for a class, told from any convolutional network.

The last convolutional maps still say where things are. How much each map matters for a class is
the mean of the class score's gradient with respect to it; the maps, weighted by that and added up,
are large where there is evidence for the class, and what is below zero speaks for others.

Source   Selvaraju et al. 2017, arXiv:1610.02391. For a network that ends in a global mean and one
         linear layer it is the class activation map of Zhou et al. 2016, arXiv:1512.04150.
Differs  The last maps of a network for large pictures are a pixel or two of a small one, which
         says nothing of places: those are taken that are the last of 4 by 4 or more.
Shapes   N pictures, K classes, C maps of h by w.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from fathom.core.errors import SettingError

SMALLEST = 4  # pixels a side of maps that still say where


def grad_cam(model: nn.Module, images: Tensor, classes_N: Tensor) -> Tensor:
    """(N, h, w), nowhere below 0, of the class of each picture; `model` is in evaluation mode.

    Raises SettingError for a network in which no map of a convolution is larger than a pixel.
    """
    with torch.inference_mode(False), torch.enable_grad():
        # Also through layers that are frozen, of which nothing else asks for a gradient.
        inputs = images.clone().requires_grad_()
        maps_NChw, logits_NK = last_maps(model, inputs)
        # In evaluation mode no picture's score depends on another: one backward pass does for all.
        scores = logits_NK.gather(1, classes_N.clone().to(logits_NK.device)[:, None]).sum()
        (slopes_NChw,) = torch.autograd.grad(scores, maps_NChw)
        weights_NC11 = slopes_NChw.mean((2, 3), keepdim=True)
        return (weights_NC11 * maps_NChw).sum(1).relu().detach()


def last_maps(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """The last maps (N, C, h, w) of 4 by 4 or more, else of more than a pixel; and the outputs."""
    found: dict[bool, Tensor] = {}
    convolved = False

    def keep(module: nn.Module, args: Any, output: Any) -> None:
        nonlocal convolved
        convolved = convolved or type(module).__name__ == "Conv2d"
        if convolved and isinstance(output, Tensor) and output.dim() == 4:
            side = min(output.shape[2:])
            if side > 1:
                found[side >= SMALLEST] = output

    hooks = [module.register_forward_hook(keep) for module in model.modules()]
    try:
        outputs: Tensor = model(images)
    finally:
        for hook in hooks:
            hook.remove()
    if not found:
        wrong = "needs a network with convolutions, and this has none whose maps show places"
        raise SettingError("Grad-CAM", wrong, "use lenet or a network of chapter 7")
    return found[max(found)], outputs
