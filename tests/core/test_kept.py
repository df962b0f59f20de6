"""What a run keeps of its data, and where it is found again."""

from __future__ import annotations

import json

import pytest

from fathom.core.errors import CheckpointError
from fathom.core.kept import keep, keep_facts, keeping, known, known_as, unread


def test_what_is_learned_while_an_experiment_is_built_is_kept():
    with keeping() as kept:
        assert known("source.tsv") is None
        assert not unread()
        keep("source.tsv", lambda: "words")
    assert kept == {"source.tsv": "words"}


def test_what_the_run_knows_is_found_and_only_then():
    with keeping({"source.tsv": "words"}, unread=True) as kept:
        assert known("source.tsv") == "words"
        assert known("target.tsv") is None
        assert unread()
    assert known("source.tsv") is None
    assert not unread()
    assert kept == {}


def test_one_that_is_built_within_another_knows_its_own_only():
    with keeping({"a": "1"}, unread=True) as outer:
        with keeping() as inner:
            assert known("a") is None
            assert not unread()
            keep("b", lambda: "2")
        keep("c", lambda: "3")
    assert (outer, inner) == ({"c": "3"}, {"b": "2"})


def test_without_a_run_nothing_is_kept_nor_made_for_it():
    def never() -> str:
        raise AssertionError("nobody asked for it")

    keep("source.tsv", never)


def test_facts_come_back_as_they_were_each_on_a_line():
    facts = {"classes": ["猫", 'a "b"'], "mean": 0.1 + 0.2, "scale": None}
    with keeping() as kept:
        keep_facts("x.json", lambda: facts)
    assert json.loads(kept["x.json"]) == facts
    assert len(kept["x.json"].splitlines()) == len(facts) + 2
    assert "猫" in kept["x.json"], "to be read by people"
    with keeping(kept):
        assert known_as("x.json", dict) == facts
        assert known_as("y.json", dict) is None


@pytest.mark.parametrize("text", ["", "{", '{"classes": 3}', "[]", "null"])
def test_facts_that_are_damaged_are_named(text):
    with (
        keeping({"x.json": text}),
        pytest.raises(CheckpointError, match=r"x\.json of the run: is damaged; copy it anew"),
    ):
        known_as("x.json", lambda facts: list(facts["classes"]))
