"""Pictures beside what in them speaks for a class: a map of heat laid over each, in grey."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import torch
from matplotlib.figure import Figure
from torch import Tensor

from fathom.plots.pictures import picture_grid

HEAT = "inferno"  # from black to yellow: lightness alone tells the order
STRENGTH = 0.75  # of the heat over the picture, where it is greatest
CELL, COLUMNS = 2.2, 3  # inches of a picture with its map, and how many in a row
GAP = 0.06  # of a picture's width, between it and its map


def evidence_sheet(
    pictures: Tensor, maps: Tensor, titles: Sequence[str], *, title: str = ""
) -> Figure:
    """uint8 pictures (N, C, H, W), each beside its map (N, h, w), which is never below 0.

    A map is drawn from nothing to its own greatest value; one of nothing at all stays grey.
    """
    N, _, H, W = pictures.shape
    colour = pictures.expand(N, 3, H, W).float() / 255
    weights = colour.new_tensor([0.299, 0.587, 0.114])[:, None, None]  # as eyes weigh colours
    grey = (colour * weights).sum(1, keepdim=True)
    fine = torch.nn.functional.interpolate(
        maps[:, None].float().cpu(), size=(H, W), mode="bilinear", align_corners=False
    )
    heat = fine / fine.amax((1, 2, 3), keepdim=True).clamp(min=torch.finfo(fine.dtype).tiny)
    table = torch.from_numpy(matplotlib.colormaps[HEAT](range(256))[:, :3]).float()
    hot = table[(heat[:, 0] * 255).round().long()].permute(0, 3, 1, 2)
    laid = grey * (1 - STRENGTH * heat.sqrt()) + hot * STRENGTH * heat.sqrt()
    white = torch.ones(N, 3, H, max(1, round(GAP * W)))
    pairs = (torch.cat([colour, white, laid], dim=3) * 255).round().clamp(0, 255).to(torch.uint8)
    return picture_grid(pairs, titles, columns=min(COLUMNS, N), title=title, cell=CELL)
