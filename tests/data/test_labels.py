"""Labels that are wrong are named with their row: D17."""

from __future__ import annotations

import pytest
import torch

from fathom.core.errors import DataError
from fathom.data.labels import check_labels


def with_row_17(value, dtype=torch.int64):
    labels = (torch.arange(40) % 10).to(dtype)
    labels[17] = value
    return labels


@pytest.mark.parametrize("value", [-1, 10])
def test_d17_a_label_out_of_range(value):
    with pytest.raises(DataError, match=f"train labels: row 17 is {value}, allowed 0–9; ") as error:
        check_labels(with_row_17(value), 10, split="train")
    assert error.value.exit_status == 3


@pytest.mark.parametrize(("value", "shown"), [(0.5, "0.5"), (float("nan"), "nan")])
def test_d17_a_label_that_is_no_whole_number(value, shown):
    with pytest.raises(DataError, match=f"row 17 is {shown}, allowed 0–9 as whole numbers"):
        check_labels(with_row_17(value, torch.float32), 10, split="train")
    with pytest.raises(DataError, match=r"row 0 is 0\.0, allowed 0–9 as whole numbers"):
        check_labels(torch.zeros(3), 10, split="train")


def test_d17_a_class_without_samples():
    labels = torch.arange(40) % 10
    labels[labels == 7] = 6
    with pytest.raises(DataError, match="train labels: class 7 has no sample"):
        check_labels(labels, 10, split="train", every_class=True)
    check_labels(labels, 10, split="valid")
    with pytest.raises(DataError, match="all 5 are 3, nothing to tell apart"):
        check_labels(torch.full((5,), 3), 10, split="train", every_class=True)


def test_d17_a_table_of_labels():
    with pytest.raises(DataError, match=r"have the shape \(3, 10\), not \(N,\)"):
        check_labels(torch.zeros(3, 10, dtype=torch.int64), 10, split="train")


def test_good_labels_become_int64():
    labels = check_labels(torch.tensor([0, 2, 1], dtype=torch.uint8), 3, split="train")
    assert labels.dtype == torch.int64
    assert labels.tolist() == [0, 2, 1]
