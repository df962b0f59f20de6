"""Fingerprints of data: sha256 of contents, so that a resumed run notices other data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor

BYTES_AT_A_TIME = 1 << 24


def of_tensors(tensors: Iterable[Tensor]) -> str:
    """sha256 hex of dtypes, shapes and values; device and memory layout make no difference."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
        if tensor.numel() == 0:
            continue
        row_bytes = tensor[0].numel() * tensor.element_size() if tensor.dim() else 1
        step = max(1, BYTES_AT_A_TIME // row_bytes)
        for part in tensor.split(step) if tensor.dim() else [tensor[None]]:
            whole = part.detach().cpu().contiguous().reshape(-1)
            digest.update(whole.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def of_words(words: Iterable[object]) -> str:
    """sha256 hex of a sequence of words and numbers, each told apart from the next."""
    digest = hashlib.sha256()
    for word in words:
        text = str(word).encode("utf-8", "surrogateescape")
        digest.update(f"{len(text)}:".encode() + text)
    return digest.hexdigest()
