"""Open picture files safely: known formats only, measured before they are decoded.

What comes out is a tensor of bytes, upright, in grey or in colour, of the size asked for.
"""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from fathom.core.errors import DataError
from fathom.data.files import counted, named, reading

# Decoders outside this list have had more holes than users (FITS, PSD, GD, ...).
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
NOT_SAID = ("Thumbs.db", "desktop.ini")
MOST_PIXELS = 64_000_000  # 256 MB once decoded; more than a telephone's camera gives
GREY = frozenset({"1", "L", "LA", "I;16", "I;16B", "I;16L", "I"})

# Pillow warns of pictures that are refused here in words of our own: too large, or damaged.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, struct.error, IndexError, OverflowError)


@contextmanager
def open_picture(path: Path, *, thing: str = "") -> Iterator[Image.Image]:
    """The picture with its header read and nothing decoded; the first of an animation.

    `thing` is what errors call it, if not by its path. Raises DataError if it is no picture of a
    known format, or too large.
    """
    thing = thing or named(path)
    with reading(path):
        file = open(path, "rb")  # noqa: SIM115 - what goes wrong in it later is another fault
    with file:  # Pillow leaves files that it was given open
        yield _with_header(file, thing)


def _with_header(file: BinaryIO, thing: str) -> Image.Image:
    try:
        image = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        remedy = f"use {', '.join(FORMATS)}"
        raise DataError(thing, "is not a picture that can be read", remedy) from None
    except Image.DecompressionBombError:
        raise _too_large(thing, "") from None
    except _DAMAGE as error:
        raise DataError(thing, f"has a damaged header ({error})", "replace it") from None
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise _too_large(thing, f"{width} x {height}, ")
    if width * height == 0:
        raise DataError(thing, f"is {width} x {height} pixels", "replace it")
    return image


def _too_large(thing: str, size: str) -> DataError:
    wrong = f"is too large ({size}over {MOST_PIXELS:,} pixels)"
    return DataError(thing, wrong, "make it smaller")


def read_picture(
    path: Path, *, channels: int, size: tuple[int, int] | None = None, thing: str = ""
) -> Tensor:
    """uint8 (channels, H, W): 1 channel is grey, 3 are red, green, blue.

    Turned upright as its EXIF says. With `size` (H, W) scaled to cover that, and what stands over
    cut off at both sides alike. Raises DataError if it is cut short or damaged.
    """
    with open_picture(path, thing=thing) as image:
        try:
            if size is not None:
                # JPEG can be decoded at a fraction of its size; twice what is asked keeps it sharp.
                image.draft(None, (2 * size[1], 2 * size[0]))
            upright = ImageOps.exif_transpose(image)
            levels = _plain(upright, "L" if channels == 1 else "RGB")
            if size is not None and levels.size != (size[1], size[0]):
                levels = ImageOps.fit(levels, (size[1], size[0]), Image.Resampling.BILINEAR)
            array = np.array(levels)  # a copy: torch wants memory that it may write to
        except _DAMAGE as error:
            raise DataError(
                thing or named(path), f"is damaged or cut short ({error})", "replace it"
            ) from None
    return torch.from_numpy(array).view(levels.height, levels.width, channels).permute(2, 0, 1)


def _plain(image: Image.Image, mode: str) -> Image.Image:
    """Any of Pillow's modes as L or RGB: 16 bits to 8, what is transparent to white."""
    if image.mode.startswith("I"):
        wide = np.asarray(image).astype(np.int64)
        image = Image.fromarray((wide.clip(0, 65535) // 257).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("its pixels are floating-point numbers")
    elif image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        image = Image.alpha_composite(white, coloured)
    return image.convert(mode)


def is_grey(image: Image.Image) -> bool:
    """Whether a picture holds no colour, from its header."""
    return image.mode in GREY and "transparency" not in image.info


def picture_files(word: str | Path) -> list[Path]:
    """One file, or those in a folder and its folders, by name. Raises DataError if none."""
    path = Path(word).expanduser()
    if not path.is_dir():
        return [path]
    files = sorted(p for p in path.rglob("*") if is_picture_name(p) and p.is_file())
    if not files:
        raise DataError(named(path), "holds no pictures", f"use files in {', '.join(SUFFIXES)}")
    return files


def strange_files(folder: Path) -> list[Path]:
    """The files in a folder and its folders that are no pictures, by name; nothing hidden."""
    return sorted(
        path
        for path in folder.rglob("*")
        if is_strange(path)
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def is_picture_name(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def is_strange(path: Path) -> bool:
    """Whether a file is no picture, and not one of those that systems leave everywhere."""
    return not (is_picture_name(path) or path.name.startswith(".") or path.name in NOT_SAID)


def left_out(files: Sequence[Path], folder: Path) -> list[str]:
    """What is to be said of files in a folder that are no pictures; nothing, if there are none."""
    if not files:
        return []
    count, first = counted(files, folder, "file")
    kinds = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
    return [f"left out {count} of {named(folder)}: {first} is not {kinds}"]


def threads() -> ThreadPoolExecutor:
    """A pool for decoding: Pillow lets go of Python's lock while it decodes."""
    return ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1))
