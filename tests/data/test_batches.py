"""Batches from memory: the right samples, once each, in an order that can be resumed; D22."""

from __future__ import annotations

import hashlib

import pytest
import torch

from fathom.core.errors import DataError, SettingError
from fathom.core.order import permutation, uniforms
from fathom.data.batches import TensorBatches
from fathom.data.treatment import Treatment
from fathom.vision.augment import colour_jitter
from fathom.vision.mixing import cutmix

CPU = torch.device("cpu")


def pictures(count=23, channels=3):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, channels, 5, 4), generator=generator)
    return images.to(torch.uint8), torch.arange(count) % 10


def collected(batches, *words):
    """Copies: what an epoch yields is written over."""
    return [(x.clone(), y.clone()) for x, y in batches.epoch(*words)]


def test_every_sample_once_in_the_order_of_the_seed():
    images, labels = pictures()
    batches = TensorBatches(images, labels, batch_size=5)
    for epoch in range(3):
        seen = collected(batches, 7, epoch)
        order = permutation(len(images), 7, epoch)
        assert [len(y) for _, y in seen] == [5, 5, 5, 5, 3]
        assert torch.equal(torch.cat([y for _, y in seen]), labels[order])
        expected = images[order].float() / 255
        assert torch.equal(torch.cat([x for x, _ in seen]), expected)
    assert len(batches) == 5
    assert batches.examples == 23


def test_without_shuffling_the_order_is_that_of_the_data():
    images, labels = pictures()
    seen = collected(TensorBatches(images, labels, batch_size=8, shuffle=False), 7, 1)
    assert torch.equal(torch.cat([x for x, _ in seen]), images.float() / 255)


@pytest.mark.parametrize("shuffle", [True, False])
def test_t17_an_epoch_can_start_at_any_batch(shuffle):
    images, labels = pictures()
    batches = TensorBatches(images, labels, batch_size=4, shuffle=shuffle)
    whole = collected(batches, 3, 2)
    for first in range(len(batches) + 1):
        rest = [(x.clone(), y.clone()) for x, y in batches.epoch(3, 2, first)]
        assert len(rest) == len(batches) - first
        for (x, y), (x_whole, y_whole) in zip(rest, whole[first:], strict=True):
            assert torch.equal(x, x_whole)
            assert torch.equal(y, y_whole)


def test_two_runs_through_an_epoch_do_not_disturb_each_other():
    images, labels = pictures()
    batches = TensorBatches(images, labels, batch_size=4)
    whole = collected(batches, 0, 0)
    both = zip(batches.epoch(0, 0), batches.epoch(0, 1), strict=True)
    for ((x, y), _), (x_whole, y_whole) in zip(both, whole, strict=True):
        assert torch.equal(x, x_whole)
        assert torch.equal(y, y_whole)


def test_buffers_are_used_again():
    images, labels = pictures()
    epoch = TensorBatches(images, labels, batch_size=5).epoch(0, 0)
    assert len({next(epoch)[0].data_ptr() for _ in range(5)}) == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_last_changes_the_layout_and_no_value(channels):
    images, labels = pictures(channels=channels)
    plain = TensorBatches(images, labels, batch_size=5)
    last = plain.to(CPU, channels_last=True)
    pairs = zip(collected(plain, 1, 1), last.epoch(1, 1), strict=True)
    for (x, _), (x_last, _) in pairs:
        assert torch.equal(x, x_last)
        assert x_last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(last.inputs, images)
    assert last.fingerprint() == plain.fingerprint()
    assert last.to(CPU).fingerprint() == plain.fingerprint()


def test_vectors_stay_as_they_are():
    x, y = torch.randn(10, 3, dtype=torch.float64), torch.randn(10, 1)
    batches = TensorBatches(x, y, batch_size=4, shuffle=False).to(CPU, channels_last=True)
    seen = collected(batches, 0, 0)
    assert torch.equal(torch.cat([a for a, _ in seen]), x)
    assert torch.equal(torch.cat([b for _, b in seen]), y)
    tokens = torch.randint(0, 100, (10, 7))
    inputs, _ = next(TensorBatches(tokens, y, batch_size=4, shuffle=False).epoch(0, 0))
    assert inputs.dtype == torch.int64


def test_normalised_by_channel_as_the_formula_says():
    images, labels = pictures()
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.1, 0.3)
    batches = TensorBatches(
        images, labels, batch_size=23, shuffle=False, treatment=Treatment(normal=(mean, std))
    )
    (x, _) = next(batches.epoch(0, 0))
    shape = (1, 3, 1, 1)
    expected = (images.double() / 255 - torch.tensor(mean).view(shape)) / torch.tensor(std).view(
        shape
    )
    torch.testing.assert_close(x.double(), expected, rtol=1e-6, atol=1e-6)


def test_enlarged_as_torch_does():
    images, labels = pictures()
    batches = TensorBatches(
        images, labels, batch_size=23, shuffle=False, treatment=Treatment(size=12)
    )
    (x, _) = next(batches.to(CPU, channels_last=True).epoch(0, 0))
    expected = torch.nn.functional.interpolate(
        images.float() / 255, size=12, mode="bilinear", align_corners=False
    )
    torch.testing.assert_close(x, expected)


def test_a_transform_knows_which_samples_it_is_given():
    images, labels = pictures()

    def brighten(batch, indices, seed, epoch):
        assert torch.equal(labels[indices], indices % 10)
        return batch + uniforms(indices, seed, epoch, 1)[:, :, None, None]

    batches = TensorBatches(images, labels, batch_size=4, treatment=Treatment(transform=brighten))
    whole = collected(batches, 5, 1)
    (resumed, _) = next(batches.epoch(5, 1, 3))
    assert torch.equal(resumed, whole[3][0])
    order = permutation(23, 5, 1)
    added = uniforms(order, 5, 1, 1)[:, :, None, None]
    assert torch.equal(torch.cat([x for x, _ in whole]), images[order].float() / 255 + added)


def test_varied_then_mixed_then_normalised():
    """Colours are changed on the scale of colours, and labels become shares."""
    images, labels = pictures()
    normal = ((0.5, 0.4, 0.3), (0.2, 0.1, 0.3))
    vary, mix = colour_jitter(0.4, 0.4), cutmix(10)
    treatment = Treatment(vary, mix, normal)
    found, shares = next(
        TensorBatches(images, labels, batch_size=9, treatment=treatment).epoch(2, 3)
    )
    order = permutation(23, 2, 3)[:9]
    varied = vary(images[order].float() / 255, order, 2, 3)
    mixed, expected = mix(varied, labels[order], order, 2, 3)
    mean, std = (torch.tensor(values)[:, None, None] for values in normal)
    torch.testing.assert_close(found, (mixed - mean) / std)
    torch.testing.assert_close(shares, expected)


def test_d22_no_batch_at_all_is_an_error():
    images, labels = pictures(3)
    with pytest.raises(
        DataError, match="train: 0 batches: 3 samples, batch size 8, drop_last"
    ) as error:
        TensorBatches(images, labels, batch_size=8, drop_last=True)
    assert error.value.exit_status == 3
    with pytest.raises(DataError, match="valid: 0 batches: 0 samples, batch size 8;"):
        TensorBatches(images[:0], labels[:0], batch_size=8, split="valid")
    with pytest.raises(SettingError, match="batch_size: is 0"):
        TensorBatches(images, labels, batch_size=0)
    with pytest.raises(DataError, match="3 inputs and 2 targets"):
        TensorBatches(images, labels[:2], batch_size=1)


def test_drop_last_and_limit():
    images, labels = pictures()
    batches = TensorBatches(images, labels, batch_size=5, drop_last=True)
    assert (len(batches), batches.examples) == (4, 20)
    assert [len(y) for _, y in batches.epoch(0, 0)] == [5] * 4
    limited = batches.limit(2)
    assert (len(limited), limited.examples) == (2, 10)
    for (x, _), (x_limited, _) in zip(
        collected(batches, 0, 0)[:2], collected(limited, 0, 0), strict=True
    ):
        assert torch.equal(x, x_limited)
    assert len(batches) == 4
    assert len(limited.limit(9)) == 4
    with pytest.raises(SettingError, match="limit-batches"):
        batches.limit(0)


def test_fingerprints_tell_other_data():
    images, labels = pictures()
    one = TensorBatches(images, labels, batch_size=5).fingerprint()
    assert one == TensorBatches(images.clone(), labels, batch_size=9).fingerprint()
    other = images.clone()
    other[22, 0, 0, 0] ^= 1
    assert one != TensorBatches(other, labels, batch_size=5).fingerprint()
    assert one != TensorBatches(images, labels.roll(1), batch_size=5).fingerprint()
    assert one != TensorBatches(images.view(23, 60), labels, batch_size=5).fingerprint()
    expected = hashlib.sha256(
        b"torch.uint8 (23, 3, 5, 4)\n"
        + images.numpy().tobytes()
        + b"torch.int64 (23,)\n"
        + labels.numpy().tobytes()
    )
    assert one == expected.hexdigest()
