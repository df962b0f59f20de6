"""Weights in files: written as safetensors, read with no chance to run code."""

from __future__ import annotations

import errno
import json
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fathom.core.errors import CheckpointError


def to_safetensors(model: nn.Module, known: Mapping[str, str] | None = None) -> bytes:
    """The model's `state_dict` as a safetensors file; a weight with two names is kept once.

    `known` are texts by name that go with it, as the file's metadata.
    """
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    seen: set[tuple[int, tuple[int, ...], tuple[int, ...]]] = set()
    for name, tensor in model.state_dict().items():
        place = (tensor.data_ptr(), tuple(tensor.shape), tuple(tensor.stride()))
        if tensor.numel() and place in seen:
            continue
        seen.add(place)
        tensors[name] = tensor.detach().cpu().contiguous().clone()
    return _in_order(save(tensors, metadata={"format": "pt", **(known or {})}))


def _in_order(file: bytes) -> bytes:
    """The same safetensors file with its metadata sorted, which `save` writes in any order."""
    size = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors lie at multiples of 8
    return len(text).to_bytes(8, "little") + text + file[8 + size :]


def load_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file. Raises CheckpointError for whatever is not a safetensors file."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except FileNotFoundError:
        raise CheckpointError(str(path), "is missing", "train first, or name another run") from None
    except (SafetensorError, ValueError, KeyError, OSError, RuntimeError, OverflowError) as error:
        wrong = f"is not a whole safetensors file ({_first_line(error)})"
        raise CheckpointError(str(path), wrong, "use another checkpoint") from None


def restore(model: nn.Module, tensors: dict[str, Tensor], thing: str) -> None:
    """Load weights into a model of the same names and shapes.

    Raises CheckpointError that names the first weights which are missing, left over or of
    another shape. A name that `to_safetensors` left out as a tie is filled by its twin.
    """
    own = model.state_dict(keep_vars=True)
    filled = {own[name].data_ptr() for name in tensors if name in own and own[name].numel()}
    faults = [
        f"{name} is {tuple(tensors[name].shape)} there and {tuple(own[name].shape)} here"
        for name in tensors
        if name in own and own[name].shape != tensors[name].shape
    ]
    faults += [f"{name} is not in this model" for name in tensors if name not in own]
    faults += [
        f"{name} is not in the file"
        for name in own
        if name not in tensors and own[name].data_ptr() not in filled
    ]
    if faults:
        told = ", ".join(faults[:5]) + (f" and {len(faults) - 5} more" if len(faults) > 5 else "")
        remedy = "use the arguments that it was trained with"
        raise CheckpointError(thing, f"does not fit the model: {told}", remedy)
    with torch.no_grad():
        for name, tensor in tensors.items():
            own[name].copy_(tensor)


def load_plain(path: Path) -> Any:
    """What `torch.save` wrote, if it is tensors and plain Python.

    Raises CheckpointError that names the code which a hostile file asks to run; none is run.
    """
    thing, remedy = str(path), "use another checkpoint"
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(thing, "is missing", remedy) from None
    except Exception as error:  # a hostile or torn pickle may raise anything at all
        names = _unsafe_names(path, str(error))
        if names:
            wrong = f"holds code ({', '.join(names[:3])}); not loaded"
            raise CheckpointError(thing, wrong, "use one from a source that you trust") from None
        reason = "not what torch.save writes"
        if isinstance(error, OSError) and error.errno == errno.EINVAL:
            reason = "it ends too soon"  # torch looked for something before its beginning
        elif not isinstance(error, pickle.UnpicklingError):
            reason = _first_line(error)
        raise CheckpointError(thing, f"cannot be read ({reason})", remedy) from None


def _unsafe_names(path: Path, told: str) -> list[str]:
    """What the file's pickle would import beyond tensors and plain Python.

    torch lists it for files as it writes them now; of older ones it tells the first only.
    """
    try:
        return list(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception:  # not a zip file
        return re.findall(r"GLOBAL (\S+) w", told)[:1]


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:120]
