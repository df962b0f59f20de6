"""A table made ready for k-fold cross-validation: what each fold learned of it, and the batches.

Source   Book 4.10.
Differs  The book standardises with the rows to be predicted and those held out; here each fold
         learns means and deviations from its own training rows, unless the leak is asked for.
Shapes   N rows, F features, K folds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fathom.core.errors import DataError
from fathom.core.kept import keep_facts, known_as
from fathom.data.cross_validation import counted, folds, means
from fathom.data.features import Features, Scales, learn
from fathom.data.tables import Numbers, Table

KEPT = "folds.json"
CLIP = 3.0  # deviations: what lies further out than 99.7 % of a bell says no more than "far out"


@dataclass(frozen=True)
class Learned:
    """What was learned of a table: features, and for each fold their scales and the target's.

    The target is learned as it is or, with `log`, as its logarithm; `targets` holds centre and
    scale of it for each fold. It is `positive` where it is always so.
    """

    features: Features
    scales: list[Scales]
    targets: list[tuple[float, float]]
    log: bool
    positive: bool

    def as_facts(self) -> dict[str, Any]:
        scales = [[column.tolist() for column in fold] for fold in self.scales]
        told = {"log": self.log, "positive": self.positive, "targets": self.targets}
        return {**told, **self.features.as_facts(), "scales": scales}

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> Learned:
        scales = [
            Scales(*(torch.tensor(column, dtype=torch.float64) for column in fold))
            for fold in facts["scales"]
        ]
        targets = [(float(centre), float(scale)) for centre, scale in facts["targets"]]
        told = bool(facts["log"]), bool(facts["positive"])
        return cls(Features.of_facts(facts), scales, targets, *told)


@dataclass(frozen=True)
class TableFolds(Learned):
    """And its rows as they stand. `train` and `valid` are (N, 1 + K): see `counted`."""

    inputs: Tensor
    fold: Tensor
    train: Tensor
    valid: Tensor

    def squared_error(self, outputs_BK: Tensor, targets: Tensor) -> Tensor:
        """The mean over the folds of each one's mean squared error, in units of its scale."""
        scales_K = outputs_BK.new_tensor([scale for _, scale in self.targets])
        errors_BK = (outputs_BK - targets[:, :1]) / scales_K
        return means(errors_BK.square(), targets[:, 1:]).mean()

    def score(self, outputs_BK: Tensor, targets: Tensor) -> Tensor:
        """The mean over the folds of each one's root mean squared error (of logarithms if > 0)."""
        return self.scores(outputs_BK, targets).mean()

    def scores(self, outputs_BK: Tensor, targets: Tensor) -> Tensor:
        """(K,): of each fold."""
        target_B1 = targets[:, :1]
        if self.positive and not self.log:  # as the book: a price under 1 dollar counts as 1
            outputs_BK = outputs_BK.clamp(min=self.targets[0][1]).log()
            target_B1 = target_B1.log()
        return means((outputs_BK - target_B1).square(), targets[:, 1:]).sqrt()

    def values(self, outputs: Tensor) -> Tensor:
        """What the outputs say, in the target's own unit."""
        return outputs.exp() if self.log else outputs


def fold_table(
    table: Table,
    target: str,
    k: int,
    *,
    rich: bool,
    shuffle_seed: int | None = None,
    leak: Table | None = None,
) -> TableFolds:
    """`table` without the column that names its rows, ready for `k` folds.

    `rich` takes logarithms of skewed columns and of a target that is always positive, and clips;
    without it numbers are standardised as in the book. All folds learn their scales from `leak`
    too, if it is given, as the book does. For a trained model all that was learned is known, and no
    fold has seen any of the rows. Raises DataError as `Table.target` and `learn` do.
    """
    values = table.target(target)
    if (learned := known_as(KEPT, Learned.of_facts)) is not None:
        return _unseen(table, values, target, learned)
    if values.min() == values.max():
        raise DataError(table.file, f"column {target} is always {values[0]:g}", "choose another")
    positive = bool(values.min() > 0)
    log = rich and positive
    target_N = torch.from_numpy(np.log(values) if log else values).float()
    fold_N = folds(len(table), k, shuffle_seed=shuffle_seed)

    unlearned = [name for name in (target, table.row_names()) if name is not None]
    inputs = table.without(*dict.fromkeys(unlearned))
    seen = inputs if leak is None else inputs.above(leak)
    features = learn(seen, logs=rich, clip=CLIP if rich else math.inf)
    scales, targets = [], []
    # In dollars the book's prices have a deviation of five digits: so have others in their unit.
    unit = 10.0 ** round(math.log10(values.std()) - 5)
    for fold in range(k):
        rows = torch.nonzero(fold_N != fold).flatten().numpy()
        own = features if leak is not None else features.learned_from(inputs.rows(rows))
        scales.append(own.scales)
        trained = target_N[torch.from_numpy(rows)]
        spread = float(trained.std(correction=0)) or 1.0
        targets.append((float(trained.mean()), spread) if rich else (0.0, unit))
    raw = torch.from_numpy(features.raw(inputs)).float()
    train, valid = counted(target_N, fold_N, k)
    found = TableFolds(features, scales, targets, log, positive, raw, fold_N, train, valid)
    keep_facts(KEPT, found.as_facts)
    return found


def _unseen(table: Table, values: Numbers, target: str, learned: Learned) -> TableFolds:
    """Rows that all folds are measured on, as they learned to read others."""
    if learned.positive and values.min() <= 0:
        line = table.lines[int(values.argmin())]
        wrong = f"column {target} is {values.min():g}, where it was always above 0 in training"
        raise DataError(f"{table.file} line {line}", wrong, "mend or drop the row")
    target_N = torch.from_numpy(np.log(values) if learned.log else values).float()
    counts_NK = torch.ones(len(table), len(learned.targets))
    rows = torch.cat([target_N[:, None], counts_NK], dim=1)
    return TableFolds(
        learned.features,
        learned.scales,
        learned.targets,
        learned.log,
        learned.positive,
        torch.from_numpy(learned.features.raw(table)).float(),
        fold=torch.zeros(len(table), dtype=torch.int64),
        train=rows,
        valid=rows,
    )
