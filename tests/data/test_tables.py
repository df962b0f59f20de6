"""csv files, good and bad: D20, D21."""

from __future__ import annotations

import csv
import gzip
import math

import numpy as np
import pytest

from fathom.core.errors import DataError, SettingError
from fathom.data.tables import MOST_COLUMNS, read_csv


def table(tmp_path, text, **settings):
    path = tmp_path / "train.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_csv(path, **settings)


def refused(tmp_path, text, match, **settings):
    with pytest.raises(DataError, match=match) as error:
        table(tmp_path, text, **settings)
    assert error.value.exit_status == 3
    assert "train.csv" in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def test_numbers_words_and_empty_cells_are_told_apart(tmp_path):
    found = table(tmp_path, "a,b,c\n1,x,NA\n,,2.5\n-3e2,NA,nan\n")
    np.testing.assert_array_equal(found["a"], [1, math.nan, -300])
    assert found["b"] == ["x", None, None]
    np.testing.assert_array_equal(found["c"], [math.nan, 2.5, math.nan])
    assert found.lines == [2, 3, 4]
    assert found.is_numeric("a")
    assert not found.is_numeric("b")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a,b\n1,2\n1,2,3\n", "line 3: has 3 columns, the header has 2; "),
        ("a,b\n1\n", "line 2: has 1 columns, the header has 2"),
        ("a,b\n1,2\na,b\n3,4\n", "line 3: is the header once more"),
        ("a,b,a\n1,2,3\n", "line 1: the column a is there twice"),
        ("a,,b\n1,2,3\n", "line 1: column 2 has no name"),
        ("a,b\n1,2\n3,inf\n", "line 3: column b is inf"),
        ("a,b\n1,2\n3,-Infinity\n", "line 3: column b is -Infinity"),
        ('a,b\n1,"1,5"\n2,"2,5"\n', "line 2: column b is '1,5', with a decimal comma"),
        ('a,b\n1,1.5\n2,"2,5"\n', "line 3: column b is '2,5', with a decimal comma"),
        ("a,b\n1,1,5\n", "line 2: has 3 columns"),
        ("a\n" + "1\n" * 20 + "x1\n", "line 22: column a is 'x1', 20 of its 21 cells are numbers"),
        ("a,b\n", "has a header and no rows"),
        ("", "is empty"),
        ("\n\n", "is empty"),
        (b"a,b\n1,2\n3,\xe9t\xe9\n", r"line 3: byte 2 \(0xe9\) is not UTF-8"),
        ("a,b\n1,2\n3,\0\n", "line 3: holds a NUL"),
        ('a,b\n1,2\n3,"x\n', "line 3: is not csv"),
        ("a\n" + "x" * 200_000 + "\n", "line 2: is not csv .field larger"),
        ("<!DOCTYPE html><html>", "is a web page"),
    ],
)
def test_d20_each_fault_names_file_line_and_column(tmp_path, text, match):
    refused(tmp_path, text, match)


def test_d20_a_million_columns(tmp_path):
    refused(tmp_path, ",".join(map(str, range(1_000_000))), "line 1: has 1,000,000 columns")
    width = MOST_COLUMNS
    wide = table(
        tmp_path, ",".join(f"c{i}" for i in range(width)) + "\n" + "1," * (width - 1) + "1"
    )
    assert len(wide.columns) == width


def test_d20_quoted_newlines_are_part_of_a_cell_and_lines_still_right(tmp_path):
    found = table(tmp_path, 'a,b\n1,"two\nlines"\n2,"say ""x"""\n')
    assert found["b"] == ["two\nlines", 'say "x"']
    assert found.lines == [2, 4]
    refused(tmp_path, 'a,b\n1,"two\nlines"\n2\n', "line 4: has 1 columns")


def test_d20_a_missing_column_with_the_near_match(tmp_path):
    found = table(tmp_path, "SalePrice,Id\n1,2\n")
    with pytest.raises(DataError, match=r"has no column SalesPrice; did you mean 'SalePrice'\?"):
        found.target("SalesPrice")
    with pytest.raises(DataError, match="has no column x"):
        found.without("x")
    with pytest.raises(SettingError, match="column x: is not in the table"):
        table(tmp_path, "a\n1\n", words=["x"])


def test_d20_bom_crlf_tabs_gzip_and_names_from_outside(tmp_path):
    expected = [1.0, 2.0]
    assert list(table(tmp_path, "\ufeffa,b\r\n1,x\r\n2,y\r\n")["a"]) == expected
    assert list(table(tmp_path, "a\tb\n1\tx\n2\ty\n", delimiter="\t")["a"]) == expected
    assert list(table(tmp_path, "1,x\n2,y", header=["a", "b"])["a"]) == expected
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(b"a,b\n1,x\n2,y\n"))
    assert list(read_csv(tmp_path / "x.csv.gz")["a"]) == expected
    assert table(tmp_path, "a\n1\n2\n", words=["a"])["a"] == ["1", "2"]
    assert table(tmp_path, "a\n1_000\n٣\n")["a"] == ["1_000", "٣"]


def test_d20_dropping_rows_with_empty_cells(tmp_path):
    found = table(tmp_path, "a,b\n1,x\n,y\n3,\n4,z\n").complete()
    assert (list(found["a"]), found["b"], found.lines) == ([1.0, 4.0], ["x", "z"], [2, 5])
    with pytest.raises(DataError, match="no row without an empty cell"):
        table(tmp_path, "a,b\n1,\n,y\n").complete()


def test_d21_an_empty_target_is_named_by_line(tmp_path):
    found = table(tmp_path, "a,y\n1,1\n2,\n3,3\n")
    with pytest.raises(DataError, match=r"train\.csv line 3: column y, the target, is empty"):
        found.rows([0, 1]).target("y")
    assert list(found.rows([2, 0]).target("y")) == [3, 1]
    with pytest.raises(DataError, match="column a holds words"):
        table(tmp_path, "a\nx\n").target("a")


def test_a_real_file_as_pythons_reader_sees_it(real_file):
    path = real_file("house-prices/kaggle_house_pred_train.csv")
    found = read_csv(path)
    assert len(found) == 1460
    assert len(found.columns) == 81
    with open(path, encoding="utf-8", newline="") as file:
        for row, expected in enumerate(csv.DictReader(file)):
            for name, cell in expected.items():
                value = found[name][row]
                if cell == "NA":
                    assert value is None or math.isnan(value)
                else:
                    assert str(value) == cell or value == float(cell)


def test_fingerprints(tmp_path):
    one, other = table(tmp_path, "a,b\n1,x\n2,y\n"), table(tmp_path, "a,b\n1,x\n2,z\n")
    assert one.fingerprint() == table(tmp_path, "a,b\n1,x\n2,y\n").fingerprint()
    assert one.fingerprint() != other.fingerprint()
    assert one.rows([0]).fingerprint() == other.rows([0]).fingerprint() != one.fingerprint()


def test_rows_above_rows(tmp_path):
    one, other = table(tmp_path, "a,b\n1,x\n"), table(tmp_path, "b,c,a\ny,0,2\n")
    both = one.above(other)
    assert (list(both["a"]), both["b"], len(both)) == ([1, 2], ["x", "y"], 2)
    with pytest.raises(DataError, match="has no column b"):
        one.above(table(tmp_path, "a\n1\n"))
    with pytest.raises(DataError, match="column b holds words in one table and numbers in the"):
        one.above(table(tmp_path, "a,b\n1,2\n"))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a,ID\n5,q\n6,r\n", "ID"),
        ("row,a\n7,1\n8,5\n9,2\n", "row"),
        ("a,b\n1,1\n2,5\n", None),
        ("a,b\n3,x\n1,y\n2,z\n", None),
        ("a,b\n1,x\n,y\n3,z\n", None),
    ],
)
def test_the_column_that_names_the_rows(tmp_path, text, name):
    assert table(tmp_path, text).row_names() == name


def test_columns_of_words_stay_so_in_a_table_like_the_first(tmp_path):
    first = table(tmp_path, "a,code\n1,x7\n2,30\n")
    later = table(tmp_path, "code,a\n007,1\n30,2\n", like=first)
    assert later["code"] == ["007", "30"]
    assert later.is_numeric("a")
