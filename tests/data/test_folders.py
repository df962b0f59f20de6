"""Folders of one's own pictures: classes, held-out part, sizes, and what is wrong with them."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict

import numpy as np
import pytest
import torch
from PIL import Image

from fathom.core.errors import DataError, SettingError
from fathom.data.batches import TensorBatches
from fathom.data.folders import read_as, read_folder
from fathom.data.images import load_pictures
from fathom.data.picture_set import PictureKind, Pictures
from fathom.data.workers import WorkerBatches


def picture(path, level, shape=(6, 6)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, level, np.uint8)).save(path)


@pytest.fixture
def flowers(tmp_path):
    """Ten pictures of each of three classes, told apart by their level."""
    for label, name in enumerate(("rose", "älg", "tulip")):
        for number in range(10):
            picture(tmp_path / "flowers" / name / f"{number}.png", 80 * label + number)
    (tmp_path / "flowers" / "tulip" / "Thumbs.db").write_bytes(b"no picture")
    (tmp_path / "flowers" / ".hidden").mkdir()
    return tmp_path / "flowers"


def test_classes_are_folders_sorted_and_a_fifth_of_each_is_held_out(flowers):
    found = load_pictures(str(flowers))
    assert found.classes == ("rose", "tulip", "älg")
    assert (len(found.train), len(found.valid)) == (24, 6)
    assert torch.bincount(found.valid.labels).tolist() == [2, 2, 2]
    assert found.form == (1, 6, 6)
    everything = torch.cat([found.train.images, found.valid.images])[:, 0, 0, 0]
    labels = torch.cat([found.train.labels, found.valid.labels])
    order = [0, 160, 80]  # rose, tulip, älg
    expected = sorted((order[c] + n, c) for c in range(3) for n in range(10))
    assert sorted(zip(everything.tolist(), labels.tolist(), strict=True)) == expected


def test_what_is_held_out_follows_from_the_seed(flowers):
    one, same, other = (load_pictures(flowers, seed=seed) for seed in (1, 1, 2))
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()


@pytest.mark.parametrize("name", ["valid", "val", "validation", "test"])
def test_train_and_valid_folders_are_taken_as_they_are(flowers, tmp_path, name):
    shutil.copytree(flowers, tmp_path / "set" / "train")
    picture(tmp_path / "set" / name / "rose" / "x.png", 255)
    found = load_pictures(tmp_path / "set")
    assert (len(found.train), len(found.valid)) == (30, 1)
    assert found.valid.labels.tolist() == [0]
    picture(tmp_path / "set" / name / "cactus" / "x.png", 255)
    with pytest.raises(DataError, match="has the class cactus, which train has not"):
        load_pictures(tmp_path / "set")


def test_any_sizes_grey_and_colour(flowers):
    Image.fromarray(np.full((30, 50, 3), (9, 8, 7), np.uint8)).save(flowers / "rose" / "x.png")
    assert load_pictures(flowers).form == (3, 6, 6)
    assert load_pictures(flowers, size=28).form == (3, 28, 28)
    assert load_pictures(flowers, size=28, channels=1).form == (1, 28, 28)
    found = load_pictures(flowers, size=4)
    held = torch.cat([found.train.images, found.valid.images])
    assert ((held[:, :, 0, 0] == torch.tensor([9, 8, 7])).all(1)).sum() == 1


def test_reading_pictures_for_prediction(flowers, tmp_path):
    found = load_pictures(flowers)
    picture(tmp_path / "new.png", 77, (60, 90))
    names, images = found.read([str(tmp_path / "new.png"), str(flowers / "rose")])
    assert names[0] == str(tmp_path / "new.png")
    assert images.shape == (11, 1, 6, 6)
    assert images.dtype == torch.uint8
    assert (images[0] == 77).all()
    assert images[1:, 0, 0, 0].tolist() == list(range(10))
    with pytest.raises(DataError, match="none are named"):
        found.read([])


def test_too_many_for_memory_are_read_by_workers_and_are_the_same(flowers):
    held, read = read_folder(flowers), read_folder(flowers, fits=100)
    assert held.classes == read.classes
    assert isinstance(held.train.batches(7), TensorBatches)
    batches = read.train.batches(7)
    assert isinstance(batches, WorkerBatches)
    for (x, y), (x_read, y_read) in zip(
        held.train.batches(7).epoch(3, 1), batches.epoch(3, 1), strict=True
    ):
        assert torch.equal(x, x_read)
        assert torch.equal(y, y_read)
    assert read.resized(3).form == (1, 3, 3)
    before = read.fingerprint()
    assert before == read_folder(flowers, fits=100).fingerprint()
    picture(flowers / "rose" / "0.png", 200, (6, 60))
    assert before != read_folder(flowers, fits=100).fingerprint()


@pytest.mark.parametrize("fits", [100, 1 << 30])
def test_d15_a_broken_picture_is_named_with_its_class(flowers, fits):
    path = flowers / "tulip" / "3.png"
    path.write_bytes(path.read_bytes()[:45])

    def read_all():
        found = read_folder(flowers, fits=fits)
        for split in (found.train, found.valid):
            list(split.batches(4).epoch(0, 0))

    with pytest.raises(DataError, match=r"tulip/3\.png \(class tulip\): is damaged"):
        read_all()


def test_d23_a_folder_that_is_replaced_while_training(flowers):
    held, read = read_folder(flowers), read_folder(flowers, fits=100)
    epoch = held.train.batches(4).epoch(0, 0)
    next(epoch)
    shutil.rmtree(flowers)
    assert sum(len(y) for _, y in epoch) == 20
    with pytest.raises(DataError, match=r"\.png: does not exist"):
        next(read.train.batches(4).epoch(0, 0))


def test_d23_classes_that_differ_in_case_only(flowers):
    picture(flowers / "Rose" / "x.png", 1)
    with pytest.raises(DataError, match="has the classes Rose and rose"):
        load_pictures(flowers)


def test_folders_that_are_no_classes(flowers, tmp_path):
    (flowers / "empty").mkdir()
    with pytest.raises(DataError, match=r"class empty of .*: has no pictures"):
        load_pictures(flowers)
    (tmp_path / "bare").mkdir()
    with pytest.raises(DataError, match="has no class folders"):
        load_pictures(tmp_path / "bare")
    for name in ("a", "b"):
        picture(tmp_path / "one" / name / "1.png", 1)
    with pytest.raises(DataError, match=r"class a of .*: has one picture: none can be held out"):
        load_pictures(tmp_path / "one")


def test_a_name_that_is_neither(tmp_path):
    with pytest.raises(SettingError, match="did you mean 'fashion-mnist'") as error:
        load_pictures("fashionmnist")
    assert error.value.exit_status == 2
    known = "cifar10, digits, fashion-mnist, shapes"
    with pytest.raises(SettingError, match=f"name {known} or a folder"):
        load_pictures("x" * 5000)


def test_d17_pictures_with_wrong_labels():
    images = torch.zeros(20, 1, 2, 2, dtype=torch.uint8)
    labels = torch.arange(20) % 4
    labels[17] = 4
    with pytest.raises(DataError, match="train labels: row 17 is 4, allowed 0–3"):
        Pictures(images, labels, 4)
    with pytest.raises(DataError, match="20 pictures and 19 labels"):
        Pictures(images, labels[:19], 4)


def test_pictures_in_folders_of_a_class_are_of_that_class_and_it_is_said(flowers):
    for number in range(5):
        picture(flowers / "tulip" / "red" / "2020" / f"{number}.png", 200 + number)
    (flowers / "rose" / "empty").mkdir()
    (flowers / "rose" / "loop").symlink_to(flowers / "rose", target_is_directory=True)
    picture(flowers / "rose" / ".cache" / "x.png", 1)
    found = load_pictures(flowers)
    levels = torch.cat([found.train.images, found.valid.images])[:, 0, 0, 0]
    labels = torch.cat([found.train.labels, found.valid.labels])
    assert labels[levels >= 200].tolist() == [1] * 5
    assert torch.bincount(labels).tolist() == [10, 15, 10]
    assert found.notes == (
        f"took in 1 folder within class folders of {flowers}: pictures of tulip/red/2020 are of "
        "that class",
    )


def test_a_linked_folder_is_walked_as_one_s_own(flowers, tmp_path):
    picture(tmp_path / "there" / "x.png", 7)
    (flowers / "rose" / "more").symlink_to(tmp_path / "there", target_is_directory=True)
    assert len(load_pictures(flowers).train) + len(load_pictures(flowers).valid) == 31


def test_files_that_are_no_pictures_are_counted_and_the_first_is_named(flowers):
    assert load_pictures(flowers).notes == (), "Thumbs.db and what is hidden are nobody's picture"
    for place in ("tulip/IMG_2.HEIC", "rose/IMG_1.heic", "rose/read me.txt", "älg/.DS_Store"):
        (flowers / place).write_bytes(b"no picture")
    (note,) = load_pictures(flowers).notes
    assert note.startswith(
        f"left out 3 files of {flowers}: rose/IMG_1.heic, the first, is not .png"
    )
    assert note.endswith(".ppm or .pgm")
    assert "\n" not in note


def test_pictures_of_no_class_are_counted_and_the_first_is_named(flowers):
    for name in ("b.png", "a.png"):
        shutil.copy(next((flowers / "rose").iterdir()), flowers / name)
    found = load_pictures(flowers)
    assert found.notes == (
        f"left out 2 pictures of {flowers}: a.png, the first, is in no class's folder",
    )
    assert len(found.train) + len(found.valid) == 30


def test_a_class_of_such_files_alone_is_refused_for_what_it_is(flowers):
    (flowers / "cactus").mkdir()
    (flowers / "cactus" / "IMG_1.heic").write_bytes(b"no picture")
    told = r"class cactus of .*: has no pictures \(IMG_1.heic is of a kind that is not read\); use"
    with pytest.raises(DataError, match=told):
        load_pictures(flowers)


def test_both_parts_are_looked_through_for_what_is_left_out(flowers, tmp_path):
    shutil.copytree(flowers, tmp_path / "set" / "train")
    shutil.copytree(flowers, tmp_path / "set" / "valid")
    for part in ("train", "valid"):
        (tmp_path / "set" / part / "rose" / "a.svg").write_text("<svg/>")
    (note,) = load_pictures(tmp_path / "set").notes
    assert "left out 2 files" in note
    assert "train/rose/a.svg, the first, is" in note


def kind_of(found):
    return PictureKind(found.classes, found.train.held, found.form)


def test_a_trained_model_is_given_other_pictures_as_its_own(flowers, tmp_path):
    """Its classes by number, its channels and its size, all of them held out."""
    kind = kind_of(load_pictures(flowers, size=4))
    for number, name in enumerate(("älg", "rose")):
        path = tmp_path / "other" / name / "1.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(np.full((8, 8, 3), 50 * number, np.uint8)).save(path)
    found = read_as(tmp_path / "other", kind)
    assert found.elsewhere
    assert found.classes == kind.classes
    assert found.train is found.valid
    assert found.valid.images.shape == (2, 1, 4, 4)
    assert dict(zip(found.valid.labels.tolist(), found.valid.images[:, 0, 0, 0], strict=True)) == {
        0: 50,
        2: 0,
    }
    picture(tmp_path / "other" / "cactus" / "1.png", 3)
    with pytest.raises(DataError, match=r"not those that were trained on \(cactus\); give it"):
        read_as(tmp_path / "other", kind)


def test_parts_of_other_pictures_stay_apart_and_small_ones_are_enlarged(flowers, tmp_path):
    kind = kind_of(load_pictures(flowers))
    larger = PictureKind(kind.classes, kind.held, (1, 12, 12))
    picture(tmp_path / "set" / "train" / "rose" / "1.png", 9)
    picture(tmp_path / "set" / "test" / "rose" / "1.png", 99)
    found = read_as(tmp_path / "set", larger)
    assert [int(part.images.max()) for part in (found.train, found.valid)] == [9, 99]
    (batch, _), *_ = found.valid.batches(3).epoch(0, 0)
    assert found.form == tuple(batch.shape[1:]) == (1, 12, 12)


def test_what_stands_in_for_pictures_has_their_form_and_classes(flowers):
    kind = PictureKind(tuple(f"{n}" for n in range(99)), (3, 4, 4), (3, 8, 8))
    made = kind.stand_in("gone")
    assert (made.form, made.train.held, made.classes) == (kind.form, kind.held, kind.classes)
    assert len(made.few(5, seed=3).train) == 5
    _, read = made.read([str(flowers / "rose" / "0.png")])
    assert read.shape == (1, 3, 8, 8)
    assert PictureKind.of(json.loads(json.dumps(asdict(kind)))) == kind
