"""Picture sets by name: the real ones, and sets of other sizes."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from fathom.core.errors import DataError
from fathom.data.images import load_pictures


def test_digits_are_scikit_learns():
    found = load_pictures("digits")
    assert found.form == (1, 8, 8)
    assert found.classes == tuple("0123456789")
    images = torch.cat([found.train.images, found.valid.images])
    labels = torch.cat([found.train.labels, found.valid.labels])
    assert images.dtype == torch.uint8
    ours = {
        (tuple(np.rint(x.ravel() * 16 / 255).astype(int)), int(y))
        for x, y in zip(images.numpy().astype(float), labels, strict=True)
    }
    bunch = load_digits()
    theirs = {(tuple(x.astype(int)), int(y)) for x, y in zip(bunch.data, bunch.target, strict=True)}
    assert ours == theirs
    assert len(images) == 1797
    assert (images.min(), images.max()) == (0, 255)


def test_digits_hold_out_a_fifth_of_each_class_by_seed():
    found = load_pictures("digits")
    counts = torch.bincount(found.valid.labels) / torch.bincount(
        torch.cat([found.train.labels, found.valid.labels])
    )
    assert ((counts - 0.2).abs() < 0.005).all()
    assert found.fingerprint() == load_pictures("digits").fingerprint()
    assert found.fingerprint() != load_pictures("digits", seed=1).fingerprint()
    train = {image.numpy().tobytes() for image in found.train.images}
    assert not train & {image.numpy().tobytes() for image in found.valid.images}


def test_fashion_mnist_as_published(real, real_file):
    real("fashion-mnist")
    found = load_pictures("fashion-mnist")
    assert (len(found.train), len(found.valid)) == (60_000, 10_000)
    assert found.form == (1, 28, 28)
    assert torch.bincount(found.train.labels).tolist() == [6000] * 10
    assert torch.bincount(found.valid.labels).tolist() == [1000] * 10
    assert found.classes[found.train.labels[0]] == "Ankle boot"
    with gzip.open(real_file("fashion-mnist/t10k-images-idx3-ubyte.gz")) as file:
        pixels = np.frombuffer(file.read()[16:], np.uint8)
    assert np.array_equal(found.valid.images.numpy().ravel(), pixels)


def test_enlarged_in_batches_and_made_smaller_at_once():
    plain, large, small = (load_pictures("digits", size=size) for size in (None, 28, 4))
    assert (large.form, small.form) == ((1, 28, 28), (1, 4, 4))
    assert large.train.images.shape[2:] == (8, 8)
    assert small.train.images.shape[2:] == (4, 4)
    (x, _) = next(large.train.batches(50).epoch(0, 0))
    (x_plain, _) = next(plain.train.batches(50).epoch(0, 0))
    expected = torch.nn.functional.interpolate(
        x_plain, size=28, mode="bilinear", align_corners=False
    )
    torch.testing.assert_close(x, expected)
    theirs = np.stack(
        [
            np.array(Image.fromarray(image[0].numpy()).resize((4, 4), Image.Resampling.BILINEAR))
            for image in plain.train.images[:100]
        ]
    )
    difference = small.train.images[:100, 0].int() - torch.tensor(theirs).int()
    assert difference.abs().max() <= 1  # Pillow rounds between the two directions
    assert load_pictures("digits", size=8).train.size is None


def test_reading_for_prediction_goes_the_way_of_the_training_pictures(tmp_path):
    found = load_pictures("digits", size=28)
    image = found.valid.images[3, 0]
    Image.fromarray(image.numpy()).save(tmp_path / "digit.png")
    _, read = found.read([str(tmp_path / "digit.png")])
    assert read.shape == (1, 1, 28, 28)
    (x, _) = next(found.valid.batches(4, shuffle=False).epoch(0, 0))
    assert (read[0].float() / 255 - x[3]).abs().max() <= 0.5 / 255 + 1e-6


def test_offline_the_error_says_where_to_put_what(tmp_path, monkeypatch):
    monkeypatch.setenv("FATHOM_OFFLINE", "1")
    monkeypatch.setenv("FATHOM_DATA", str(tmp_path))
    with pytest.raises(DataError) as error:
        load_pictures("fashion-mnist")
    assert str(error.value) == (
        "fashion-mnist: train-images-idx3-ubyte.gz is not on this machine, and FATHOM_OFFLINE is "
        "set; put train-images-idx3-ubyte.gz in $FATHOM_DATA/fashion-mnist/"
    )
