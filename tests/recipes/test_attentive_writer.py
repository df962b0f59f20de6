"""`deep-rnn --cell attention`: a Transformer that only writes, in the place of recurrences."""

from __future__ import annotations

import pytest
import torch

from calling import UNMEASURED, call, done
from fathom.core.catalogue import load
from fathom.models.gpt import GPT
from fathom.recipes.recurrent import _read

SMALL = dict(data="pydoc", tokens=2_000, num_steps=12, hidden_size=16, batch_size=8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    run = tmp_path_factory.mktemp("attentive") / "run"
    words = ["--cell", "attention", "--lr", 0.003, "--order", "random", "--hidden-size", 64]
    done("try", "deep-rnn", *words, "--epochs", 25, "--out", run, "--quiet", *UNMEASURED)
    return run


def test_it_learns_and_goes_on(trained):
    facts = done("eval", trained, "--json").json
    assert facts["scores"]["valid"]["perplexity"] < 14, "frequencies alone give about 14"
    (row,) = done("predict", trained, "the class ", "--length", 80, "--json").json
    assert len(row["continuation"]) == 80


def test_what_goes_on_with_a_cache_is_what_goes_on_without(trained):
    """Until the context is full, every token is the likeliest after all that is before it."""
    from fathom.cli.use import trained_model, trained_run

    prepared = trained_model(trained_run(str(trained)), "cpu")
    model, writer = prepared.experiment.model.eval(), prepared.experiment.predictor
    written = writer.continued(model, "the ", length=25)
    ids = writer.encode("the ")
    for character in written:
        with torch.no_grad():
            best = int(model(torch.tensor([ids]))[0, -1].argmax())
        assert writer.vocab.decode([best]) == [character]
        ids.append(best)


@torch.no_grad()
def test_it_is_measured_on_what_it_can_see():
    experiment = load("deep-rnn").function(**SMALL, cell="attention", order="random", lr=0.01)
    assert isinstance(experiment.model, GPT)
    assert isinstance(experiment.optimizer, torch.optim.Adam)
    (tokens, _), _ = next(iter(experiment.valid.epoch(0, 0)))
    assert tokens.shape[1] == 12
    model, text = experiment.model.eval(), experiment.valid.ids[None, :30].long()
    whole = model(text[:, :12])
    torch.testing.assert_close(_read(model, text)[:, :12], whole)
    assert _read(model, text).shape[:2] == (1, 30)


def test_heads_share_what_there_is():
    said = call("run", "deep-rnn", "--cell", "attention", "--hidden-size", 30)
    assert (said.status, "--hidden-size 30: is no multiple of 4" in said.error) == (2, True)
