"""Sizes behind sliding windows against torch, and the field of a chain against its definition."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from fathom.vision.windows import after, output_size, receptive_field


@pytest.mark.parametrize("size", [4, 7, 12])
@pytest.mark.parametrize("stride", [1, 2, 3, 5])
def test_sizes_are_torchs(size, stride):
    line = torch.zeros(1, 1, size)
    for kernel, padding, dilation in product((1, 2, 3, 4), (0, 1, 2), (1, 2)):
        window = kernel, stride, padding, dilation
        expected = output_size(size, *window)
        if expected < 1:
            with pytest.raises(RuntimeError):
                torch.nn.functional.conv1d(
                    line, torch.zeros(1, 1, kernel), None, stride, padding, dilation
                )
            continue
        weight = torch.zeros(1, 1, kernel)
        found = torch.nn.functional.conv1d(line, weight, None, stride, padding, dilation)
        assert found.shape[2] == expected, window
        if padding <= kernel // 2:
            pooled = torch.nn.functional.max_pool1d(line, *window, ceil_mode=True)
            assert pooled.shape[2] == output_size(size, *window, ceil=True), window


def test_windows_in_a_row_and_one_that_does_not_fit():
    assert after(224, (11, 4, 1), (3, 2), (5, 1, 2), (3, 2)) == 12  # AlexNet's, book 7.1
    assert after(10) == 10
    assert after(4, (3, 2), (3,)) == 0
    assert after(2, (3,), (1, 1, 5)) == 0, "padding brings nothing back"


@pytest.mark.parametrize(
    ("chain", "field"),
    [
        ([], 1),
        ([(3,), (3,)], 5),
        ([(3, 1, 1, 2)], 5),
        ([(2, 2), (2, 2), (2, 2)], 8),
        ([(7, 2, 3), (3, 2, 1), (3, 1, 1)], 7 + 2 * 2 + 2 * 4),
        ([*[(3,)] * 2, (2, 2), *[(3,)] * 2, (2, 2)], 16),  # VGG's first two blocks of two
    ],
)
def test_fields_by_hand(chain, field):
    assert receptive_field(*chain) == field
