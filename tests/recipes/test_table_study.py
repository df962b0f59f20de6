"""From a table to tensors: against pandas' rules worked out by hand, and with one's own files."""

from __future__ import annotations

import numpy as np
import pytest

from fathom.core.errors import DataError, FathomError
from fathom.data.features import learn
from fathom.recipes.tables import _made_sheet, _to_numbers, tables


def test_the_book_s_table_to_all_digits():
    found = tables()
    found.check("tables")
    inputs = _made_sheet().without("Price")
    X, origins = _to_numbers(inputs, learn(inputs))
    assert X.tolist() == [[3, 1, 0], [2, 0, 1], [4, 0, 1], [3, 0, 1]]
    assert [o.name for o in origins] == ["NumRooms", "Alley=Pave", "Alley=(empty)"]
    assert found.numbers["cells that were missing"] == 5


def write(folder, text):
    path = folder / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_table_of_one_s_own(tmp_path):
    random = np.random.default_rng(0)
    size, price = random.normal(80, 20, 40), random.normal(5, 1, 40)
    lines = [
        f"{'' if i % 5 == 0 else round(float(s), 3)},{['Roma', '北京', ''][i % 3]},{p:.3f}"
        for i, (s, p) in enumerate(zip(size, price, strict=True))
    ]
    path = write(tmp_path, "面积,Città,price\n" + "\n".join(lines))
    found = tables(path)
    found.check("tables")
    known = [round(float(s), 3) for i, s in enumerate(size) if i % 5]
    sheet = _sheet(path)
    X, origins = _to_numbers(sheet, learn(sheet))
    assert X[0, 0].item() == pytest.approx(np.mean(known), rel=1e-12)
    assert [o.name for o in origins[1:]] == ["Città=Roma", "Città=北京", "Città=(empty)"]
    assert X[:3, 1:].tolist() == np.eye(3).tolist()


def _sheet(path):
    from pathlib import Path

    from fathom.data.tables import read_csv

    return read_csv(Path(path)).without("price")


def test_another_target(tmp_path):
    path = write(tmp_path, "a,b,c\n1,2,x\n3,4,y\n")
    found = tables(path, target="a")
    found.check("tables")
    assert [row[0] for row in found.tables["Columns"].rows] == ["b", "c"]


@pytest.mark.parametrize(
    ("text", "target", "words"),
    [
        ("a,b\n1,2,3\n", None, "line 2: has 3 columns"),
        ("a,b\n1,x\n", None, "holds words"),
        ("a,b\n1,\n", None, "is empty"),
        ("a,b\n1,2\n", "bb", "did you mean 'b'"),
        ("a\n1\n", None, "no columns left"),
    ],
)
def test_what_is_wrong_with_it_is_said_in_one_line(tmp_path, text, target, words):
    with pytest.raises(DataError, match=words) as told:
        tables(write(tmp_path, text), target=target)
    assert "\n" not in str(told.value)


def test_a_file_that_is_not_there():
    with pytest.raises(FathomError, match="does not exist"):
        tables("/nowhere/at/all.csv")
