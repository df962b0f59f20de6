"""A folder of one's own pictures, as strange as they come: trained on and used, or refused."""

from __future__ import annotations

import csv
import json
import re
import shutil
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from calling import UNMEASURED, call, done

CLASSES = ("[x] новый", "étoile", "猫")  # in their order; one looks like a console's markup
LENET = ("run", "lenet", "--activation", "relu", "--lr", 0.05, "--batch-size", 8, *UNMEASURED)


def write(path, level, shape=(20, 26, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(level).integers(0, 40, shape)
    Image.fromarray((noise + level).astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """Pictures that are light, dark and between, unevenly many, in every form there is."""
    folder = tmp_path_factory.mktemp("mine")
    for name, level, count in zip(CLASSES, (10, 110, 210), (40, 12, 14), strict=True):
        for number in range(count):
            write(folder / name / f"{number} ü.png", level + number % 5, (20, 20 + number % 7, 3))
    here = folder / CLASSES[0]
    dark = Image.open(here / "0 ü.png").convert("RGB")
    dark.convert("CMYK").save(here / "cmyk.jpg")
    dark.convert("RGBA").convert("LA").save(here / "grey with alpha.png")
    dark.quantize(8).save(here / "transparent.gif", transparency=200)
    dark.save(here / "moving.gif", save_all=True, append_images=[dark.rotate(180)])
    dark.save(here / "moving.webp", save_all=True, append_images=[dark.rotate(180)])
    dark.convert("1").save(here / "one bit.png")
    Image.fromarray(np.full((9, 9), 257 * 20, np.uint16)).save(here / "sixteen.png")
    Image.fromarray(np.full((9, 9), 257 * 20, np.uint16)).save(here / "sixteen.tif")
    dark.resize((1, 1)).save(here / "tiny.png")
    dark.resize((1, 900)).save(here / "thin.png")
    (here / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def trained(mine, tmp_path_factory):
    run = tmp_path_factory.mktemp("trained") / "run"
    return run, done(*LENET, "--data", mine, "--epochs", 12, "--balanced", "--out", run)


def test_it_learns_them_and_tells_what_it_takes_for_what(trained):
    run, said = trained
    facts = json.loads((run / "run.json").read_text())
    with open(run / "confusion.csv", newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert head[1:] == [row[0] for row in rows] == facts["classes"] == list(CLASSES)
    counts = np.array([[int(cell) for cell in row[1:]] for row in rows])
    assert counts.sum() == facts["data"]["valid"]["examples"]
    accuracy = counts.trace() / counts.sum()
    assert accuracy == pytest.approx(facts["final"]["valid"]["accuracy"])
    assert accuracy > 0.8
    assert {"confusion.png", "predictions.png"} <= {p.name for p in (run / "figures").iterdir()}
    assert "[x] новый" in said.out, "a name, and no markup"
    with open(run / "mistakes.csv", newline="", encoding="utf-8") as file:
        wrong = list(csv.DictReader(file))
    assert len(wrong) == counts.sum() - counts.trace()
    (note,) = (line for line in said.err.splitlines() if "note:" in line)
    assert "[x] новый/notes.txt is not .png" in note, "none of classes that are to count alike"


def test_uneven_classes_are_told_before_training_and_what_to_do(mine, tmp_path):
    said = done(*LENET, "--data", mine, "--epochs", 1, "--out", tmp_path / "run")
    lines = [line for line in said.err.splitlines() if "epoch" in line or "note:" in line]
    assert lines[1].startswith("note: there are 10 pictures of étoile to learn from, and 40 pictu")
    assert lines[1].endswith("--balanced has all classes count alike")


def test_measuring_again_says_the_same_and_keeps_it_where_it_is_asked(trained, tmp_path):
    run, _ = trained
    found = json.loads((run / "run.json").read_text())["findings"]
    assert done("eval", run, "--save", tmp_path / "kept", "--json").json["findings"] == found
    for name in ("confusion.csv", "mistakes.csv"):
        assert (tmp_path / "kept" / name).read_bytes() == (run / name).read_bytes()
    assert (tmp_path / "kept" / "figures" / "confusion.png").is_file()
    assert "Classes" in done("eval", run).out


def test_other_classes_are_refused_even_if_there_are_as_many(trained, mine, tmp_path):
    shutil.copytree(mine, tmp_path / "other")
    (tmp_path / "other" / "猫").rename(tmp_path / "other" / "狗")
    said = call("eval", trained[0], "--data", tmp_path / "other")
    assert said.status == 3
    assert "other: its classes are not those that were trained on (狗); give it" in said.error


def test_many_pictures_are_told_on_sheets_and_in_a_table(trained, mine, tmp_path):
    run, _ = trained
    rows = done("predict", run, mine, "--save", tmp_path / "sheet.png", "--json").json
    assert len(rows) == 76
    assert {p.name for p in tmp_path.glob("*.png")} == {"sheet.png", "sheet-2.png"}
    done("predict", run, mine, "--save", tmp_path / "all.csv")
    with open(tmp_path / "all.csv", newline="", encoding="utf-8") as file:
        head, *cells = csv.reader(file)
    assert head == ["input", "class", "probability", *CLASSES]
    for row, cell in zip(rows, cells, strict=True):
        assert cell[1] == row["class"]
        assert [float(value) for value in cell[3:]] == list(row["probabilities"].values())
        assert sum(map(float, cell[3:])) == pytest.approx(1, abs=1e-5)


def test_of_more_pictures_than_anyone_would_look_at_the_rest_is_counted(
    trained, mine, tmp_path, monkeypatch
):
    monkeypatch.setattr("fathom.cli.predict.MOST_SHEETS", 1)
    said = done("predict", trained[0], mine, "--save", tmp_path / "sheet.svg")
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.svg"]
    assert "not on a sheet: the last 16; a .csv holds them all" in said.out


def test_what_speaks_for_a_class_is_drawn_of_some_pictures(trained, mine, tmp_path):
    run, _ = trained
    some = sorted((mine / "猫").iterdir())[:3]
    done("predict", run, *some, "--show-evidence", "--save", tmp_path / "why.png")
    assert (tmp_path / "why.png").stat().st_size > 5000
    done("predict", run, some[0], "--show-evidence", "--save", tmp_path / "answers.csv")
    assert (tmp_path / "answers.csv").is_file()
    assert (run / "figures" / "evidence.png").is_file()
    said = call("predict", run, mine, "--show-evidence")
    assert said.status == 2
    assert "--show-evidence: draws up to 24 pictures, not 76; give it fewer" in said.error


def bomb(path):
    """A small file that claims to be 60,000 pixels square."""

    def chunk(kind, data):
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1 << 20))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def cut(path):
    write(path, 3)
    path.write_bytes(path.read_bytes()[:200])


FLOATS = Image.fromarray(np.full((9, 9), 0.5, np.float32))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda f: cut(f / "猫" / "x.png"), r"猫/x\.png \(class 猫\): is damaged or cut short"),
        (lambda f: bomb(f / "猫" / "x.png"), r"猫/x\.png \(class 猫\): is too large"),
        (
            lambda f: (f / "猫" / "x.jpg").write_text("<html>"),
            r"猫/x\.jpg \(class 猫\): is not a pi",
        ),
        (
            lambda f: (f / "猫" / "x.png").write_bytes(b""),
            r"猫/x\.png \(class 猫\): is not a picture",
        ),
        (lambda f: FLOATS.save(f / "猫" / "x.tif"), r"猫/x\.tif .*: is .*floating-point numbers"),
        (lambda f: (f / "猫" / "x.png").symlink_to("/gone.png"), r"猫/x\.png: does not exist"),
        (lambda f: (f / "空").mkdir(), "class 空 of .*: has no pictures"),
        (lambda f: shutil.rmtree(f / "étoile"), "has no class but 猫; make a folder of pictures"),
        (
            lambda f: [(f / "猫" / f"{n}.png").unlink() for n in "012"],
            "class 猫 of .*: has one pict",
        ),
    ],
)
def test_what_cannot_be_trained_on_is_named_in_one_line(tmp_path, spoil, told):
    folder = tmp_path / "mine"
    for name in ("étoile", "猫"):
        for number in range(4):
            write(folder / name / f"{number}.png", 5 * number)
    spoil(folder)
    said = call(*LENET, "--data", folder, "--epochs", 1, "--out", tmp_path / "run")
    assert said.status == 3
    assert re.search(told, said.error)
