"""What a study has found, as JSON, and claims that do not hold."""

from __future__ import annotations

import json

import pytest

from fathom.core.findings import ClaimError, Findings, Number, Table


def test_findings_are_json():
    found = Findings(
        numbers={"time": Number(1.5, "s"), "plain": 2.0},
        tables={"T": Table(["a", "b"], [(1, "x"), (2, "y")])},
        claims={"one": True},
    ).as_json()
    assert json.loads(json.dumps(found)) == {
        "numbers": {"time": {"value": 1.5, "unit": "s"}, "plain": {"value": 2.0}},
        "tables": {"T": {"columns": ["a", "b"], "rows": [[1, "x"], [2, "y"]]}},
        "claims": {"one": True},
    }
    assert Findings().as_json() == {}


def test_the_first_claim_that_fails_is_named():
    Findings(claims={"one": True}).check("study")
    with pytest.raises(ClaimError, match="study: this does not hold here: two;") as caught:
        Findings(claims={"one": True, "two": False, "three": False}).check("study")
    assert caught.value.exit_status == 1


def test_files_are_left_for_the_run_s_folder():
    assert Findings(files={"race.gif": b"GIF89a"}).as_json() == {}


def test_findings_of_two_are_those_of_both_and_the_later_of_one_name():
    one = Findings({"a": 1.0, "b": 2.0}, claims={"it holds": True})
    both = one | Findings({"b": 3.0}, {"T": Table(["x"], [[1]])}, files={"t.csv": b"x"})
    assert both.numbers == {"a": 1.0, "b": 3.0}
    assert set(both.tables) == {"T"}
    assert both.files == {"t.csv": b"x"}
    assert both.claims == one.claims
    assert one.numbers == {"a": 1.0, "b": 2.0}
