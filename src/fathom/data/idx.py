"""The idx files of the MNIST family, gzipped or plain, as tensors.

Source   Y. LeCun, C. Cortes, C. Burges, "The MNIST database": two zero bytes, a byte for the type
         (8: unsigned bytes), a byte for the number of dimensions, each dimension in four bytes
         with the highest first, then the values.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from fathom.core.errors import DataError
from fathom.data.compressed import REMEDY, unpacked
from fathom.data.files import named

UNSIGNED_BYTE = 8


def read(path: Path, *, dimensions: int) -> Tensor:
    """The values as uint8: labels have 1 dimension (N,), pictures 3 (N, H, W).

    Raises DataError with the numbers if the header and the content disagree.
    """
    data = unpacked(path)
    expected = bytes([0, 0, UNSIGNED_BYTE, dimensions])
    if data[:4] != expected:
        wrong = f"begins with 0x{data[:4].hex()}, not idx's 0x{expected.hex()}"
        raise DataError(named(path), wrong, "name the right file")
    start = 4 + 4 * dimensions
    if len(data) < start:
        raise DataError(named(path), f"is {len(data)} bytes, its header alone {start}", REMEDY)
    shape = [int.from_bytes(data[i : i + 4]) for i in range(4, start, 4)]
    count = math.prod(shape)
    if count != len(data) - start:
        form = " x ".join(map(str, shape))
        wrong = f"says {form} = {count:,} values and holds {len(data) - start:,}"
        raise DataError(named(path), wrong, REMEDY)
    if count == 0:
        form = " x ".join(map(str, shape))
        raise DataError(named(path), f"holds nothing ({form})", REMEDY)
    # A writable copy: torch warns about memory that Python's bytes forbid to change.
    return torch.frombuffer(bytearray(data), dtype=torch.uint8, offset=start).view(shape)


def read_pair(images: Path, labels: Path) -> tuple[Tensor, Tensor]:
    """Pictures (N, 1, H, W) and labels (N,). Raises DataError if there is not one for each."""
    pictures, numbers = read(images, dimensions=3), read(labels, dimensions=1)
    if len(pictures) != len(numbers):
        wrong = f"has {len(numbers):,} labels, {images.name} {len(pictures):,} pictures"
        raise DataError(named(labels), wrong, "use files of the same set")
    return pictures[:, None], numbers
