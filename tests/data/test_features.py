"""Features are learned from the training rows alone; no 0/0, no category lost: D21."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fathom.core.errors import DataError
from fathom.data import house_prices
from fathom.data.features import learn
from fathom.data.tables import read_csv


def table(tmp_path, text, name="x.csv"):
    (tmp_path / name).write_text(text)
    return read_csv(tmp_path / name)


def test_the_same_as_scikit_learn(tmp_path):
    random = np.random.default_rng(0)
    values = random.normal(50, 7, (40, 2))
    words = random.choice(["red", "green", "blue"], 40)
    rows = [f"{a!r},{w},{b!r}" for (a, b), w in zip(values.tolist(), words, strict=True)]
    whole = table(tmp_path, "a,colour,b\n" + "\n".join(rows) + "\n")
    train, test = whole.rows(range(30)), whole.rows(range(30, 40))
    features = learn(train)
    ours = features.encode(test).double().numpy()
    scale = StandardScaler().fit(values[:30])
    expected = scale.transform(values[30:]) * np.sqrt(29 / 30)  # it divides by N, we by N - 1
    np.testing.assert_allclose(ours[:, [0, -1]], expected, rtol=1e-5, atol=1e-6)
    one_hot = OneHotEncoder(sparse_output=False).fit(words[:30, None])
    np.testing.assert_array_equal(ours[:, 1:4], one_hot.transform(words[30:, None]))
    assert features.names == [
        "a",
        "colour=blue",
        "colour=green",
        "colour=red",
        "colour=(empty)",
        "colour=(other)",
        "b",
    ]
    assert features.notes == ()


def test_what_is_predicted_changes_nothing(tmp_path):
    train = table(tmp_path, "a,b\n1,x\n2,y\n3,x\n")
    test = table(tmp_path, "a,b\n100,q\n", "test.csv")
    features = learn(train)
    before = features.encode(train)
    features.encode(test)
    assert torch.equal(before, features.encode(train))
    assert torch.equal(before[:, 0], torch.tensor([-1.0, 0.0, 1.0]))


def test_d21_a_feature_that_never_changes(tmp_path):
    train = table(tmp_path, "a,b\n0.1,1\n0.1,2\n0.1,3\n")
    features = learn(train)
    assert features.encode(train)[:, 0].tolist() == [0, 0, 0]
    assert features.notes == ("a never changes in the training rows: its std is taken as 1",)
    test = table(tmp_path, "a,b\n3.1,2\n", "test.csv")
    assert features.encode(test).tolist() == [[3.0, 0.0]]


def test_d21_one_training_row(tmp_path):
    train = table(tmp_path, "a,b\n5,x\n")
    encoded = learn(train).encode(train)
    assert encoded.tolist() == [[0, 1, 0, 0]]


def test_d21_a_word_never_seen_and_an_empty_cell_have_columns(tmp_path):
    features = learn(table(tmp_path, "a,b\n1,x\n2,y\n3,\n"))
    test = table(tmp_path, "a,b\n2,new\n,\n2,x\n", "test.csv")
    assert features.encode(test)[:, 1:].tolist() == [[0, 0, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]]
    assert features.encode(test)[1, 0] == 0  # the mean


def test_d21_columns_without_any_cell(tmp_path):
    train = table(tmp_path, "a,b\n,x\n,y\n")
    assert torch.isfinite(learn(train).encode(train)).all()
    features = learn(table(tmp_path, "a,b\n1,x\n2,y\n"))
    assert features.encode(table(tmp_path, "a,b\n,\n", "t.csv")).tolist() == [[0, 0, 0, 1, 0]]


def test_d20_empty_cells_are_an_error_if_asked(tmp_path):
    features = learn(table(tmp_path, "a\n1\n2\n"), missing="error")
    with pytest.raises(DataError, match=r"t\.csv line 3: column a is empty"):
        features.encode(table(tmp_path, "a,b\n1,2\n,2\n", "t.csv"))


def test_d20_another_kind_or_no_column_at_all(tmp_path):
    features = learn(table(tmp_path, "a\n1\n2\n"))
    with pytest.raises(
        DataError, match=r"t\.csv line 2: column a holds words .'x'., but numbers in training"
    ):
        features.encode(table(tmp_path, "a\nx\n", "t.csv"))
    with pytest.raises(DataError, match=r"t\.csv: has no column a"):
        features.encode(table(tmp_path, "b\n1\n", "t.csv"))
    with pytest.raises(DataError, match="no columns left"):
        learn(table(tmp_path, "a\n1\n").without("a"))


def test_house_prices_have_the_features_of_the_book(real):
    """331, if (as there) both tables are learned from and nothing stands for words unseen."""
    real("house-prices")
    train, test = house_prices.tables()
    assert train.target("SalePrice").mean() == pytest.approx(180_921.2, abs=0.01)
    train = train.without("Id", "SalePrice")
    both = {}
    for name, values in train.columns.items():
        other = test[name]
        both[name] = (
            np.concatenate([values, other]) if isinstance(values, np.ndarray) else [*values, *other]
        )
    whole = train.__class__("both", both, list(range(2919)))
    names = learn(whole).names
    assert len([name for name in names if not name.endswith("(other)")]) == 331
    features = learn(train)
    assert torch.isfinite(features.encode(test)).all()
    assert features.encode(train).shape == (1460, len(features.names))


def test_made_house_prices_can_be_learned():
    train, test = house_prices.made()
    assert (len(train), len(test)) == (400, 133)
    assert "SalePrice" not in test.columns
    assert train.fingerprint() == house_prices.made()[0].fingerprint()
    assert train.fingerprint() != house_prices.made(seed=1)[0].fingerprint()
    features = learn(train.without("Id", "SalePrice"))
    x = features.encode(train).double().numpy()
    y = np.log(train.target("SalePrice"))
    design = np.concatenate([x, np.ones((400, 1))], 1)
    residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    assert residual.std() < 0.12 < y.std()
    assert torch.isfinite(features.encode(test)).all()


def test_columns_as_they_stand_and_their_scales_make_the_encoding(tmp_path):
    text = "a,when,b\n1,2020-01-01,x\n,2021-06-01,y\n400,,x\n2,2022-01-01,\n3,2020-01-01,x\n"
    train = table(tmp_path, text)
    features = learn(train, logs=True, clip=1.5)
    assert features.names[:4] == ["a", "when", "sin(when)", "cos(when)"]
    raw = features.raw(train)
    assert raw[2, 0] == 400
    assert np.isnan(raw[1, 0])
    assert np.isnan(raw[2, 1:4]).all()
    known = np.log1p([1, 400, 2, 3])  # one large value: the column is skewed
    expected = (known - known.mean()) / known.std(ddof=1)
    found = features.encode(train).double().numpy()
    np.testing.assert_allclose(found[[0, 2, 3, 4], 0], expected.clip(-1.5, 1.5), rtol=1e-6)
    assert found[1, 0] == 0
    assert found[2, 1:4].tolist() == [0, 0, 0]
    assert np.abs(found).max() <= 1.5
    when = raw[[0, 1, 3, 4], 1]
    np.testing.assert_allclose(
        found[[0, 1, 3, 4], 1], (when - when.mean()) / when.std(ddof=1), rtol=1e-6
    )


def test_logarithms_are_taken_of_skewed_columns_without_negatives(tmp_path):
    random = np.random.default_rng(0)
    columns = {
        "skewed": random.lognormal(0, 1, 200),
        "bell": random.normal(10, 1, 200),
        "negative": random.lognormal(0, 1, 200) - 1,
        "left": -random.lognormal(0, 1, 200) + 100,
    }
    rows = [",".join(f"{v:.6f}" for v in row) for row in zip(*columns.values(), strict=True)]
    train = table(tmp_path, ",".join(columns) + "\n" + "\n".join(rows) + "\n")
    logged = {column.name: column.log for column in learn(train, logs=True).columns}
    assert logged == {"skewed": True, "bell": False, "negative": False, "left": False}
    assert not any(column.log for column in learn(train).columns)


def test_a_fold_learns_from_its_own_rows_alone(tmp_path):
    train = table(
        tmp_path, "a,b,d\n1,x,2020-01-01\n2,y,2021-01-01\n3,x,2022-01-01\n99,z,2023-01-01\n"
    )
    features = learn(train, logs=True)
    own = features.learned_from(train.rows([0, 1, 2]))
    assert own.names == features.names
    only = learn(
        table(tmp_path, "a,b,d\n1,x,2020-01-01\n2,y,2021-01-01\n3,x,2022-01-01\n", "o.csv")
    )
    assert features.columns[0].log, "99 is far out"
    assert (own.columns[0].mean, own.columns[0].std, own.columns[0].log) == (2, 1, False)
    assert own.columns[2].mean == pytest.approx(only.columns[2].mean)
    assert own.columns[2].std == pytest.approx(only.columns[2].std)


def test_words_that_hardly_repeat_are_left_out(tmp_path):
    rows = "\n".join(f"{i % 7},remark {i}" for i in range(60))
    features = learn(table(tmp_path, f"a,remark\n{rows}\n"))
    assert features.names == ["a"]
    assert features.notes == ("remark is left out: 60 different words in 60 rows",)


def test_dates_in_training_are_dates_later(tmp_path):
    features = learn(table(tmp_path, "d\n25/01/2020\n26/02/2021\n"))
    later = table(tmp_path, "d\n03/04/2020\n", "t.csv")
    assert features.raw(later)[0, 0] == pytest.approx(20 + (31 + 29 + 31 + 2) / 366)
    assert np.isnan(features.raw(table(tmp_path, "d,e\n,1\n", "t.csv"))).all()
    with pytest.raises(
        DataError, match="line 2: column d is 'soon', but dates that begin with the"
    ):
        features.raw(table(tmp_path, "d\nsoon\n", "t.csv"))
