"""Normalisation against torch's own statistics, and there and back again."""

from __future__ import annotations

import pytest
import torch

from fathom.vision.normalise import denormalise, normalise, statistics


@pytest.fixture
def pictures() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    scale = torch.tensor([40, 120, 255]).view(3, 1, 1)
    return (torch.rand(20, 3, 9, 8, generator=generator) * scale).to(torch.uint8)


def test_statistics_are_those_of_the_pixels(pictures):
    std, mean = torch.std_mean(pictures.double() / 255, dim=(0, 2, 3), correction=0)
    means, deviations = statistics(pictures)
    torch.testing.assert_close(torch.tensor(means).double(), mean, rtol=1e-6, atol=0)
    torch.testing.assert_close(torch.tensor(deviations).double(), std, rtol=1e-6, atol=0)


def test_normalised_channels_have_mean_0_and_deviation_1(pictures):
    values = normalise(pictures, *statistics(pictures))
    std, mean = torch.std_mean(values.double(), dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(mean, torch.zeros(3).double(), rtol=0, atol=1e-5)
    torch.testing.assert_close(std, torch.ones(3).double(), rtol=1e-5, atol=0)


def test_bytes_and_their_fractions_are_normalised_alike(pictures):
    normal = ([0.1, 0.2, 0.3], [0.5, 0.6, 0.7])
    assert torch.equal(normalise(pictures, *normal), normalise(pictures / 255, *normal))


def test_there_and_back_again(pictures):
    normal = statistics(pictures)
    assert torch.equal(denormalise(normalise(pictures, *normal), *normal), pictures)


def test_what_lies_outside_is_cut_off():
    values = torch.tensor([-9.0, 0.0, 9.0]).view(1, 1, 1, 3)
    assert denormalise(values, [0.5], [0.5]).flatten().tolist() == [0, 128, 255]
