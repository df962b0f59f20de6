"""Tables: a number predicted from columns of numbers, words and dates (book 4.10)."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from fathom.core.arguments import Bounds, Count, Impl, NonNegative, Rate
from fathom.core.errors import SettingError
from fathom.core.experiment import Experiment
from fathom.core.findings import Findings, Number, Table
from fathom.core.order import derive
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data import house_prices as ames
from fathom.data.batches import TensorBatches
from fathom.data.features import Word
from fathom.data.table_folds import TableFolds, fold_table
from fathom.data.table_rows import COUNTED, read_rows, row_labels, submission
from fathom.data.table_sources import load_tables
from fathom.data.tables import Table as Data
from fathom.models.folds import fold_networks
from fathom.plots.scalars import bars, scatter_fit
from fathom.predictors.tabular import RowPredictor
from fathom.recipes.libraries import library
from fathom.recipes.schedules import cosine

SHOWN = 12


@recipe(
    section="4.10",
    title="Kaggle: house prices",
    zh="预测房价",
    sample=dict(data="made", epochs=60),
    minutes=0.2,
    book="5-fold log-rmse 0.1706 [0.1700, 0.1713]",
    ours="0.1696 without the book's leak, 0.1709 with it; 0.1239 with rich encoding",
)
def house_prices(
    data: Annotated[str, "house-prices, made, or a .csv file"] = "house-prices",
    *,
    target: str = ames.TARGET,
    test: str | None = None,
    words: list[str] | None = None,
    impl: Impl = "torch",
    encoding: Literal["book", "rich"] | None = None,
    model: Literal["linear", "mlp"] = "linear",
    hidden: Count = 64,
    folds: Annotated[int, Bounds(at_least=2)] = 5,
    split: Literal["blocks", "shuffled"] | None = None,
    leak: bool = False,
    batch_size: Count = 64,
    lr: Rate | None = None,
    weight_decay: NonNegative | None = None,
    epochs: Count = 100,
) -> Experiment:
    """Predict a column of a table from the others: the whole of a Kaggle entry, on any table.

    Columns are told apart by what they hold: numbers are standardised, words become a column each,
    dates say when and in which season; an empty cell counts as the mean, or as a word of its own.
    Every fold learns all this from its own training rows, and all folds train side by side. The
    model is their ensemble; each row is validated by the one fold that has not seen it.

    With `--test`, or the contest's own, `submission.csv` is written into the run's folder; so does
    `fathom predict RUN rows.csv --save submission.csv` for other rows. On the contest's data the
    defaults are the book's. Two better entries, and a table of one's own:

        fathom run house-prices --encoding rich --words MSSubClass
        fathom run house-prices --encoding rich --words MSSubClass --model mlp --lr 0.003 \\
            --epochs 60
        fathom run house-prices --data my.csv --target price --test to-be-priced.csv

    A column that counts rows (or is called id) names them and is not learned from, nor is one
    whose words hardly repeat. A word that training never saw counts as none of the known ones. An
    exported model takes the columns as they stand and answers with a guess of each fold; their
    mean is the prediction (with rich encoding, its logarithm).

    Args:
        target: the column to predict
        test: a .csv file of rows to predict, for submission.csv
        words: columns of numbers that are names of kinds, such as MSSubClass
        encoding: as in the book, and so on its data; or rich, and so on others: logarithms of the
            target and of skewed columns, nothing further than 3 deviations out, and a learning
            rate that falls along a cosine
        model: linear as in the book, or with a hidden layer
        hidden: units in the hidden layer of an mlp
        folds: how many parts are held out in turn
        split: into folds in blocks, as in the book and on its data; or shuffled, as other tables
            are, since they may be sorted
        leak: as in the book, learn means and words from the held-out and the test rows too
        lr: learning rate; 5 in the book's encoding, else 0.01
        batch_size: rows in a step for each fold; a small table is taken in sixteen steps
        weight_decay: L2 penalty; 0 in the book's encoding, else 0.05
    """
    lib = library(impl)
    contest = data == ames.SOURCE.name
    rich = encoding == "rich" if encoding else not contest
    shuffled = split == "shuffled" if split else not contest
    table, unpriced = load_tables(data, test, words or [])
    if leak and unpriced is None:
        raise SettingError("--leak", "there are no test rows to learn from", "give --test as well")
    parts = fold_table(
        table,
        target,
        folds,
        rich=rich,
        shuffle_seed=derive(current_seed(), 1) if shuffled else None,
        leak=unpriced if leak else None,
    )
    network = fold_networks(
        parts.scales,
        parts.targets,
        [hidden] if model == "mlp" else [],
        clip=parts.features.clip,
        nn=lib.nn,
    )
    if lr is None:
        lr = 0.01 if rich else 5.0
    if weight_decay is None:
        weight_decay = 0.05 if rich else 0.0
    # The loss is the mean over the folds: each sees that part of its own gradient.
    optimizer = lib.optim.Adam(network.parameters(), lr=lr, weight_decay=weight_decay / folds)
    schedule = None
    if rich:
        schedule = lib.optim.lr_scheduler.LambdaLR(optimizer, cosine(epochs))
    names = table.row_names()
    # Of a batch each fold misses its own part: so many rows that `batch_size` are left for it.
    rows = min(round(batch_size * folds / (folds - 1)), max(len(table) // 16, 8))
    return Experiment(
        network,
        TensorBatches(parts.inputs, parts.train, batch_size=rows),
        parts.squared_error,
        optimizer,
        epochs,
        schedule=schedule,
        schedule_per="epoch",
        valid=TensorBatches(parts.inputs, parts.valid, batch_size=len(table), shuffle=False),
        metrics={"log_rmse" if parts.positive else "rmse": parts.score},
        predictor=RowPredictor(
            lambda given: read_rows(given, parts.features, table.without(target), names),
            parts.values,
            names=names or COUNTED,
            target=target,
        ),
        report=lambda trained: _entry(trained, parts, target, names, unpriced),
    )


def _entry(
    model: torch.nn.Module,
    parts: TableFolds,
    target: str,
    names: str | None,
    unpriced: Data | None,
) -> Findings:
    """Each fold's scores, guesses of held-out rows, what they rest on, and the entry itself."""
    place = next(model.parameters()).device
    inputs = parts.inputs.to(place)
    outputs_NK = model(inputs).cpu()
    train, valid = (parts.scores(outputs_NK, t) for t in (parts.train, parts.valid))
    own_N = outputs_NK.gather(1, parts.fold[:, None])
    guesses, truth = (parts.values(x).flatten() for x in (own_N, parts.train[:, :1]))
    rows: list[list[object]] = [
        [str(fold + 1), int(parts.valid[:, fold + 1].sum()), float(train[fold]), float(valid[fold])]
        for fold in range(len(valid))
    ]
    score = "log-rmse" if parts.positive else "rmse"
    rows.append(["mean", len(truth), float(train.mean()), float(valid.mean())])
    ends = [float(truth.min()), float(truth.max())]
    importance = _importance(model, inputs, outputs_NK.mean(1), parts)
    files = {}
    numbers = {
        f"train {score}": Number(float(train.mean())),
        f"{score} of held-out rows": Number(float(valid.mean())),
    }
    if unpriced is not None:
        x = torch.from_numpy(parts.features.raw(unpriced)).float().to(place)
        values = parts.values(model(x).mean(1)).tolist()
        labels = row_labels(unpriced, names)
        files["submission.csv"] = submission(labels, values, names or COUNTED, target).encode()
        numbers["rows in submission.csv"] = Number(len(values))
    return Findings(
        numbers=numbers,
        tables={"Folds": Table(["held out", "rows", f"train {score}", score], rows)},
        figures={
            "held-out": scatter_fit(
                truth.tolist(),
                guesses.tolist(),
                {"right": (ends, ends)},
                title="each row, by the fold that has not seen it",
                xlabel=target,
                ylabel="guess",
                points="rows",
            ),
            "importance": bars(
                list(importance)[:SHOWN],
                list(importance.values())[:SHOWN],
                title=f"how much the guesses of {target} rest on a column",
                xlabel="change when it is hidden" + (", %" if parts.log else ""),
            ),
        },
        files=files,
    )


def _importance(
    model: torch.nn.Module, inputs_NF: Tensor, guesses_N: Tensor, parts: TableFolds
) -> dict[str, float]:
    """The mean change of a guess when all rows are alike in a column, largest first."""
    before = parts.values(guesses_N)
    found = {}
    start = 0
    for column in parts.features.columns:
        width = len(column.features)
        hidden_NF = inputs_NF.clone()
        if isinstance(column, Word):  # the shares of the words, as a missing number is its mean
            hidden_NF[:, start : start + width] = inputs_NF[:, start : start + width].mean(0)
        else:
            hidden_NF[:, start : start + width] = float("nan")
        after = parts.values(model(hidden_NF).mean(1).cpu())
        change = (after / before - 1) * 100 if parts.log else after - before
        found[column.name] = float(change.abs().mean())
        start += width
    order = np.argsort(list(found.values()))[::-1]
    names = list(found)
    return {names[i]: found[names[i]] for i in order}
