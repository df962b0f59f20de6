"""A contest's files: what is read of them, what is refused, and the answers in its own form."""

from __future__ import annotations

import csv
import io
import os
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from fathom.core.errors import DataError, FathomError, SettingError
from fathom.data.contest import link_folders, read_contest
from fathom.data.images import load_pictures
from fathom.data.made_contest import made_contest

ROWS = [(str(number), ("cat", "dog", "eel")[number % 3]) for number in range(1, 13)]
TESTS = ("2", "10", "1", "b")


def picture(path: Path, colour: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 5), (colour, 0, 255 - colour)).save(path)


def labels(folder: Path, rows, head="id,label", name="trainLabels.csv") -> None:
    text = "\n".join([head, *(",".join(row) for row in rows)]) + "\n"
    (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Twelve pictures of three classes, whose red is their id; four to be classified."""
    where = tmp_path / "contest"
    for identity, _ in ROWS:
        picture(where / "train" / f"{identity}.png", int(identity))
    for number, identity in enumerate(TESTS):
        picture(where / "test" / f"{identity}.png", 100 + number)
    labels(where, ROWS)
    return where


def test_each_picture_has_the_class_of_its_own_row(folder):
    contest = read_contest(folder)
    assert contest.classes == ("cat", "dog", "eel")
    held = contest.held_out(0.25, 0)
    pictures, test = contest.pictures(held)
    seen = set()
    for split in (pictures.train, pictures.valid):
        for image, label in zip(split.images, split.labels.tolist(), strict=True):
            identity = int(image[0, 0, 0])
            assert pictures.classes[label] == dict(ROWS)[str(identity)]
            seen.add(identity)
    assert seen == set(range(1, 13)), "each is in one split, and none in both"
    assert torch.bincount(pictures.valid.labels).tolist() == [1, 1, 1], "stratified"
    assert [int(image[0, 0, 0]) for image in test.images] == [102, 100, 101, 103]


def test_retraining_sees_all(folder):
    contest = read_contest(folder)
    held = contest.held_out(0.25, 0)
    everything, _ = contest.pictures(held, retrain=True)
    assert len(everything.train) == 12
    assert len(everything.valid) == 3


def test_the_first_rows_alone(folder):
    labels(folder, [*ROWS, ("77", "cat")])  # as in a part of a contest: labels of all pictures
    assert len(read_contest(folder, first=6).train) == 6
    with pytest.raises(DataError, match=r"line 14: 77 is labelled.*or say --first 12"):
        read_contest(folder)
    with pytest.raises(SettingError, match="--first 14: is more than the 13 rows"):
        read_contest(folder, first=14)


def test_a_zip_is_read_like_its_folder(folder, tmp_path):
    packed = tmp_path / "contest.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, f"inner/{file.relative_to(folder)}")
    ours, theirs = (read_contest(word) for word in (packed, folder))
    assert ours.folder != theirs.folder
    assert [(f.name, label) for f, label in ours.train] == [
        (f.name, label) for f, label in theirs.train
    ]
    assert [f.name for f in ours.test] == ["1.png", "2.png", "10.png", "b.png"]


def test_answers_are_joined_by_id_in_the_order_of_the_sample(folder):
    probabilities = torch.tensor([[0.1, 0.7, 0.2], [1 / 3, 1 / 6, 0.5], [1, 0, 0], [0, 0, 1]])
    contest = read_contest(folder)
    rows = list(csv.reader(io.StringIO(contest.answers(probabilities))))
    assert rows == [["id", "label"], ["1", "dog"], ["2", "eel"], ["10", "cat"], ["b", "eel"]]
    labels(folder, [("b", "cat"), ("2", "cat")], name="sample_submission.csv")
    contest = read_contest(folder)
    text = contest.shares(probabilities[:2])
    assert text.splitlines()[0] == "id,cat,dog,eel"
    assert text.endswith("\n")
    rows = list(csv.reader(io.StringIO(text)))[1:]
    assert [row[0] for row in rows] == ["b", "2"]
    written = torch.tensor([[float(cell) for cell in row[1:]] for row in rows])
    torch.testing.assert_close(written, probabilities[:2], rtol=1e-9, atol=1e-9)


def test_class_folders_are_links_that_other_recipes_read(folder, tmp_path):
    contest = read_contest(folder)
    held = contest.held_out(0.25, 3)
    target = tmp_path / "by-class"
    for _ in range(2):  # a second time nothing is new
        link_folders(contest, held, target)
    found = load_pictures(target)
    expected, _ = contest.pictures(held)
    assert found.classes == expected.classes
    assert len(found.valid) == sum(held)
    assert set(map(bytes, found.valid.images.numpy())) == set(
        map(bytes, expected.valid.images.numpy())
    )
    assert {p.name for p in (target / "test" / "unknown").iterdir()} == {
        f"{name}.png" for name in TESTS
    }
    if os.name == "posix":
        assert all(path.is_symlink() for path in target.rglob("*.png"))
    with pytest.raises(DataError, match="is not of this contest and this split"):
        link_folders(contest, contest.held_out(0.25, 4), target)


def all_of(folder):
    contest = read_contest(folder)
    return contest.pictures(contest.held_out(0.25, 0))


def lacks_a_label(folder):
    picture(folder / "train" / "13.png", 13)


def has_an_empty_cell(folder):
    labels(folder, [("1", ""), *ROWS[1:]])


def labels_what_is_not_there(folder):
    (folder / "train" / "5.png").unlink()


def labels_one_twice(folder):
    labels(folder, [*ROWS, ("3", "dog")])


def has_other_columns(folder):
    labels(folder, ROWS, head="picture,what")


def has_no_test_pictures(folder):
    for file in (folder / "test").iterdir():
        file.unlink()


def has_no_test_folder(folder):
    has_no_test_pictures(folder)
    (folder / "test").rmdir()


def has_a_broken_picture(folder):
    file = folder / "train" / "4.png"
    file.write_bytes(file.read_bytes()[:45])  # its header is whole, its pixels are not


def has_a_broken_test_picture(folder):
    (folder / "test" / "b.png").write_text("no picture")


def has_one_class(folder):
    labels(folder, [(identity, "cat") for identity, _ in ROWS])


def has_no_labels(folder):
    (folder / "trainLabels.csv").unlink()


def asks_for_what_is_not_there(folder):
    labels(folder, [("99", "cat")], name="sampleSubmission.csv")


def has_two_of_an_id(folder):
    picture(folder / "train" / "4.bmp", 4)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lacks_a_label, r"13\.png: has no label in trainLabels\.csv"),
        (has_an_empty_cell, r"trainLabels\.csv line 2: picture 1 has no label"),
        (labels_what_is_not_there, r"line 6: 5 is labelled, and train has no such picture"),
        (labels_one_twice, r"line 14: picture 3 has a label on line 4 too"),
        (has_other_columns, r"has the columns picture, what, none called id"),
        (has_no_test_pictures, r"test: holds no pictures"),
        (has_no_test_folder, r"has no folder test"),
        (has_a_broken_picture, r"4\.png \(class dog\): is damaged or cut short"),
        (has_a_broken_test_picture, r"b\.png: is not a picture that can be read"),
        (has_one_class, r"holds no class but cat"),
        (has_no_labels, r"has no csv of labels"),
        (asks_for_what_is_not_there, r"line 2: asks for 99, which test has not"),
        (has_two_of_an_id, r"4\.png: has the id of 4\.bmp"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_is_told_in_one_line(folder, spoil, told):
    spoil(folder)
    with pytest.raises(FathomError, match=told) as error:
        all_of(folder)
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_archive_and_a_path_to_nothing(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK\3\4 torn")
    for word in (tmp_path / "x.zip", tmp_path / "nothing"):
        with pytest.raises(DataError):
            read_contest(word)


def test_the_built_in_contest_is_one_and_is_made_once():
    folder = made_contest(600, 100)
    contest = read_contest(folder)
    assert made_contest(600, 100) == folder
    assert len(contest.classes) == 11
    pictures, test = contest.pictures(contest.held_out(0.2, 0))
    assert pictures.form == (3, 32, 32)
    assert len(test) == len(contest.test) > 0
