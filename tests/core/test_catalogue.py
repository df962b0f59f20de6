"""The catalogue: every recipe once, in the book's order, read without importing it."""

from __future__ import annotations

import csv
import importlib
import os
from pathlib import Path

import pytest

from fathom.core.catalogue import entries, find, load
from fathom.core.errors import SettingError

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = Path(os.environ.get("FATHOM_DATA", ROOT.parent / "shared" / "data")).parent
READY = [entry for entry in entries() if entry.status == "ready"]


@pytest.fixture
def book():
    path = CATALOGUE / "catalogue.tsv"
    if not path.is_file():
        pytest.skip("the book's catalogue is not here")
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_each_name_is_there_once():
    names = [entry.recipe for entry in entries()]
    assert len(set(names)) == len(names)


def test_ready_and_planned_are_the_book_s(book):
    assert sorted(e.recipe for e in entries()) == sorted(row["recipe"] for row in book)


def test_each_row_says_what_the_book_s_says(book):
    rows = {row["recipe"]: row for row in book}
    for entry in entries():
        row = rows[entry.recipe]
        for name in ("section", "kind", "title", "zh"):
            assert getattr(entry, name) == row[name], (entry.recipe, name)


def test_the_order_is_the_book_s(book):
    assert [e.section for e in entries()] == [row["section"] for row in book]


def test_sections_are_numbers_not_words():
    sections = [entry.section for entry in entries()]
    assert sections.index("4.9") < sections.index("4.10")
    chapters = [s.split(".")[0] for s in sections]
    assert chapters.index("9") < chapters.index("10")
    assert sections[-1].startswith("F.")


@pytest.mark.parametrize("chapter", ["2", "6", "13", "F"])
def test_a_chapter_holds_its_own(chapter):
    expected = [e for e in entries() if e.section.split(".")[0] == chapter]
    assert entries(chapter) == expected
    assert expected


def test_an_unknown_chapter_names_the_known():
    with pytest.raises(SettingError, match=r"known: 2, 3, .* 16, F"):
        entries("99")


@pytest.mark.parametrize("entry", READY, ids=[e.recipe for e in READY])
def test_what_is_read_as_text_is_what_is_imported(entry):
    module = importlib.import_module(entry.module)
    recipe = getattr(module, entry.recipe.replace("-", "_")).__recipe__
    assert load(entry.recipe) is recipe
    for name in ("section", "kind", "title", "zh", "minutes"):
        assert getattr(recipe, name) == getattr(entry, name), name
    assert recipe.name == entry.recipe
    data = recipe.arguments.get("data")
    assert entry.data == (data.default if data else "-")
    assert entry.sample_data == recipe.sample.get("data", entry.data)


@pytest.mark.parametrize("word", ["LeNet", "lenet", "softmax_regression"])
def test_names_are_found_however_they_are_written(word):
    assert find(word).recipe == word.lower().replace("_", "-")


def test_a_near_name_is_offered():
    with pytest.raises(SettingError, match="did you mean 'linear-regression'"):
        find("linear-regresion")


def test_a_planned_recipe_is_not_loaded():
    planned = next(entry for entry in entries() if entry.status == "planned")
    with pytest.raises(SettingError, match="is planned and not written yet"):
        load(planned.recipe)
