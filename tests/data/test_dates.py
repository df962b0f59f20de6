"""Columns of dates: told from words, and placed in time as the calendar has it."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathom.core.errors import DataError
from fathom.data.dates import dates_begin_with, seasons, years_since_2000

FORMS = {
    "year": ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y-%m-%dT12:30:00"],
    "month": ["%m/%d/%Y", "%m-%d-%Y"],
    "day": ["%d/%m/%Y", "%d.%m.%Y", "%d.%m.%Y 12:30"],
}


def form(*cells):
    return dates_begin_with("t.csv", "sold", list(cells), list(range(2, len(cells) + 2)))


def years(first, *cells):
    return years_since_2000("t.csv", "sold", list(cells), list(range(2, len(cells) + 2)), first)


@pytest.mark.parametrize(
    ("first", "written"), [(first, w) for first, forms in FORMS.items() for w in forms]
)
def test_each_way_of_writing_means_the_same_days(first, written):
    days = [date(1999, 2, 28), date(2004, 2, 29), date(2024, 12, 31), date(2010, 7, 13)]
    cells = [day.strftime(written) for day in days]
    assert form(*cells, None) == first
    found = years(first, *cells, None)
    assert np.isnan(found[-1])
    for day, value in zip(days, found, strict=False):
        assert int(value // 1) + 2000 == day.year
        length = 366 if day.year % 4 == 0 else 365
        assert value % 1 == pytest.approx((day.timetuple().tm_yday - 1) / length)


@given(st.dates(min_value=date(1, 1, 1), max_value=date(9998, 12, 31)))
def test_the_next_day_is_one_day_later(day):
    cells = [f"{d.year:04}-{d.month:02}-{d.day:02}" for d in (day, day + timedelta(1))]
    before, after = years("year", *cells)
    assert 1 / 366.01 < after - before < 1 / 364.99


def test_new_year_s_eve_is_next_to_new_year():
    sine, cosine = seasons(years("year", "2020-12-31", "2021-01-01", "2021-07-02"))
    assert abs(sine[0] - sine[1]) + abs(cosine[0] - cosine[1]) < 0.04
    assert cosine[2] < -0.99


@pytest.mark.parametrize(
    "cells", [("x", "2020-01-01"), ("2021-02-29",), ("13/13/2020",), (), (None,)]
)
def test_what_is_no_column_of_dates(cells):
    assert form(*cells) is None


def test_one_row_tells_for_the_whole_column():
    assert form("03/04/2020", "25/04/2020") == "day"
    assert form("03/04/2020", "04/25/2020") == "month"
    assert form("03.04.2020") == "day"
    with pytest.raises(DataError, match=r"t\.csv line 3: column sold is '03/04/2020', and no row"):
        form(None, "03/04/2020")


def test_what_is_no_date_later_is_named_by_its_line():
    with pytest.raises(
        DataError, match=r"t\.csv line 3: column sold is 'soon', but dates that beg"
    ):
        years("year", "2020-01-01", "soon")
