"""Choices that were measured once on this machine, so that the same command gives the same numbers.

A second measurement could fall the other way on a busy day, and threads and precision change the
last digits. The file may be deleted: the next run measures anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fathom.core.devices import machine
from fathom.core.errors import ResourceError
from fathom.core.paths import cache_dir, write_whole
from fathom.engine.nested import leaves


def choices_file() -> Path:
    """Where the choices are kept: in the cache."""
    return cache_dir() / "choices.json"


def key_of(model: nn.Module, inputs: Any, device: torch.device, wanted: str) -> str:
    """What a choice depends on: machine, torch, the network, the batch, and what was asked."""
    shapes = [list(tensor.shape) for tensor in leaves(inputs)]
    facts = [torch.__version__, machine(), str(device), str(model), shapes, wanted]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def recall(path: Path, key: str) -> dict[str, Any] | None:
    """The choice under that key; None where there is none or the file is not as written."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))[key]
        return {
            "threads": int(found["threads"]),
            "precision": str(found["precision"]),
            "why": [str(line) for line in found["why"]],
            "when": str(found["when"]),
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(path: Path, key: str, choice: dict[str, Any]) -> None:
    """Keep a choice with today's date; a cache that cannot be written is no reason to stop."""
    kept: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        kept = dict(json.loads(path.read_text(encoding="utf-8")))
    kept[key] = {**choice, "when": time.strftime("%Y-%m-%d")}
    with contextlib.suppress(ResourceError):
        write_whole(path, json.dumps(kept, indent=1, sort_keys=True) + "\n")
