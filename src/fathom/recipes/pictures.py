"""What every picture classifier shows when it is trained: pictures with what it took them for."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from fathom.core.findings import Findings, Table
from fathom.data.images import PictureSet
from fathom.plots.pictures import picture_grid, weights_grid

SHOWN = 18
MEASURED = 2_000


def classified(pictures: PictureSet, *, templates: bool = False) -> Callable[[nn.Module], Findings]:
    """A report: held-out pictures with their classes, wrong ones marked, and the common mistakes.

    With `templates` also the first layer's weights as pictures.
    """

    def report(model: nn.Module) -> Findings:
        images = pictures.valid.images[:MEASURED]
        labels = pictures.valid.labels[:MEASURED]
        batches = pictures.valid.batches(256, shuffle=False)
        device = next(model.parameters()).device
        guesses = torch.cat(
            [
                model(inputs.to(device)).argmax(1).cpu()
                for number, (inputs, _) in enumerate(batches.epoch(0, 0))
                if number * 256 < MEASURED
            ]
        )[: len(labels)]
        wrong = guesses != labels
        shown = torch.cat([wrong.nonzero()[: SHOWN // 3, 0], torch.arange(SHOWN)])[:SHOWN].sort()
        chosen = shown.values[shown.values < len(labels)].unique()
        titles = [
            pictures.classes[g] if g == y else f"{pictures.classes[g]} (is {pictures.classes[y]})"
            for g, y in zip(guesses[chosen].tolist(), labels[chosen].tolist(), strict=True)
        ]
        figures = {"predictions": picture_grid(images[chosen], titles, wrong[chosen].tolist())}
        if templates:
            weight = next(p for p in model.parameters() if p.dim() == 2)
            shape = (len(weight), *images.shape[1:])
            if weight.shape[1] == images[0].numel():
                grid = weights_grid(weight.detach().cpu().reshape(shape), pictures.classes)
                figures["weights"] = grid
        return Findings(
            tables={"Most common mistakes": mistakes(guesses, labels, pictures.classes)},
            figures=figures,
        )

    return report


def mistakes(
    guesses: torch.Tensor, labels: torch.Tensor, classes: list[str], most: int = 3
) -> Table:
    """The pairs of classes that are most often taken for one another."""
    count = len(classes)
    pairs = torch.bincount(labels * count + guesses, minlength=count * count).reshape(count, count)
    pairs.fill_diagonal_(0)
    order = pairs.flatten().argsort(descending=True, stable=True)[:most].tolist()
    rows = [
        [classes[i // count], classes[i % count], int(pairs.flatten()[i])]
        for i in order
        if pairs.flatten()[i] > 0
    ]
    return Table(["is", "taken for", "times"], rows)
