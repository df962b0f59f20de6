"""House prices, and tables of one's own: folds, entry, predictions, and what is refused."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from sklearn.linear_model import Ridge

from calling import UNMEASURED, call, done
from fathom.core.catalogue import load
from fathom.core.paths import data_dirs
from fathom.core.seeds import seed_everything
from fathom.data import house_prices as ames

LONG = ["--epochs", 150, "--lr", 0.02]


def build(seed=0, **given):
    """The recipe's experiment, and what it made of the table."""
    seed_everything(seed)
    recipe = load("house-prices")
    return recipe.function(**recipe.settings(given))


def trained(experiment, epochs, seed=0):
    for epoch in range(epochs):
        for inputs, targets in experiment.train.epoch(seed, epoch):
            experiment.optimizer.zero_grad()
            experiment.objective(experiment.model(inputs), targets).backward()
            experiment.optimizer.step()
    return experiment.model.eval()


@pytest.fixture(scope="module")
def entry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("entry") / "run"
    done("run", "house-prices", "--data", "made", *LONG, "--out", folder, "--quiet", *UNMEASURED)
    return folder


def scores(folder):
    facts = json.loads((folder / "run.json").read_text())
    return facts["findings"]["tables"]["Folds"]["rows"]


def test_each_fold_ends_at_the_closed_form_of_ridge_regression(entry):
    """All from the run's weight file, NumPy and scikit-learn: scales, solution, held-out error."""
    experiment = build(data="made")
    weights = load_file(entry / "model.safetensors")
    x = experiment.valid.inputs.double().numpy()
    y = experiment.valid.targets[:, 0].double().numpy()
    for fold, row in enumerate(scores(entry)[:-1]):
        held = experiment.valid.targets[:, fold + 1].numpy() == 1
        mean, std, log = (weights[f"members.{fold}.0.{n}"] for n in ("mean", "std", "log"))
        values = np.where(log == 1, np.log1p(np.maximum(x, 0)), x)
        scaled = np.nan_to_num((values - mean) / std).clip(-3, 3)
        centre, spread = y[~held].mean(), y[~held].std()
        # Adam's L2 term is the slope of half the penalty, beside the mean squared error.
        # It decays the bias too: a column of ones and no intercept.
        alpha = 0.05 / 2 * (~held).sum()
        scaled = np.concatenate([scaled, np.ones((len(x), 1))], axis=1)
        solved = Ridge(alpha, fit_intercept=False)
        solved.fit(scaled[~held], (y[~held] - centre) / spread)
        error = solved.predict(scaled[held]) * spread + centre - y[held]
        assert row[3] == pytest.approx(math.sqrt((error**2).mean()), rel=0.002)
        found = [*weights[f"members.{fold}.1.weight"][0], *weights[f"members.{fold}.1.bias"]]
        assert np.abs(found - solved.coef_).max() < 0.003


def test_scales_are_learned_from_the_fold_s_training_rows_alone(entry):
    table = ames.made()[0]
    weights = load_file(entry / "model.safetensors")
    experiment = build(data="made")
    names = [name for name in table.columns if name not in ("Id", ames.TARGET)]
    assert names[0] == "Neighborhood"
    quality = 3 + 2 + 2 + 2 + 1  # of (empty) and (other) each word column has one
    values = table["OverallQual"]
    assert np.array_equal(experiment.valid.inputs[:, quality].numpy(), values)
    for fold in range(5):
        own = values[experiment.valid.targets[:, fold + 1].numpy() == 0]
        assert weights[f"members.{fold}.0.mean"][quality] == pytest.approx(own.mean(), rel=1e-6)
        assert weights[f"members.{fold}.0.std"][quality] == pytest.approx(own.std(ddof=1), rel=1e-6)


@pytest.mark.parametrize("model", ["linear", "mlp"])
def test_no_fold_learns_from_what_it_holds_out(tmp_path, model):
    """With other targets and other inputs in the rows of fold 0, member 0 stays as it was, bit by
    bit; all others change."""
    random = np.random.default_rng(0)
    rows = random.normal(3, 1, (60, 3)).round(3)
    rows[:, 2] += 5
    states = []
    for name in ("before", "after"):
        text = "\n".join(",".join(map(str, row)) for row in rows.tolist())
        (tmp_path / f"{name}.csv").write_text(f"a,b,price\n{text}\n")
        experiment = build(
            data=str(tmp_path / f"{name}.csv"), target="price", split="blocks", model=model
        )
        held = experiment.valid.targets[:, 1] == 1
        assert held.nonzero().flatten().tolist() == list(range(12))
        states.append(trained(experiment, 3).state_dict())
        rows[:12] += 1
    for key, value in states[0].items():
        same = torch.equal(value, states[1][key])
        assert same if key.startswith("members.0.") else (not same or "log" in key), key


def test_the_entry_is_the_mean_of_the_folds_in_the_contest_s_form(entry, tmp_path):
    with open(entry / "submission.csv", newline="") as file:
        head, *rows = list(csv.reader(file))
    assert head == ["Id", "SalePrice"]
    unpriced = ames.made()[1]
    assert [int(row[0]) for row in rows] == [int(i) for i in unpriced["Id"]]
    experiment = build(data="made")
    state = {k: torch.from_numpy(v) for k, v in load_file(entry / "model.safetensors").items()}
    experiment.model.load_state_dict(state)
    path = tmp_path / "unpriced.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(unpriced.columns)
        columns = [
            ["" if v is None or v != v else v for v in unpriced[name]] for name in unpriced.columns
        ]
        writer.writerows(zip(*columns, strict=True))
    _, inputs = experiment.predictor.read([str(path)])
    with torch.no_grad():
        logs = torch.stack([member(inputs)[:, 0] for member in experiment.model.eval().members])
    expected = logs.mean(0).exp().tolist()
    assert [float(row[1]) for row in rows] == pytest.approx(expected, rel=1e-5)
    target = tmp_path / "again.csv"
    done("predict", entry, path, "--save", target)
    assert target.read_text().splitlines()[0] == "Id,SalePrice"
    with open(target, newline="") as file:
        again = list(csv.reader(file))[1:]
    assert [row[0] for row in again] == [row[0] for row in rows]
    assert [float(r[1]) for r in again] == pytest.approx([float(r[1]) for r in rows], rel=1e-6)


def test_the_ensemble_of_an_exported_graph_takes_the_columns_as_they_stand(entry, tmp_path):
    target = tmp_path / "model.pt"
    done("export", entry, "--to", "torchscript", "--out", target)
    experiment = build(data="made")
    inputs = experiment.valid.inputs[:3]
    state = {k: torch.from_numpy(v) for k, v in load_file(entry / "model.safetensors").items()}
    experiment.model.load_state_dict(state)
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.load(target)(inputs), experiment.model.eval()(inputs))


MINE = [
    "面积,区,Größe,成交日期,价格,备注",
    *(
        f"{'' if i % 9 == 0 else 40 + 7 * i % 90},{'朝阳' if i % 3 else '海淀'},"
        f"{['a', 'b', ''][i % 3]},{2015 + i % 8}年{1 + i % 12}月{1 + i % 28}日,"
        f"{100 + 2 * (7 * i % 90) + (40 if i % 3 else 0)},第{i}行"
        for i in range(80)
    ),
]


def test_a_table_of_one_s_own_trains_and_predicts(tmp_path):
    (tmp_path / "my.csv").write_text("\n".join(MINE), encoding="utf-8-sig")
    (tmp_path / "new.csv").write_text(
        "面积,区,Größe,成交日期,x\n100,海淀,a,2020年5月1日,9\n,新,,,9\n"
    )
    run = tmp_path / "run"
    words = ["--data", tmp_path / "my.csv", "--target", "价格", "--test", tmp_path / "new.csv"]
    done("run", "house-prices", *words, *LONG, "--out", run, "--quiet", *UNMEASURED)
    values = [float(line.split(",")[4]) for line in MINE[1:]]
    untold = np.log(values).std()
    assert scores(run)[-1][3] < untold / 2, "held-out rows are told better than by their mean"
    assert (run / "submission.csv").read_text().startswith("row,价格\n1,")
    rows = done("predict", run, tmp_path / "new.csv", "面积=100,区=海淀", "--json").json
    assert [row["input"] for row in rows] == ["1", "2", "3"]
    assert all(100 < row["价格"] < 320 for row in rows)


def test_a_target_that_may_be_negative_is_not_taken_as_a_logarithm(tmp_path):
    rows = [f"{i % 10},{(i % 10) * 2 - 9 + 0.01 * (i % 7)}" for i in range(60)]
    (tmp_path / "my.csv").write_text("a,y\n" + "\n".join(rows))
    run = tmp_path / "run"
    words = ["--data", tmp_path / "my.csv", "--target", "y", "--weight-decay", 0]
    facts = done(
        "run", "house-prices", *words, *LONG, "--out", run, "--json", "--quiet", *UNMEASURED
    ).json
    assert facts["final"]["valid"]["rmse"] < 0.2
    (row,) = done("predict", run, "a=4", "--json").json
    assert row["y"] == pytest.approx(-1, abs=0.2)


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("", [], "my.csv: is empty; "),
        ("a,price\n", [], "my.csv: has a header and no rows"),
        ("a,price\n1,2\n1,2,3\n", [], "my.csv line 3: has 3 columns, the header has 2"),
        ("a,prize\n1,2\n", [], "my.csv: has no column price; did you mean 'prize'?"),
        ("a,price\n1,x\n2,y\n", [], "my.csv line 2: column price holds words ('x'), not numbers"),
        ("a,price\n1,2\n2,\n", [], "my.csv line 3: column price, the target, is empty"),
        ("a,price\n1,2\n2,2\n", [], "my.csv: column price is always 2; "),
        ("a,price\n1,2\n2,3\n", [], "--folds 5: 2 rows cannot be held out in 5 parts; give 2 to 2"),
        ("price\n1\n2\n3\n5\n9\n", [], "my.csv: has no columns left to learn from"),
        (
            "a,price\n1,2\n2,3\n",
            ["--words", "pric"],
            "column pric: is not in the table; did you mean 'price'?",
        ),
        ("a,price\n1,2\n2,3\n", ["--leak"], "--leak: there are no test rows to learn from"),
    ],
)
def test_each_fault_of_a_table_is_one_clear_line(tmp_path, text, words, message):
    (tmp_path / "my.csv").write_text(text)
    given = ["--data", tmp_path / "my.csv", "--target", "price", *words]
    said = call("run", "house-prices", *given, "--out", tmp_path / "run", "--quiet")
    assert said.status in (2, 3)
    assert message in said.error


def test_words_mean_nothing_to_the_made_sample(tmp_path):
    said = call("try", "house-prices", "--words", "x", "--out", tmp_path / "run", "--quiet")
    assert "--words: does not apply to the made sample" in said.error


def test_a_rate_given_later_takes_the_place_of_the_recipe_s(tmp_path):
    run = tmp_path / "run"
    done("try", "house-prices", "--epochs", 1, "--out", run, "--quiet", *UNMEASURED)
    before = load_file(run / "model.safetensors")
    done("resume", run, "--epochs", 2, "--lr", 1e-9, "--quiet")
    for key, value in load_file(run / "model.safetensors").items():
        assert np.abs(value - before[key]).max() < 1e-6, key


@pytest.mark.parametrize(
    ("words", "least", "most"),
    [
        (["--leak"], 0.1700, 0.1713),  # the published range: the book learns from all rows
        ([], 0.1680, 0.1706),
        (["--encoding", "rich", "--words", "MSSubClass", "--epochs", 60], 0.12, 0.13),
    ],
)
def test_the_book_s_model_on_the_contest_s_data(tmp_path, words, least, most):
    if not any((folder / ames.SOURCE.name).is_dir() for folder in data_dirs()):
        pytest.skip("house-prices is not in $FATHOM_DATA")
    run = tmp_path / "run"
    done("run", "house-prices", *words, "--out", run, "--quiet", *UNMEASURED)
    assert least < scores(run)[-1][3] < most
    assert len((run / "submission.csv").read_text().splitlines()) == 1460
