"""How a trained classifier of pictures is used: files and folders in, classes out.

Like every predictor it knows how to read an input and how to say an output, and no model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fathom.plots.pictures import picture_grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ReadPictures = Callable[[Sequence[str]], tuple[list[str], Tensor]]


class PictureClassifier:
    """Pictures to classes: `read` opens files and folders in the form that the model was given."""

    example = "PICTURE.png"

    def __init__(self, read: ReadPictures, classes: Sequence[str]) -> None:
        self._read, self.classes = read, list(classes)

    def read(self, words: Sequence[str]) -> tuple[list[str], Tensor]:
        """(N, C, H, W) in [0, 1], from files and folders of pictures."""
        names, pictures = self._read(words)
        return names, pictures.float() / 255

    def answers(self, outputs: Tensor) -> list[dict[str, Any]]:
        """From logits (N, classes): the class, its probability, and those of the next best."""
        probabilities = torch.softmax(outputs.float(), dim=-1).cpu()
        count = min(3, len(self.classes))
        top = probabilities.topk(count, dim=-1)
        return [
            {
                "class": self.classes[int(order[0])],
                "probability": float(values[0]),
                "best": {
                    self.classes[int(i)]: float(v) for i, v in zip(order, values, strict=True)
                },
            }
            for values, order in zip(top.values, top.indices, strict=True)
        ]

    def draw(
        self, names: Sequence[str], inputs: Tensor, answers: Sequence[dict[str, Any]]
    ) -> Figure:
        titles = [f"{answer['class']} {answer['probability']:.0%}" for answer in answers]
        pictures = (inputs.cpu() * 255).round().to(torch.uint8)
        return picture_grid(pictures, titles)
