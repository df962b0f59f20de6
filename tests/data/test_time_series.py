"""Series: the sine, files with dates and several variables, windows; every fault by its line."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from fathom.core.errors import DataError, SettingError
from fathom.data.series import load_series, scale_of, sine, windows


def written(tmp_path, text):
    path = tmp_path / "series.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_sine_is_the_book_s():
    series = sine(0)
    assert series.values.shape == (1000, 1)
    noise = series.values[:, 0] - torch.sin(0.01 * torch.arange(1, 1001))
    assert float(noise.std()) == pytest.approx(0.2, rel=0.1)
    assert not torch.equal(sine(1).values, series.values)


def test_windows_are_the_rows_before_each_row():
    values = torch.arange(14.0).reshape(7, 2)
    inputs, after = windows(values, 3)
    assert inputs.shape == (4, 3, 2)
    for n in range(4):
        assert torch.equal(inputs[n], values[n : n + 3])
        assert torch.equal(after[n], values[n + 3])


def test_a_file_with_dates_and_several_variables(tmp_path):
    rows = "\n".join(f"2021-{m:02}-01,{m},{m * 10}" for m in range(1, 13))
    series = load_series(written(tmp_path, f"when,rain,sun\n{rows}"), target="sun")
    assert series.names == ["sun", "rain"]
    assert series.clock == "when"
    assert series.dates[1] == "2021-02-01"
    assert float(series.times[1]) == pytest.approx(2021 + 31 / 365)
    np.testing.assert_allclose(series.values[:, 0], 10 * np.arange(1, 13))
    scale = scale_of(series.values)
    scaled = scale.apply(series.values)
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(scaled.std(0, correction=0), 1, rtol=1e-6)
    torch.testing.assert_close(scale.undo(scaled), series.values)


def test_without_dates_the_steps_are_counted(tmp_path):
    series = load_series(written(tmp_path, "x\n1.5\n2.5\n"))
    assert (series.clock, series.times.tolist(), series.dates) == ("step", [1, 2], [])


def test_a_variable_that_never_changes_is_no_division_by_zero():
    scale = scale_of(torch.ones(5, 1))
    assert math.isfinite(float(scale.apply(torch.ones(5, 1)).sum()))


@pytest.mark.parametrize(
    ("text", "place", "wrong"),
    [
        ("d,x\n2020-01-02,1\n2020-01-01,2\n", "line 3", "goes back, from 2020-01-02 to 2020-01-01"),
        ("d,x\n2020-01-02,1\n,2\n", "line 3", "column d is empty"),
        ("d,x\n2020-01-02,1\n2020-01-03,\n", "line 3", "column x, the target, is empty"),
        ("d,x\nmonday,1\ntuesday,2\n", "line 2", "words that are no dates"),
        ("a,b,x\nu,v,1\nu,w,2\n", "", "has 2 columns that are no numbers"),
        ("a\nu\nv\n", "", "no column of numbers"),
        ("", "", "is empty"),
        ("x,y\n1,2\n3\n", "line 3", "has 1 columns"),
        ("x\n1\n\x00\n", "line 3", "NUL"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path, text, place, wrong):
    with pytest.raises(DataError) as error:
        load_series(written(tmp_path, text))
    assert wrong in str(error.value)
    assert place in str(error.value)


def test_what_is_neither_sine_nor_file(tmp_path):
    with pytest.raises(SettingError, match="name sine or a"):
        load_series("cosine")
    with pytest.raises(DataError, match="does not exist"):
        load_series(str(tmp_path / "none.csv"))
    with pytest.raises(SettingError, match="does not apply"):
        load_series("sine", target="x")
