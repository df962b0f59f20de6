"""Both sides: gaps as they should be, the HMM beside the networks, the fraud, and its use."""

from __future__ import annotations

import pytest
import torch

from calling import call, done
from fathom.core.catalogue import load
from fathom.data.gap_batches import NOTHING, GapBatches
from fathom.models.bidirectional import tagger

SMALL = dict(data="pydoc", tokens=3_000, hidden_size=8, num_layers=1)


def test_what_is_hidden_is_asked_and_nothing_else():
    ids = torch.arange(200)
    batches = GapBatches(ids, gap=999, gaps=4, batch_size=6, num_steps=10)
    seen = []
    for (tokens, gapped), (after, missing) in batches.epoch(1, 2):
        assert torch.equal(after, tokens + 1)
        hidden = gapped == 999
        assert (hidden.sum(1) == 4).all()
        assert torch.equal(missing == NOTHING, ~hidden)
        assert torch.equal(missing[hidden], tokens[hidden])
        assert torch.equal(gapped[~hidden], tokens[~hidden])
        seen += tokens[:, 0].tolist()
    assert sorted(seen) == list(range(0, 190, 10))


def test_gaps_are_a_function_of_seed_epoch_and_window():
    batches = GapBatches(torch.arange(200), gap=999, gaps=4, batch_size=6, num_steps=10)

    def gaps(seed, epoch, first=0):
        return {
            int(tokens[0]): (row == 999).tolist()
            for (batch, gapped), _ in batches.epoch(seed, epoch, first)
            for tokens, row in zip(batch, gapped, strict=True)
        }

    assert gaps(0, 0) == gaps(0, 0)
    assert gaps(0, 0) != gaps(0, 1)
    assert gaps(0, 0) != gaps(1, 0)
    assert gaps(0, 3, 2).items() <= gaps(0, 3).items()


@pytest.mark.parametrize("both", [False, True])
def test_who_sees_what(both):
    """A change at one place moves the guesses after it; those before it, if both sides are read."""
    model = tagger(9, hidden_size=6, num_layers=2, bidirectional=both).double()
    one = torch.randint(9, (1, 8))
    other = one.clone()
    other[0, 4] = (one[0, 4] + 1) % 9
    moved = (model(one) - model(other)).abs().amax(2)[0] > 1e-12
    assert moved[4:].all()
    assert moved[:4].all() if both else not moved[:4].any()


def test_both_sides_win_where_a_gap_is_and_lose_where_nothing_follows(tmp_path):
    words = ["--tokens", 20_000, "--hidden-size", 48, "--epochs", 6, "--threads", 1, "--quiet"]
    done("try", "bi-rnn", *words, "--out", tmp_path / "run", "--precision", "fp32")
    facts = done("eval", tmp_path / "run", "--json").json["scores"]["valid"]
    assert facts["both"] < facts["left"] - 0.1
    tables = load_tables(tmp_path / "run")
    shown, unseen, _ = (row[1] for row in tables["The next character, held out"])
    assert shown < 1.5
    assert unseen > 4 * shown
    rows = {row[0]: row for row in tables["A missing character, held out"]}
    assert rows["chain, from both sides"][1] < 0.9 * rows["chain, from the left"][1]
    assert rows["LSTM, from both sides"][1] < 0.9 * rows["LSTM, from the left"][1]
    (row,) = done("predict", tmp_path / "run", "the _unction", "--json").json
    assert len(row["filled"]) == len("the _unction")
    assert row["filled"].replace(row["filled"][4], "_", 1).endswith("unction")


def load_tables(folder):
    import json

    found = json.loads((folder / "run.json").read_text(encoding="utf-8"))["findings"]["tables"]
    return {name: table["rows"] for name, table in found.items()}


def test_the_chain_is_the_exact_posterior_of_its_gaps():
    """A gap between two known letters: P(x | a, b) is P(x | a) P(b | x), up to their sum."""
    from fathom.text import hmm

    experiment = load("bi-rnn").function(**SMALL)
    rows = experiment.train.rows[:, :-1].flatten()
    V = int(rows.max()) + 1
    initial, transition = hmm.chain_of(rows, V, added=0.1)
    window = experiment.valid.rows[:1, :9].long()
    hidden = torch.zeros_like(window, dtype=torch.bool)
    hidden[0, 4] = True
    found = hmm.forward_backward(initial, transition, hmm.seen(window, V, hidden)).smoothed[0, 4]
    expected = transition[window[0, 3]] * transition[:, window[0, 5]]
    torch.testing.assert_close(found, expected / expected.sum())


def test_what_cannot_be_filled_is_named(tried_once):
    run = tried_once("bi-rnn").folder
    said = call("predict", run, "no gap here")
    assert (said.status, "has no gap" in said.error) == (3, True)
    assert "never saw 'é'" in call("predict", run, "caf_ é").error
    assert call("run", "bi-rnn", "--data", "pydoc", "--gaps", 35).status == 2


def test_a_text_too_short(tmp_path):
    (tmp_path / "t.txt").write_text("a short text of some words only", encoding="utf-8")
    said = call("run", "bi-rnn", "--data", tmp_path / "t.txt")
    assert said.status == 3
