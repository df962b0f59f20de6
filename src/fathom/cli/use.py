"""`fathom eval`, `predict` and `export`: a trained model at work."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fathom.cli.output import Answer, short, stderr, table
from fathom.cli.parser import Groups
from fathom.cli.train import Given, recipe_of, wants_help
from fathom.core.errors import FathomError, SettingError, did_you_mean

if TYPE_CHECKING:
    from rich.console import Console

    from fathom.engine.prepare import Prepared
    from fathom.engine.runs import Run


def data_groups(verb: str, words: Sequence[str]) -> Groups:
    """The arguments of the run's recipe that may differ when it is measured: its data."""
    from fathom.engine.runs import open_run

    if not words or words[0].startswith("-"):
        return {}
    with suppress(FathomError) if wants_help(words) else nullcontext():
        recipe = recipe_of(open_run(words[0]))
        return {"data": {name: a for name, a in recipe.arguments.items() if name == "data"}}
    return {}


def _trained_run(word: str) -> Run:
    """The run that a word means; of a recipe's runs the latest that has learned anything."""
    from fathom.engine.runs import open_run

    found = open_run(word)
    if (Path(word) / "run.json").is_file() or _has_weights(found):
        return found
    by_number = sorted(found.folder.parent.iterdir(), key=lambda p: (len(p.name), p.name))
    for folder in reversed(by_number):
        if (folder / "run.json").is_file() and _has_weights(older := open_run(str(folder))):
            stderr().print(
                f"note: {short(found.folder)} has no weights; this is {short(folder)}", markup=False
            )
            return older
    return found


def _has_weights(run: Run) -> bool:
    return run.weights.is_file() or any(run.checkpoints.glob("*"))


def _trained(run: Run, device: str, changes: dict[str, Any] | None = None) -> Prepared:
    from fathom.engine.trained import trained

    return trained(run, recipe_of(run), changes or {}, device=device, say=stderr().print)


def evaluate(run: str, /, *, device: str = "auto", given: Given) -> Answer:
    """Measure a trained model on its data, or on other data of the same form.

    Args:
        run: a run's folder, or a recipe for its latest run
        device: where to compute

    Example:
        fathom eval lenet
        fathom eval runs/lenet/003 --data my/pictures
    """
    from fathom.engine.trained import measure

    found = _trained_run(run)
    scores = measure(_trained(found, device, given.get("data")))

    def page(console: Console) -> None:
        names = list(dict.fromkeys(name for values in scores.values() for name in values))
        rows = [[split, *(values.get(n) for n in names)] for split, values in scores.items()]
        console.print(table(["", *names], rows, right=range(1, len(names) + 1)))

    return Answer({"run": str(found.folder), "scores": scores}, page)


def predict(
    run: str, inputs: list[str], /, *, save: str | None = None, device: str = "auto"
) -> Answer:
    """Use a trained model: pictures, folders of pictures or numbers in, answers out.

    Args:
        run: a run's folder, or a recipe for its latest run
        inputs: pictures or folders of them; rows of numbers such as 0.5,-1.2, or a .csv of rows
        save: write the answers to a .json, .csv, .txt, .png or .svg file
        device: where to compute

    Example:
        fathom predict lenet photo.png scans/ --save answers.csv
        fathom predict linear-regression 0.5,-1.2
    """
    import torch

    from fathom.engine.evaluation import evaluating

    target = None if save is None else _target(save)
    found = _trained_run(run)
    prepared = _trained(found, device)
    predictor = prepared.experiment.predictor
    if predictor is None:
        raise SettingError(found.recipe, "has nothing to predict", "see `fathom list`")
    names, batch = predictor.read(inputs)
    with evaluating(prepared.experiment.model) as model:
        pieces = [model(piece.to(prepared.device)) for piece in batch.split(256)]
    answers = predictor.answers(torch.cat(pieces))
    rows = [{"input": name, **answer} for name, answer in zip(names, answers, strict=True)]
    if target is not None:
        _save(target, rows, lambda: predictor.draw(names, batch, answers))

    def page(console: Console) -> None:
        console.print(_answers_table(rows))
        if target is not None:
            console.print(f"\nsaved    {short(target)}")

    return Answer(rows, page)


def _answers_table(rows: list[dict[str, Any]]) -> Any:
    columns = [name for name, value in rows[0].items() if not isinstance(value, dict)]
    extra = [name for name in rows[0] if name not in columns]
    cells = [
        [row[name] for name in columns]
        + ["  ".join(f"{k} {v:.3f}" for k, v in row[name].items()) for name in extra]
        for row in rows
    ]
    return table(columns + extra, cells)


SUFFIXES = (".json", ".csv", ".txt", ".png", ".svg")


def _target(save: str) -> Path:
    """Raises SettingError before anything is computed, where the file's kind is not known."""
    path = Path(save)
    if path.suffix not in SUFFIXES:
        remedy = did_you_mean(path.suffix, SUFFIXES, f"end it in one of {', '.join(SUFFIXES)}")
        raise SettingError(f"--save {save}", "is of no known kind", remedy)
    return path


def _save(path: Path, rows: list[dict[str, Any]], draw: Any) -> None:
    from fathom.core.paths import write_whole
    from fathom.plots.style import save

    if path.suffix in (".png", ".svg"):
        save(draw(), path.with_suffix(""))
    elif path.suffix == ".json":
        write_whole(path, json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
    else:
        flat = [{k: v for k, v in row.items() if not isinstance(v, dict)} for row in rows]
        text = io.StringIO()
        if path.suffix == ".csv":
            writer = csv.DictWriter(text, fieldnames=list(flat[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(flat)
        else:
            text.writelines("\t".join(str(v) for v in row.values()) + "\n" for row in flat)
        write_whole(path, text.getvalue())


def export(
    run: str,
    /,
    *,
    to: Literal["onnx", "safetensors", "torchscript"],
    out: str | None = None,
    force: bool = False,
) -> Answer:
    """Take a trained model elsewhere: as a graph, or as weights by torch's key names.

    Args:
        run: a run's folder, or a recipe for its latest run
        to: onnx (needs `pip install 'fathom[export]'`), safetensors, torchscript
        out: the file to write; else beside the run's own
        force: write over a file that is there

    Example:
        fathom export lenet --to onnx
        fathom export lenet --to safetensors --out lenet.safetensors
    """
    from fathom.cli.exporting import write

    found = _trained_run(run)
    suffix = {"onnx": "onnx", "safetensors": "safetensors", "torchscript": "pt"}[to]
    target = Path(out) if out else found.folder / f"{found.recipe}.{suffix}"
    if target.exists() and not force:
        raise SettingError(str(target), "is there already", "choose another --out, or say --force")
    facts = write(_trained(found, "cpu"), to, target)

    def page(console: Console) -> None:
        console.print(f"wrote    {short(target)}  ({target.stat().st_size:,} bytes)")
        for name, value in facts.items():
            console.print(f"{name:<8} {value}")

    return Answer({"file": str(target), "to": to, **facts}, page)
