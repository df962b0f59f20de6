"""Rows to be predicted, named on a command line, and answers in a contest's form."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
import torch

from fathom.core.errors import DataError
from fathom.data.features import learn
from fathom.data.table_rows import read_rows, row_labels, submission
from fathom.data.tables import read_csv

TRAIN = "Id,area,code,sold\n1,50,7a,2020-01-01\n2,60,30,2021-01-01\n3,70,7a,2022-01-01\n"


@pytest.fixture
def train(tmp_path):
    (tmp_path / "train.csv").write_text(TRAIN)
    return read_csv(tmp_path / "train.csv")


def rows(train, *given, names="Id"):
    return read_rows(list(given), learn(train.without("Id")), train, names)


def test_a_row_is_the_same_written_out_and_in_a_file(train, tmp_path):
    (tmp_path / "new.csv").write_text("sold,more,code,area,Id\n2020-07-02,x,30,,1461\n")
    names, from_file = rows(train, str(tmp_path / "new.csv"))
    assert names == ["1461"]
    names, written = rows(train, "code=30,sold=2020-07-02")
    assert names == ["1"]
    torch.testing.assert_close(written, from_file, equal_nan=True)
    assert torch.isnan(written[0, 0])
    assert written[0, 1:5].tolist() == [1, 0, 0, 0]


def test_a_word_never_seen_counts_as_none_of_the_known(train):
    _, found = rows(train, "area=1,code=new", "area=1,code=30")
    assert found[:, 1:5].tolist() == [[0, 0, 0, 1], [1, 0, 0, 0]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("area=x", "'area=x': column area holds numbers, and 'x' is none"),
        ("aera=5", "there is no column aera; did you mean 'area'?"),
        ("area=5,7a", "'7a': is not COLUMN=VALUE"),
        ("nowhere.csv", "nowhere.csv: does not exist"),
    ],
)
def test_a_row_that_is_none_is_one_clear_line(train, given, message):
    with pytest.raises(DataError, match=message.replace("?", r"\?")):
        rows(train, given)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("area,sold\n1,2020-01-01\n", "new.csv: has no column code; "),
        ("area,code,sold\nbig,30,2020-01-01\n", r"new.csv line 2: column area holds words \('big'"),
        ("area,code,sold\n", "new.csv: has a header and no rows"),
        ("area,code,sold\n1,2\n", "new.csv line 2: has 2 columns"),
    ],
)
def test_a_table_that_does_not_fit_is_one_clear_line(train, tmp_path, text, message):
    (tmp_path / "new.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        rows(train, str(tmp_path / "new.csv"))


def test_rows_are_called_by_their_column_or_counted(train):
    assert row_labels(train, "Id") == ["1", "2", "3"]
    assert row_labels(train, "code") == ["7a", "30", "7a"]
    assert row_labels(train, None, start=3) == ["4", "5", "6"]
    assert row_labels(train.without("Id"), "Id") == ["1", "2", "3"]


def test_a_submission_is_a_table_of_two_columns():
    text = submission(["1461", 'a "b", c'], [123456.78, 0.5], "Id", "SalePrice")
    found = list(csv.reader(io.StringIO(text)))
    assert found == [["Id", "SalePrice"], ["1461", "123456.8"], ['a "b", c', "0.5"]]
    assert text.endswith("\n")
    assert "\r" not in text
    assert np.isfinite(float(found[1][1]))
