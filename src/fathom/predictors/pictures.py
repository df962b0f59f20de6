"""How a trained classifier of pictures is used: files and folders in, classes out.

Like every predictor it knows how to read an input and how to say an output; of a model it only
asks what in a picture spoke for its class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fathom.core.errors import SettingError
from fathom.data.pictures import left_out, picture_files, strange_files
from fathom.plots.evidence import evidence_sheet
from fathom.plots.pictures import LETTERS, picture_grid
from fathom.vision.grad_cam import grad_cam

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ReadPictures = Callable[[Sequence[str]], tuple[list[str], Tensor]]
PAGE, COLUMNS = 60, 10  # pictures on a contact sheet, and in a row of it
MOST_DRAWN = 24  # pictures with what speaks for their class


class PictureClassifier:
    """Pictures to classes: `read` opens files and folders in the form that the model was given."""

    example = "PICTURE.png"
    options = ("show_evidence",)

    def __init__(self, read: ReadPictures, classes: Sequence[str]) -> None:
        self._read, self.classes = read, list(classes)

    def read(self, words: Sequence[str]) -> tuple[list[str], Tensor]:
        """(N, C, H, W) in [0, 1], from files and folders of pictures."""
        names, pictures = self._read(words)
        return names, pictures.float() / 255

    def notes(self, words: Sequence[str]) -> list[str]:
        """What of the folders among the words is left out."""
        folders = [path for word in words if (path := Path(word).expanduser()).is_dir()]
        return [note for path in folders for note in left_out(strange_files(path), path)]

    def pages(self, words: Sequence[str]) -> Iterator[tuple[list[str], Tensor]]:
        """The same, as many at a time as go on a sheet: a folder may hold more than fits."""
        files = [str(file) for word in words for file in picture_files(word)]
        for first in range(0, len(files), PAGE):
            yield self.read(files[first : first + PAGE])

    def answers(self, outputs: Tensor) -> list[dict[str, Any]]:
        """From logits (N, classes): the class, its probability, and those of all classes."""
        probabilities = torch.softmax(outputs.float(), dim=-1).cpu()
        return [
            {
                "class": self.classes[max(range(len(row)), key=row.__getitem__)],
                "probability": max(row),
                "probabilities": dict(zip(self.classes, row, strict=True)),
            }
            for row in probabilities.tolist()
        ]

    def draw(
        self, names: Sequence[str], inputs: Tensor, answers: Sequence[dict[str, Any]]
    ) -> Figure:
        """A contact sheet: each picture as the model saw it, its class and its file."""
        return picture_grid(_bytes(inputs), _titles(names, answers), columns=COLUMNS)

    def evidence(self, model: nn.Module, words: Sequence[str]) -> dict[str, Figure]:
        """Each picture beside the places in it that speak for the class it was given.

        Raises SettingError for more pictures than anyone would look at, and for a model without
        convolutions.
        """
        count = sum(len(picture_files(word)) for word in words)
        if count > MOST_DRAWN:
            wrong = f"draws up to {MOST_DRAWN} pictures, not {count:,}"
            raise SettingError("--show-evidence", wrong, "give it fewer")
        names, inputs = self.read(words)
        images = inputs.to(next(model.parameters()).device)
        outputs = model(images)
        maps = grad_cam(model, images, outputs.argmax(1))
        titles = _titles(names, self.answers(outputs))
        title = "bright: what speaks for the class"
        return {"evidence": evidence_sheet(_bytes(inputs), maps.cpu(), titles, title=title)}


def _bytes(inputs: Tensor) -> Tensor:
    return (inputs.cpu() * 255).round().to(torch.uint8)


def _titles(names: Sequence[str], answers: Sequence[dict[str, Any]]) -> list[str]:
    """The class and how sure it is, and the name of the file, as much as there is room for."""
    files = [Path(name).name for name in names]
    short = [file if len(file) <= LETTERS else f"…{file[1 - LETTERS :]}" for file in files]
    return [
        f"{answer['class']} {answer['probability']:.0%}\n{file}"
        for answer, file in zip(answers, short, strict=True)
    ]
