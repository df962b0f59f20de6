"""Sets of pictures to classify, held in memory as bytes, and batches of them.

Shapes   N pictures, C channels (1 grey, 3 colour), H by W pixels; uint8 until they are in a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from fathom.core.errors import DataError
from fathom.core.experiment import Batches
from fathom.core.kept import keep_facts, known_as
from fathom.core.order import permutation
from fathom.data import fingerprints
from fathom.data.batches import TensorBatches
from fathom.data.labels import check_labels
from fathom.data.pictures import picture_files, read_picture
from fathom.data.treatment import PLAIN, Treatment
from fathom.vision.resize import resize

Form = tuple[int, int, int]
KEPT = "pictures.json"
STAND_IN = 64  # pictures, at most


class Split(Protocol):
    """Pictures with labels: held in memory (`Pictures`), or read as they are needed."""

    @property
    def labels(self) -> Tensor: ...

    @property
    def split(self) -> str: ...

    @property
    def names(self) -> Sequence[str]:
        """The file of each picture; empty where they are from none of their own."""
        ...

    def __len__(self) -> int: ...

    @property
    def held(self) -> Form:
        """(C, H, W) of a picture as it is kept."""
        ...

    @property
    def form(self) -> Form:
        """(C, H, W) of a picture as a model is given it."""
        ...

    def resized(self, size: int) -> Split: ...

    def chosen(self, indices: Tensor) -> Split:
        """Only those pictures, in that order."""
        ...

    def batches(
        self,
        batch_size: int,
        *,
        shuffle: bool = True,
        drop_last: bool = False,
        treatment: Treatment = PLAIN,
    ) -> Batches: ...

    def fingerprint(self) -> str: ...


class Pictures:
    """Pictures held in memory: `images` uint8 (N, C, H, W), `labels` int64 (N,).

    Raises DataError, with the row, for a label that is none of `classes`. With `size` larger than
    what is held, batches are enlarged as they are made: memory holds the small ones. `names` are
    the files that they came from, if each has one of its own.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        classes: int,
        *,
        split: str = "train",
        size: int | None = None,
        names: Sequence[str] = (),
    ) -> None:
        if len(images) != len(labels):
            wrong = f"{len(images)} pictures and {len(labels)} labels"
            raise DataError(split, wrong, "give each picture one label")
        self.labels = check_labels(labels, classes, split=split, every_class=split == "train")
        self.images, self.classes, self.split, self.size = images, classes, split, size
        self.names = names

    def __len__(self) -> int:
        return len(self.images)

    @property
    def held(self) -> Form:
        """(C, H, W) of a picture as it is kept."""
        C, H, W = self.images.shape[1:]
        return C, H, W

    @property
    def form(self) -> Form:
        """(C, H, W) of a picture as a model is given it."""
        return self.held if self.size is None else (self.held[0], self.size, self.size)

    def resized(self, size: int) -> Pictures:
        """The same, `size` by `size` pixels: smaller at once, larger when batches are made."""
        H, W = self.images.shape[2:]
        if (size, size) == (H, W):
            return self
        larger = size * size > H * W
        return Pictures(
            self.images if larger else resize(self.images, size),
            self.labels,
            self.classes,
            split=self.split,
            size=size if larger else None,
            names=self.names,
        )

    def chosen(self, indices: Tensor) -> Pictures:
        """Only those pictures, in that order."""
        return Pictures(
            self.images[indices],
            self.labels[indices],
            self.classes,
            split=self.split,
            size=self.size,
            names=[self.names[i] for i in indices.tolist()] if self.names else (),
        )

    def batches(
        self,
        batch_size: int,
        *,
        shuffle: bool = True,
        drop_last: bool = False,
        treatment: Treatment = PLAIN,
    ) -> TensorBatches:
        """Batches of (B, C, H, W) in [0, 1] and labels (B,)."""
        return TensorBatches(
            self.images,
            self.labels,
            batch_size=batch_size,
            shuffle=shuffle,
            drop_last=drop_last,
            treatment=replace(treatment, size=self.size),
            split=self.split,
        )

    def fingerprint(self) -> str:
        return fingerprints.of_tensors([self.images, self.labels])


@dataclass(frozen=True)
class PictureSet:
    """Pictures to train on, pictures held out, and the names of the classes by number.

    `notes` are what is to be said of them. None of those `elsewhere` was trained on: they are
    pictures that a trained model is measured on.
    """

    name: str
    train: Split
    valid: Split
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    elsewhere: bool = False

    @property
    def form(self) -> Form:
        """(C, H, W) of what a model is given."""
        return self.train.form

    def resized(self, size: int) -> PictureSet:
        return replace(self, train=self.train.resized(size), valid=self.valid.resized(size))

    def few(self, count: int, seed: int) -> PictureSet:
        """With only so many to train on, drawn by `seed`; as many as there are, if that is less."""
        return replace(self, train=self.train.chosen(permutation(len(self.train), seed, 0)[:count]))

    def read(self, paths: Sequence[str]) -> tuple[list[str], Tensor]:
        """Names and uint8 (N, C, H, W) of picture files, or of all in a folder, as the model saw
        its own: of the same channels, first made as small as those, then enlarged like them."""
        return read_pictures(paths, self.train.held, self.form)

    def fingerprint(self) -> str:
        parts = (self.train.fingerprint(), self.valid.fingerprint(), *self.classes)
        return fingerprints.of_words(parts)


@dataclass(frozen=True)
class PictureKind:
    """What a model has to know of its pictures: their classes, and the form that they are kept in
    and given to it in."""

    classes: tuple[str, ...]
    held: Form
    form: Form

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> PictureKind:
        held, form = ((int(C), int(H), int(W)) for C, H, W in (facts["held"], facts["form"]))
        if min(*held, *form) < 1:
            raise ValueError("no picture has such a form")
        return cls(tuple(map(str, facts["classes"])), held, form)

    def stand_in(self, name: str) -> PictureSet:
        """A noisy picture of each class, or of the first ones: of this kind, and no more."""
        labels = torch.arange(min(len(self.classes), STAND_IN))
        chance = torch.Generator().manual_seed(0)
        noise = torch.randint(256, (len(labels), *self.held), dtype=torch.uint8, generator=chance)
        pictures = Pictures(
            noise,
            labels,
            len(self.classes),
            split="stand-in",
            size=None if self.form == self.held else self.form[1],
        )
        return PictureSet(name, pictures, pictures, self.classes, elsewhere=True)


def known_kind() -> PictureKind | None:
    """The kind that a trained model knows, in whose form and classes pictures are to be read."""
    return known_as(KEPT, PictureKind.of)


def keep_kind(pictures: PictureSet) -> None:
    """Leave the kind of what is trained on for its run."""
    held, form = pictures.train.held, pictures.form
    facts = {"classes": pictures.classes, "held": held, "form": form}
    keep_facts(KEPT, lambda: facts)


def read_pictures(paths: Sequence[str], held: Form, form: Form) -> tuple[list[str], Tensor]:
    """Picture files, and all of a folder, in `held` form and then in `form`: uint8 (N, C, H, W)."""
    files = [file for path in paths for file in picture_files(path)]
    if not files:
        raise DataError("pictures", "none are named", "name a picture file or a folder of them")
    C, H, W = held
    images = torch.stack([read_picture(file, channels=C, size=(H, W)) for file in files])
    return [str(file) for file in files], resize(images, form[1:])
