"""Errors: one line, the contract's exit status, whole out of other processes."""

from __future__ import annotations

import copy
import multiprocessing
import pickle

import pytest

from fathom.core import errors
from fathom.core.errors import (
    DataError,
    FathomError,
    StoppedError,
    did_you_mean,
    nearest,
)

STATUS = {
    "FathomError": 1,
    "SettingError": 2,
    "DataError": 3,
    "CheckpointError": 4,
    "DivergedError": 5,
    "WorkerError": 6,
    "ResourceError": 7,
    "ServerError": 8,
}


@pytest.mark.parametrize(("name", "status"), STATUS.items())
def test_the_exit_status_is_the_contract_s(name, status):
    assert getattr(errors, name)("a", "b", "c").exit_status == status


@pytest.mark.parametrize(("signal", "status"), [(2, 130), (15, 143)])
def test_a_signal_s_status_is_the_shell_s(signal, status):
    assert StoppedError("a", "b", "c", signal=signal).exit_status == status


MADE = [getattr(errors, name)("t", "w", "r") for name in STATUS] + [
    StoppedError("t", "w", "r", signal=15)
]


@pytest.mark.parametrize("error", MADE, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("how", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_they_are_the_same_out_of_a_pickle(error, how):
    error.more = [1]
    found = how(error)
    assert type(found) is type(error)
    assert str(found) == str(error) == "t: w; r"
    assert vars(found) == vars(error)
    assert found.args == error.args
    assert found.exit_status == error.exit_status


def test_they_come_out_of_a_process_with_their_words():
    with multiprocessing.get_context("fork").Pool(1) as pool, pytest.raises(DataError) as caught:
        pool.apply(fail)
    assert str(caught.value) == "a.csv line 3: has 2 columns; mend it"
    assert caught.value.thing == "a.csv line 3"


def fail() -> None:
    raise DataError("a.csv line 3", "has 2 columns", "mend it")


@pytest.mark.parametrize(
    ("word", "found"), [("lennet", "lenet"), ("mpl", "mlp"), ("zebra", None), ("", None)]
)
def test_near_words(word, found):
    assert nearest(word, ["lenet", "mlp", "softmax-regression"]) == found


def test_the_remedy_is_the_near_word_or_another():
    assert did_you_mean("lennet", ["lenet"], "see the list") == "did you mean 'lenet'?"
    assert did_you_mean("zebra", ["lenet"], "see the list") == "see the list"


def test_every_error_is_a_fathom_error():
    assert all(isinstance(error, FathomError) for error in MADE)
