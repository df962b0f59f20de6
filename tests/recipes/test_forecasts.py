"""Forecasts: errors so many steps ahead against NumPy, a series of one's own, and its use."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from calling import UNMEASURED, call, done
from fathom.core.catalogue import load
from fathom.core.seeds import seed_everything
from fathom.data.series import sine
from fathom.models.forecaster import forecaster, rolled_out
from fathom.recipes.series import AHEAD

TITLE = "Root mean squared error on what was held out"


def test_going_on_alone_is_a_loop_over_forecasts():
    model = forecaster(3, 2)
    given = torch.randn(5, 3, 2)
    rows = list(given[1])
    for _ in range(6):
        rows.append(model(torch.stack(rows[-3:])[None])[0])
    torch.testing.assert_close(rolled_out(model, given, 6)[1], torch.stack(rows[3:]))


@torch.no_grad()
def test_errors_are_those_of_each_step_ahead():
    seed_everything(0)
    experiment = load("sequence").function()
    seed_everything(0)
    x = sine(0).values[:, 0].numpy()
    table = experiment.report(experiment.model.eval()).tables[TITLE]
    assert [row[0] for row in table.rows] == list(AHEAD)
    for k, forecast, naive in table.rows:
        found, plain, right = [], [], []
        for n in range(600, 1000 - 4 - k + 1):  # the first window that was not trained on
            seen = list(x[n : n + 4])
            for _ in range(k):
                seen.append(float(experiment.model(torch.tensor(seen[-4:])[None, :, None])))
            found.append(seen[-1])
            plain.append(x[n + 3])
            right.append(x[n + 4 + k - 1])
        errors = np.array([found, plain]) - right
        np.testing.assert_allclose([forecast, naive], np.sqrt((errors**2).mean(1)), rtol=1e-5)


def test_the_tail_is_not_trained_on():
    experiment = load("sequence").function()
    assert (experiment.train.examples, experiment.valid.examples) == (600, 396)
    last = experiment.train.targets[-1]
    assert torch.equal(experiment.valid.inputs[0, -1], last)


def test_it_learns_the_sine_down_to_its_noise(tried_once, tmp_path):
    facts = done("try", "sequence", "--json", "--out", tmp_path / "run", *UNMEASURED).json
    assert 0.04 < facts["final"]["valid"]["loss"] < 0.075  # the noise alone has 0.04
    (rows,) = (table["rows"] for table in facts["findings"]["tables"].values())
    one, *_, far = rows
    assert far[1] > 1.5 * one[1]
    assert one[1] < one[2]


@pytest.fixture(scope="module")
def weather(tmp_path_factory):
    """Two variables, one of which follows the other by a day, with dates."""
    folder = tmp_path_factory.mktemp("weather")
    angles = [0.2 * n for n in range(200)]
    days = np.datetime64("2021-01-01") + np.arange(200)
    rows = [
        f"{d},{3 + math.sin(a):.4f},{100 * math.sin(a - 0.2):.4f}"
        for d, a in zip(days, angles, strict=False)
    ]
    (folder / "w.csv").write_text("day,warm,rain\n" + "\n".join(rows))
    run = folder / "run"
    words = ["--data", folder / "w.csv", "--target", "rain", "--epochs", 40, "--quiet"]
    done("run", "sequence", *words, "--out", run, *UNMEASURED)
    return folder, run, angles


def test_a_series_of_one_s_own_goes_on(weather):
    folder, run, angles = weather
    rows = done("predict", run, folder / "w.csv", "--length", 3, "--json").json
    assert [row["ahead"] for row in rows] == [1, 2, 3]
    for row in rows:
        angle = angles[-1] + 0.2 * row["ahead"]
        assert row["rain"] == pytest.approx(100 * math.sin(angle - 0.2), abs=12)
        assert row["warm"] == pytest.approx(3 + math.sin(angle), abs=0.12)


def test_what_cannot_be_gone_on_with(weather, tmp_path, tried_once):
    _, run, _ = weather
    assert "is no .csv file" in call("predict", run, "1,2,3,4").error
    (tmp_path / "other.csv").write_text("rain,snow\n1,2\n2,3\n3,4\n4,5\n")
    assert "has the variables rain, snow" in call("predict", run, tmp_path / "other.csv").error
    (tmp_path / "short.csv").write_text("rain,warm\n1,2\n2,3\n")
    assert "has 2 steps" in call("predict", run, tmp_path / "short.csv").error
    alone = tried_once("sequence").folder
    assert "is not a row of numbers" in call("predict", alone, "1,2,x,4").error
    assert len(done("predict", alone, "1,1,1,1", "--length", 5, "--json").json) == 5


def test_a_series_too_short_for_its_window(tmp_path):
    (tmp_path / "s.csv").write_text("x\n" + "1\n2\n" * 4)
    said = call("run", "sequence", "--data", tmp_path / "s.csv", "--window", 7)
    assert said.status == 2
    assert "--train-share 0.6" in said.error
