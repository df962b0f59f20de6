"""Weights in files (book 5.5): what is kept how, and what is refused and why."""

from __future__ import annotations

import json
import os
import pickle
import struct
import textwrap
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from safetensors import safe_open
from torch import Tensor, nn

from fathom.core.errors import CheckpointError
from fathom.core.findings import Findings, Table
from fathom.core.recipe import recipe
from fathom.engine.weights import load_plain, load_safetensors, restore, to_safetensors
from fathom.models.mlp import mlp
from fathom.plots.cells import Cells, side_by_side


@recipe(
    section="5.5",
    title="File I/O",
    zh="读写文件",
    minutes=0.1,
    book="the clone of an MLP computes the same from the weights in a file",
    ours="the same, to the last bit",
)
def saving() -> Findings:
    """Keep tensors and weights in files, and open no file that could run something.

    Weights are kept as safetensors: a length, a table of contents in JSON, and the numbers. What
    `torch.save` writes is a pickle, and a pickle may name any function to be called when it is
    read: so it is read with `weights_only`, which knows tensors and plain Python and refuses the
    rest. One file of the study would make a folder; it is shown that it does not.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        model, x = mlp(20, [256], 10), torch.rand(2, 1, 4, 5)
        path = folder / "mlp.safetensors"
        path.write_bytes(to_safetensors(model))
        clone = mlp(20, [256], 10)
        restore(clone, load_safetensors(path), path.name)
        kept = _kept(folder, model)
        refused = {what: _refusal(opening) for what, opening in _openings(folder, model).items()}
        return Findings(
            tables={
                "Kept": Table(["what", "as", "bytes", "comes back equal"], kept),
                "Refused": Table(
                    ["file", "what is said of it"],
                    [
                        [what, said.replace(f"{folder}{os.sep}", "")]
                        for what, said in refused.items()
                    ],
                ),
            },
            figures={"safetensors": _layout_picture(path)},
            claims={
                "what was kept comes back equal": all(row[-1] == "yes" for row in kept),
                "a clone with the weights of the file gives the same outputs": torch.equal(
                    clone(x), model(x)
                ),
                "each tensor lies where the table of contents says": _lies_where_said(path, model),
                "one tensor can be read without the others": _read_alone(path, model),
                "all of these are refused": all(refused.values()),
                "no code of the hostile file has run": not (folder / "made by a pickle").exists(),
                "read by pickle itself, it does run": _runs_in_pickle(folder),
                "a bit that flipped is not noticed: hence the sums in our checkpoints": (
                    _flip_goes_unnoticed(path, model)
                ),
            },
        )


def _kept(folder: Path, model: nn.Module) -> list[list[Any]]:
    """Things of the book and the model, written and read again: what, how, bytes, equal."""
    x, y = torch.arange(4), torch.zeros(4)
    things: dict[str, Any] = {"a tensor": x, "a list": [x, y], "a dict": {"x": x, "y": y}}
    rows: list[list[Any]] = []
    for what, thing in things.items():
        path = folder / "thing.pt"
        torch.save(thing, path)
        rows.append(
            [what, "torch.save", path.stat().st_size, _word(_equal(load_plain(path), thing))]
        )
    state = model.state_dict()
    torch.save(state, folder / "mlp.pt")
    back = {"mlp.pt": load_plain(folder / "mlp.pt")}
    back["mlp.safetensors"] = load_safetensors(folder / "mlp.safetensors")
    for file, how in {"mlp.pt": "torch.save", "mlp.safetensors": "safetensors"}.items():
        size = (folder / file).stat().st_size
        rows.append(["an MLP's weights", how, size, _word(_equal(back[file], state))])
    tied = _tied_network()
    (folder / "tied.safetensors").write_bytes(to_safetensors(tied))
    again = _tied_network()
    restore(again, load_safetensors(folder / "tied.safetensors"), "tied.safetensors")
    equal = _equal(dict(again.state_dict()), dict(tied.state_dict()))
    size = (folder / "tied.safetensors").stat().st_size
    return [*rows, ["two layers that share weights", "safetensors", size, _word(equal)]]


def _tied_network() -> nn.Sequential:
    layer = nn.Linear(32, 32)
    return nn.Sequential(layer, nn.ReLU(), layer)


def _word(holds: bool) -> str:
    return "yes" if holds else "no"


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[k], other[k]) for k in one)
    return len(one) == len(other) and all(map(_equal, one, other))


class Hostile:
    """Pickled, it asks whoever reads it to call a function. This one makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def _openings(folder: Path, model: nn.Module) -> dict[str, Callable[[], Any]]:
    """Files that something is wrong with, each with the call that opens it."""
    whole = (folder / "mlp.safetensors").read_bytes()
    pickled = (folder / "mlp.pt").read_bytes()
    torch.save({"weight": Hostile(folder / "made by a pickle")}, folder / "hostile.pt")
    torch.save(model, folder / "whole-model.pt")
    torch.save({"mean": np.ones(3)}, folder / "arrays.pt")
    (folder / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    (folder / "half.pt").write_bytes(pickled[: len(pickled) // 2])
    (folder / "huge.safetensors").write_bytes(struct.pack("<Q", 2**60) + whole[8:])

    def other_shape() -> None:
        restore(mlp(20, [128], 10), load_safetensors(folder / "mlp.safetensors"), "mlp.safetensors")

    def other_names() -> None:
        restore(_tied_network(), load_safetensors(folder / "mlp.safetensors"), "mlp.safetensors")

    return {
        "a pickle that makes a folder": lambda: load_plain(folder / "hostile.pt"),
        "a whole model, pickled": lambda: load_plain(folder / "whole-model.pt"),
        "NumPy arrays, pickled": lambda: load_plain(folder / "arrays.pt"),
        "half a file of torch.save": lambda: load_plain(folder / "half.pt"),
        "half a safetensors file": lambda: load_safetensors(folder / "half.safetensors"),
        "a header of 2^60 bytes": lambda: load_safetensors(folder / "huge.safetensors"),
        "weights of a wider layer": other_shape,
        "weights of another network": other_names,
    }


def _refusal(opening: Callable[[], Any]) -> str:
    """What is said when it is opened; nothing if it is not refused."""
    try:
        opening()
    except CheckpointError as error:
        return textwrap.shorten(error.wrong, 100, placeholder=" …")
    return ""


def _runs_in_pickle(folder: Path) -> bool:
    """A hostile pickle of our own, harmless: opened carelessly, it makes its folder."""
    place = folder / "made carelessly"
    pickle.loads(pickle.dumps(Hostile(place)))
    return place.is_dir()


def _contents(data: bytes) -> tuple[int, dict[str, Any]]:
    """Where the numbers begin, and the table of contents: name, type, shape, from, to."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    return 8 + length, header


def _lies_where_said(path: Path, model: nn.Module) -> bool:
    """The file read with nothing but Python and NumPy."""
    data = path.read_bytes()
    start, header = _contents(data)
    found = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        numbers = np.frombuffer(data[start + first : start + last], dtype="<f4")
        found[name] = torch.from_numpy(numbers.reshape(entry["shape"]).copy())
    return _equal(found, {name: state for name, state in sorted(model.state_dict().items())})


def _read_alone(path: Path, model: nn.Module) -> bool:
    name, weight = next(iter(model.state_dict().items()))
    with safe_open(path, framework="pt") as file:
        rows = file.get_slice(name)[3:5]
    return torch.equal(rows, weight[3:5])


def _flip_goes_unnoticed(path: Path, model: nn.Module) -> bool:
    data = bytearray(path.read_bytes())
    data[-2] ^= 0x40
    flipped = path.with_name("flipped.safetensors")
    flipped.write_bytes(data)
    return not _equal(load_safetensors(flipped), dict(model.state_dict()))


def _layout_picture(path: Path) -> Figure:
    """The file from its first byte to its last."""
    data = path.read_bytes()
    start, header = _contents(data)
    rows = [
        ["0 to 8", f"the number {start - 8}: length of what follows"],
        [f"8 to {start:,}", 'contents: {"name": {"dtype": "F32", "shape": […], "data_offsets": …'],
    ]
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        first, last = (start + offset for offset in entry["data_offsets"])
        rows.append(
            [f"{first:,} to {last:,}", f"{name}  {tuple(entry['shape'])}, {entry['dtype']}"]
        )
    marked = frozenset((row, 1) for row in range(2))
    cells = [
        Cells("bytes", [row[:1] for row in rows]),
        Cells("what they are", [row[1:] for row in rows], frozenset((r, 0) for r, _ in marked)),
    ]
    return side_by_side([cells], title=f"{path.name}: {len(data):,} bytes")
