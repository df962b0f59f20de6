"""A contest of built-in pictures, in the files that a contest has: made once, for use offline.

Its classes are every second one of `shapes`: a network that knows the others may be tuned to them.
"""

from __future__ import annotations

import csv
import os
import secrets
import shutil
from pathlib import Path

from fathom.core.paths import cache_dir
from fathom.data import shapes
from fathom.data.class_halves import half
from fathom.data.files import write_fault
from fathom.data.picture_set import PictureSet

LABELLED, UNLABELLED = 2_500, 400  # pictures that are made; half of them are of the classes here
SEED = 13


def made_contest(labelled: int = LABELLED, unlabelled: int = UNLABELLED) -> Path:
    """The folder of the contest, in the cache: train, test, labels.csv, sample_submission.csv.

    Half of the pictures that are made are of classes that it leaves out. Raises ResourceError
    where it cannot be written.
    """
    folder = cache_dir() / "contests" / f"shapes-{labelled}-{unlabelled}"
    if folder.is_dir():
        return folder
    everything = PictureSet(
        shapes.SOURCE.name,
        shapes.made(labelled, seed=SEED),
        shapes.made(unlabelled, seed=SEED, part="valid"),
        shapes.CLASSES,
    )
    temporary = folder.with_name(f"{folder.name}.tmp-{secrets.token_hex(4)}")
    try:
        _write(half(everything, 1), temporary)
        try:
            os.rename(temporary, folder)
        except OSError:
            if not folder.is_dir():  # else another process was first: its folder is as good
                raise
    except OSError as error:
        raise write_fault(folder, error, "set FATHOM_CACHE") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _write(pictures: PictureSet, folder: Path) -> None:
    from PIL import Image

    rows = []
    for part, split in (("train", pictures.train), ("test", pictures.valid)):
        (folder / part).mkdir(parents=True)
        for number, image in enumerate(split.images, 1):  # type: ignore[attr-defined]
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / part / f"{number}.png")
    for number, label in enumerate(pictures.train.labels.tolist(), 1):
        rows.append([str(number), pictures.classes[label]])
    with open(folder / "labels.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([["id", "label"], *rows])
