"""What a run keeps of its words, and where it is found again."""

from __future__ import annotations

from fathom.core.vocabularies import keep, known, vocabularies


def test_what_is_made_while_an_experiment_is_built_is_kept():
    with vocabularies() as made:
        assert known("source") is None
        keep("source", lambda: "words")
    assert made == {"source": "words"}


def test_what_the_run_knows_is_found_and_only_then():
    with vocabularies({"source": "words"}) as made:
        assert known("source") == "words"
        assert known("target") is None
    assert known("source") is None
    assert made == {}


def test_without_a_run_nothing_is_kept_nor_made_for_it():
    def never() -> str:
        raise AssertionError("nobody asked for it")

    keep("source", never)
