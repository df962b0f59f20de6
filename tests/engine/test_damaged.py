"""Checkpoints that are torn, flipped, hostile or nonsense: T7 to T10 of the scorecard."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from driving import digest, go_on, start, steps
from forked import run

from fathom.core.errors import CheckpointError
from fathom.engine.manifest import committed_folder, read_manifest, verify
from fathom.engine.weights import load_plain, load_safetensors

FILES = ("model.safetensors", "trainer.pt", "manifest.json")
LENGTHS = {"0 %": 0.0, "1 %": 0.01, "10 %": 0.1, "50 %": 0.5, "99 %": 0.99, "-1 byte": 1.0}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run with checkpoints of steps 5 and 15 only, to be copied."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    assert run(start, folder).status == 0
    keep_only(folder, 22, 24)
    return folder


def keep_only(folder: Path, *wanted: int) -> None:
    for step, path in steps(folder).items():
        if step not in wanted:
            shutil.rmtree(path)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("length", LENGTHS)
def test_t07_a_truncated_file(quick, stopped, undisturbed, name, length):
    folder = quick / "run"
    shutil.copytree(stopped, folder)
    path = steps(folder)[24] / name
    whole = path.read_bytes()
    path.write_bytes(whole[: min(int(len(whole) * LENGTHS[length]), len(whole) - 1)])
    outcome = run(go_on, folder)
    assert outcome.status == 0, outcome.output
    assert f"error: {path}: " in outcome.output
    assert "set aside as step-00000024.bad" in outcome.output
    assert "going on from step 22: 2 steps are lost" in outcome.output
    assert (folder / "checkpoints" / "step-00000024.bad" / "manifest.json").exists()
    assert digest(folder) == undisturbed[0]


def test_t07_all_are_truncated(quick, stopped):
    folder = quick / "run"
    shutil.copytree(stopped, folder)
    papers = (folder / "run.json").read_bytes()
    for path in steps(folder).values():
        os.truncate(path / "trainer.pt", 100)
    for _ in range(2):  # it stays so: nothing starts again from nothing in silence
        outcome = run(go_on, folder)
        assert outcome.status == 4
        assert "no checkpoint is usable" in outcome.error
        assert "step-000000" in outcome.error
    assert len(list((folder / "checkpoints").glob("*.bad"))) == 2
    assert (folder / "run.json").read_bytes() == papers


def test_t08_four_hundred_flipped_bits(stopped):
    folder = steps(stopped)[24]
    chance = random.Random(8)
    verify(folder)
    noticed = 0
    for number in range(400):
        path = folder / FILES[number % 3]
        whole = path.read_bytes()
        place = chance.randrange(len(whole))
        flipped = bytearray(whole)
        flipped[place] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        with pytest.raises(CheckpointError) as error:
            verify(folder)
        noticed += error.value.thing == str(path)
        path.write_bytes(whole)
    assert noticed == 400
    verify(folder)


class Hostile:
    """Unpickled, it runs a command."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


class Unknown:
    """A class of the user's own."""


def replaced(stopped: Path, folder: Path, write: Any) -> Path:
    """A run whose newest checkpoint has another `trainer.pt` under a manifest that is right."""
    shutil.copytree(stopped, folder)
    newest = steps(folder)[24]
    weights = (newest / "model.safetensors").read_bytes()
    shutil.rmtree(newest)
    with committed_folder(newest, {"step": 24}) as writer:
        with writer.file("model.safetensors") as file:
            file.write(weights)
        with writer.file("trainer.pt") as file:
            write(file)
    return newest


@pytest.mark.parametrize("packing", ["zip", "legacy", "bare pickle"])
@pytest.mark.parametrize("kind", ["command", "class", "numpy"])
def test_t09_code_in_a_checkpoint(quick, stopped, kind, packing):
    marker = quick / "marker"
    thing = {"command": Hostile(marker), "class": Unknown(), "numpy": numpy.float64(1.5)}[kind]
    name = {"command": f"{os.name}.system", "class": "test_damaged.Unknown", "numpy": "scalar"}[
        kind
    ]

    def write(file: Any) -> None:
        if packing == "bare pickle":
            file.write(pickle.dumps({"optimizer": thing}, protocol=2))
        else:
            zipped = packing == "zip"
            torch.save({"optimizer": thing}, file, _use_new_zipfile_serialization=zipped)

    newest = replaced(stopped, quick / "run", write)
    papers = (quick / "run" / "run.json").read_bytes()
    outcome = run(go_on, quick / "run")
    assert not marker.exists()
    assert outcome.status == 4, outcome.output
    assert str(newest / "trainer.pt") in outcome.error
    assert "holds code (" in outcome.error
    assert name in outcome.error
    assert "not loaded" in outcome.error
    assert (quick / "run" / "run.json").read_bytes() == papers


@pytest.mark.parametrize(
    "state",
    [
        None,
        [],
        {},
        {"optimizer": 3},
        {"fits": {"kind": "AdamW", "shapes": []}},
        {"fits": 7, "optimizer": {"state": [], "param_groups": {}}},
    ],
)
def test_t09_plain_values_that_are_no_state(quick, stopped, state):
    replaced(stopped, quick / "run", lambda file: torch.save(state, file))
    outcome = run(go_on, quick / "run")
    assert outcome.status == 4, outcome.output
    assert "step-00000024" in outcome.error


def safetensors(header: bytes, length: int | None = None, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def entry(**changes: Any) -> bytes:
    return json.dumps(
        {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} | changes}
    ).encode()


def strange_safetensors() -> list[bytes]:
    return [
        b"",
        safetensors(b"{}", 2**60),
        safetensors(b"{}", 2**64 - 1),
        safetensors(entry(shape=[2**40]), data=b"0000"),
        safetensors(entry(shape=[2**40], data_offsets=[0, 2**42]), data=b"0000"),
        safetensors(entry(shape=[2**32, 2**32]), data=b"0000"),
        safetensors(entry(shape=[-1]), data=b"0000"),
        safetensors(entry(shape="none"), data=b"0000"),
        safetensors(entry(dtype="F99"), data=b"0000"),
        safetensors(entry(dtype="F8_E8M0", data_offsets=[0, 1]), data=b"0"),
        safetensors(entry(dtype="F4", shape=[2], data_offsets=[0, 1]), data=b"0"),
        safetensors(entry(data_offsets=[4, 0]), data=b"0000"),
        safetensors(entry(data_offsets=[0, 2**63]), data=b"0000"),
        safetensors(b"[" * 100_000),
        safetensors(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
        safetensors(b"null"),
        safetensors(b'{"__metadata__": {"a": 1}}'),
        safetensors(b"\xff\xfe{}"),
    ]


def strange_manifests() -> list[bytes]:
    def canonical(body: Any) -> bytes:
        from fathom.engine.manifest import _canonical

        return _canonical(body)

    def listing(name: str, **changes: Any) -> bytes:
        values = {"sha256": "0" * 64, "size": 3} | changes
        return canonical({"facts": {}, "files": {name: values}})

    return [
        b"",
        b"null",
        b"[]",
        b'{"body": 3}',
        b"[" * 200_000,
        b'{"body":' * 50_000,
        b'{"body": {"files": {"a": {"size": 1e999, "sha256": "x"}}}}',
        b"1" * 10_000,
        b"\x00" * 100,
        b" " * (2 << 20),
        canonical({}),
        canonical({"facts": {}, "files": {}}),
        canonical({"facts": 3, "files": {"a": {"size": 1, "sha256": "x"}}}),
        canonical({"files": {"a": {"size": 1, "sha256": "x"}}}),
        canonical({"facts": {}, "files": ["a"]}),
        listing("a", size=float("inf")),
        listing("a", size="3"),
        listing("a", size=2**80),
        listing("a", sha256=None),
        *(listing(name) for name in ("", ".", "..", "/etc/passwd", "../x", "a\0b", "n" * 300)),
        *(listing(name) for name in ("\ud800", "missing", "folder")),
    ]


def mutations(whole: bytes, count: int, chance: random.Random) -> list[bytes]:
    """Bytes changed, cut out, doubled, and blocks of noise."""
    found = []
    for _ in range(count):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            start_ = chance.randrange(max(len(data), 1))
            length = chance.randint(1, 16)
            match chance.randrange(4):
                case 0:
                    data[start_ : start_ + length] = chance.randbytes(length)
                case 1:
                    del data[start_ : start_ + length]
                case 2:
                    data[start_:start_] = data[start_ : start_ + length]
                case _:
                    data = bytearray(chance.randbytes(chance.randint(0, 200)))
        found.append(bytes(data))
    return found


def read_all(folder: Path, whole: Path) -> dict[str, Any]:
    """How each strange file is answered, and how much the process grew."""
    chance = random.Random(10)
    found: dict[str, Any] = {"refused": 0, "read": 0, "longest": 0, "other": []}
    (folder / "folder").mkdir(parents=True)
    weights, papers, state = (
        (whole / name).read_bytes() for name in FILES[:1] + FILES[2:] + FILES[1:2]
    )
    cases = [
        (
            "model.safetensors",
            load_safetensors,
            strange_safetensors() + mutations(weights, 100, chance),
        ),
        ("manifest.json", lambda path: verify(path.parent), strange_manifests()),
        ("manifest.json", lambda path: verify(path.parent), mutations(papers, 50, chance)),
        ("trainer.pt", load_plain, mutations(state, 50, chance)),
    ]
    before = resident()
    for name, read, contents in cases:
        for content in contents:
            path = folder / name
            path.write_bytes(content)
            try:
                read(path)
            except CheckpointError as error:
                found["refused"] += 1
                found["longest"] = max(found["longest"], len(str(error).splitlines()))
            except BaseException as error:
                found["other"].append((name, content[:80], repr(error)))
            else:
                found["read"] += 1
                assert name != "manifest.json", content
    return found | {"grown": resident() - before}


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_t10_strange_files(quick, stopped):
    outcome = run(read_all, quick / "strange", steps(stopped)[24])
    assert outcome.status == 0, outcome.output
    found = outcome.result
    assert not found["other"]
    assert found["refused"] > 180
    assert found["longest"] == 1
    assert found["grown"] < 50e6


def test_a_manifest_is_read_back(tmp_path):
    with (
        committed_folder(tmp_path / "one", {"step": 3}) as writer,
        writer.file("a.bin") as file,
    ):
        file.write(b"123")
    assert verify(tmp_path / "one") == {"step": 3}
    assert read_manifest(tmp_path / "one")["files"]["a.bin"]["size"] == 3
    (tmp_path / "one" / "a.bin").write_bytes(b"124")
    with pytest.raises(CheckpointError, match="sha256"):
        verify(tmp_path / "one")
