"""What there is to say of a picture classifier on pictures that it has not seen.

One pass over them: how often each class was known, what it was taken for, and the pictures of
which the network was surest where it was wrong. Those are often mislabelled.

Shapes   N held-out pictures, K classes, C channels, H by W pixels.
"""

from __future__ import annotations

import csv
import heapq
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from fathom.core.experiment import Batches
from fathom.core.findings import Findings, Table
from fathom.data.picture_set import Form, PictureSet
from fathom.metrics import confusion_matrix, precision, recall
from fathom.plots.confusion import confusion_figure
from fathom.plots.pictures import picture_grid, weights_grid

SHOWN = 18  # pictures in a figure
UNITS = 40
MOST_CLASSES = 12  # in a table


@dataclass(frozen=True)
class Seen:
    """Of all pictures (N,): the class, what each was taken for, and with what probability.

    `counts` is their confusion matrix: a row for each class, a column for what it was taken for.
    `kept` holds by their numbers the pictures that are shown, uint8 (C, H, W).
    """

    counts: Tensor
    labels: Tensor
    guesses: Tensor
    sureness: Tensor
    kept: dict[int, Tensor]

    @property
    def wrong(self) -> Tensor:
        """The numbers of those that were taken for another class."""
        return (self.guesses != self.labels).nonzero()[:, 0]

    @property
    def right(self) -> Tensor:
        return (self.guesses == self.labels).nonzero()[:, 0]

    @property
    def surest_first(self) -> Tensor:
        """The numbers of the wrong ones, from the most confident on."""
        order = self.sureness[self.wrong].argsort(descending=True, stable=True)
        return self.wrong[order]


def examined(pictures: PictureSet) -> Callable[[nn.Module, Batches], Findings]:
    """What is to be said of a model on batches of what is held out of `pictures`.

    A model whose first layer is linear also shows its weights: a template for each class if there
    is no other layer, else those of the hidden units with the largest.
    """

    def examine(model: nn.Module, batches: Batches) -> Findings:
        names, files = pictures.classes, pictures.valid.names
        seen = looked_at(model, batches)
        counts_KK = seen.counts
        title = f"{len(seen.labels):,} held out, {len(seen.wrong):,} mistaken"
        figures = {
            "predictions": _mixed(seen, names),
            "confusion": confusion_figure(
                counts_KK, names, recall(counts_KK), precision(counts_KK), title=title
            ),
        }
        kept = {"confusion.csv": _matrix_csv(counts_KK, names)}
        if len(seen.wrong):
            figures["mistakes"] = _worst(seen, names, files)
        if files:
            kept["mistakes.csv"] = _mistakes_csv(seen, names, files)
        if (weights := _first_weights(model, pictures.form, names)) is not None:
            figures["weights"] = weights
        tables = {_heading(len(names)): class_table(counts_KK, names)}
        if len(seen.wrong):
            tables["Most common mistakes"] = mistakes(counts_KK, names)
        return Findings(tables=tables, figures=figures, files=kept)

    return examine


def looked_at(model: nn.Module, batches: Batches) -> Seen:
    """One pass over held-out batches; of the pictures those are kept that are to be shown."""
    device = next(model.parameters()).device
    columns: list[tuple[Tensor, ...]] = []
    first: dict[bool, dict[int, Tensor]] = {True: {}, False: {}}
    surest: list[tuple[float, int, Tensor]] = []  # a heap of the most confident mistakes
    begin = 0
    for inputs, targets in batches.epoch(0, 0):
        logits, labels = model(inputs.to(device)).float().cpu(), targets.cpu().clone()
        sureness, guesses = logits.softmax(1).max(1)
        columns.append((confusion_matrix(logits, labels)[None], labels, guesses, sureness))
        wrong = guesses != labels
        for is_wrong, most in ((True, SHOWN // 3), (False, SHOWN)):
            room = most - len(first[is_wrong])
            for i in (wrong == is_wrong).nonzero()[:room, 0].tolist():
                first[is_wrong][begin + i] = _as_bytes(inputs[i])
        order = torch.where(wrong, sureness, -1).argsort(descending=True, stable=True)[:SHOWN]
        for i in order[wrong[order]].tolist():
            heapq.heappush(surest, (float(sureness[i]), -(begin + i), _as_bytes(inputs[i])))
            if len(surest) > SHOWN:
                heapq.heappop(surest)
        begin += len(labels)
    kept = first[True] | first[False] | {-number: picture for _, number, picture in surest}
    counts, labels, guesses, sureness = (torch.cat(column) for column in zip(*columns, strict=True))
    return Seen(counts.sum(0), labels, guesses, sureness, kept)


def _as_bytes(picture: Tensor) -> Tensor:
    return (picture * 255).round().clamp(0, 255).to(torch.uint8).cpu()


def _heading(classes: int) -> str:
    return "Classes" if classes <= MOST_CLASSES else f"The {MOST_CLASSES} classes least often known"


def class_table(counts_KK: Tensor, classes: Sequence[str]) -> Table:
    """Each class with how many pictures it has here, its recall and its precision; their means.

    Of many classes those that are known least often; a score of nothing is None.
    """
    scores = torch.stack([recall(counts_KK), precision(counts_KK)], dim=1)
    order: Sequence[int] = range(len(classes))
    if len(classes) > MOST_CLASSES:
        order = scores[:, 0].nan_to_num(2.0).argsort(stable=True)[:MOST_CLASSES].tolist()
    held = counts_KK.sum(1).tolist()
    rows = [[classes[i], held[i], *map(_score, scores[i].tolist())] for i in order]
    means = scores.nanmean(0).tolist()
    rows.append(["mean of all", sum(held), *map(_score, means)])
    return Table(["", "held out", "recall", "precision"], rows)


def _score(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)


def mistakes(counts_KK: Tensor, classes: Sequence[str], most: int = 3) -> Table:
    """The pairs of classes that are most often taken for one another."""
    K = len(classes)
    flat = counts_KK.clone().fill_diagonal_(0).flatten()
    order = flat.argsort(descending=True, stable=True)[:most].tolist()
    rows = [[classes[i // K], classes[i % K], int(flat[i])] for i in order if flat[i] > 0]
    return Table(["is", "taken for", "times"], rows)


def _mixed(seen: Seen, names: Sequence[str]) -> Figure:
    """The first mistakes, and then the first that are right."""
    wrong = seen.wrong[: SHOWN // 3].tolist()
    right = seen.right[: SHOWN - len(wrong)].tolist()
    titles = [f"{said}, is {name}" for _, name, said, _ in _rows(seen, wrong, names)]
    titles += [said for _, _, said, _ in _rows(seen, right, names)]
    shown = torch.stack([seen.kept[i] for i in wrong + right])
    marks = [True] * len(wrong) + [False] * len(right)
    return picture_grid(shown, titles, marks, title="held out, and taken for")


def _worst(seen: Seen, names: Sequence[str], files: Sequence[str]) -> Figure:
    """The most confident mistakes, with the file of each if it has one."""
    chosen = seen.surest_first[:SHOWN].tolist()
    titles = []
    for i, name, said, sureness in _rows(seen, chosen, names):
        file = f"\n{Path(files[i]).name}" if files else ""
        titles.append(f"said {said} {sureness:.0%}\nis {name}{file}")
    shown = torch.stack([seen.kept[i] for i in chosen])
    title = f"mistakes, the most confident first ({len(chosen)} of {len(seen.wrong):,})"
    return picture_grid(shown, titles, title=title)


def _rows(
    seen: Seen, chosen: Sequence[int], names: Sequence[str]
) -> list[tuple[int, str, str, float]]:
    """Number, class, what it was taken for, and with what probability."""
    columns = (column[chosen].tolist() for column in (seen.labels, seen.guesses, seen.sureness))
    return [
        (i, names[label], names[guess], sureness)
        for i, label, guess, sureness in zip(chosen, *columns, strict=True)
    ]


def _first_weights(model: nn.Module, form: Form, names: Sequence[str]) -> Figure | None:
    matrices = [p.detach().cpu() for p in model.parameters() if p.dim() > 1]
    if matrices[0].shape[1:] != (math.prod(form),):
        return None
    templates = matrices[0].reshape(-1, *form)
    if len(matrices) == 1:
        colours = [""] if form[0] == 1 else [f", {word}" for word in ("red", "green", "blue")]
        titles = [f"{name}{colour}" for name in names for colour in colours]
        return weights_grid(templates, titles, title="weights of each class")
    largest = matrices[0].norm(dim=1).argsort(descending=True)[:UNITS]
    title = f"first layer: the {len(largest)} hidden units with the largest weights"
    return weights_grid(templates[largest], title=title)


def _matrix_csv(counts_KK: Tensor, names: Sequence[str]) -> bytes:
    rows = [[name, *row] for name, row in zip(names, counts_KK.tolist(), strict=True)]
    return _csv([["is / taken for", *names], *rows])


def _mistakes_csv(seen: Seen, names: Sequence[str], files: Sequence[str]) -> bytes:
    """Every mistake, from the most confident on: to see which labels want mending."""
    found = _rows(seen, seen.surest_first.tolist(), names)
    rows = [[files[i], name, said, f"{sureness:.4f}"] for i, name, said, sureness in found]
    return _csv([["file", "is", "taken for", "probability"], *rows])


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
