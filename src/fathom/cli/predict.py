"""`fathom predict`: use a trained model."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fathom.cli.output import Answer, short, table
from fathom.cli.use import trained_model, trained_run
from fathom.core.arguments import Bounds, Count, Fraction, NonNegative
from fathom.core.errors import SettingError, did_you_mean

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

    from fathom.core.experiment import Writer
    from fathom.engine.prepare import Prepared

Rows = list[dict[str, Any]]
PICTURES = (".png", ".svg")
SUFFIXES = (".json", ".csv", ".txt", *PICTURES)
Beam = Annotated[int, Bounds(at_least=1, at_most=1_000)]
BATCH = 256
MOST_ROWS = 40  # on a screen; a file and --json have them all


def predict(
    run: str,
    inputs: list[str],
    /,
    *,
    save: str | None = None,
    length: Count | None = None,
    temperature: NonNegative | None = None,
    top_k: Count | None = None,
    top_p: Fraction | None = None,
    beam: Beam | None = None,
    show_attention: bool = False,
    device: str = "auto",
) -> Answer:
    """Use a trained model: pictures, rows of numbers or text in, answers out.

    Args:
        run: a run's folder, or a recipe for its latest run
        inputs: pictures or folders of them; rows of numbers such as 0.5,-1.2, or a .csv of rows;
            text, or a .txt file of lines
        save: write the answers to a .json, .csv, .txt, .png or .svg file
        length: how many tokens a model that writes may write
        temperature: how freely it writes: 0 takes the likeliest token, 1 as it has learned
        top_k: draw among that many likeliest tokens
        top_p: draw among the likeliest tokens that have this probability together
        beam: follow that many beginnings of a translation at once, not the likeliest alone
        show_attention: save a picture of what each word of a translation looked at
        device: where to compute

    Example:
        fathom predict lenet photo.png scans/ --save answers.csv
        fathom predict linear-regression 0.5,-1.2
        fathom predict rnn "the function" --length 100 --temperature 0.7
        fathom predict transformer "he is here ." --beam 5 --show-attention --save map.png
    """
    target = None if save is None else _target(save)
    found = trained_run(run)
    prepared = trained_model(found, device)
    predictor = prepared.experiment.predictor
    if predictor is None:
        raise SettingError(found.recipe, "has nothing to predict", "see `fathom list`")
    given = {
        "length": length,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "beam": beam,
        "show_attention": show_attention or None,
    }
    options = {name: value for name, value in given.items() if value is not None}
    accepted = getattr(predictor, "options", ())
    for name in options:
        if name not in accepted:
            wrong = f"does not apply to {found.recipe}"
            raise SettingError(f"--{name.replace('_', '-')}", wrong, "leave it out")
    options.pop("show_attention", None)
    answered = _written if hasattr(predictor, "write") else _predicted
    rows, draw = answered(prepared, inputs, options)
    saved: list[Path] = []
    maps = target if target is not None and target.suffix in PICTURES else None
    if target is not None and not (show_attention and maps):
        _save(target, rows, draw, getattr(predictor, "names", "input"))
        saved.append(target)
    if show_attention:
        place = maps or found.folder / "figures" / "attention.png"
        saved += _save_attention(place, prepared, inputs, options)

    def page(console: Console) -> None:
        console.print(_answers_table(rows[:MOST_ROWS]))
        if len(rows) > MOST_ROWS:
            console.print(f"and {len(rows) - MOST_ROWS:,} more")
        for number, path in enumerate(saved):
            console.print(("saved   " if number else "\nsaved   "), short(path))

    return Answer(rows, page)


def _predicted(
    prepared: Prepared, inputs: Sequence[str], options: dict[str, Any]
) -> tuple[Rows, Callable[[], Figure]]:
    """Answers of a model that takes all inputs as one tensor."""
    import torch

    from fathom.engine.evaluation import evaluating

    predictor: Any = prepared.experiment.predictor
    names, batch = predictor.read(inputs)
    with evaluating(prepared.experiment.model) as model:
        pieces = [model(piece.to(prepared.device)) for piece in batch.split(BATCH)]
    answers = predictor.answers(torch.cat(pieces))
    rows = [{"input": name, **answer} for name, answer in zip(names, answers, strict=True)]
    return rows, lambda: predictor.draw(names, batch, answers)


def _written(
    prepared: Prepared, inputs: Sequence[str], options: dict[str, Any]
) -> tuple[Rows, Callable[[], Figure]]:
    """Answers of a model that writes."""
    from fathom.engine.evaluation import evaluating

    writer: Writer = prepared.experiment.predictor  # type: ignore[assignment]
    with evaluating(prepared.experiment.model) as model:
        rows = writer.write(model, inputs, **options)
    return rows, lambda: writer.draw(rows)


def _save_attention(
    place: Path, prepared: Prepared, inputs: Sequence[str], options: dict[str, Any]
) -> list[Path]:
    """The maps of all sentences, named after `place`."""
    from fathom.engine.evaluation import evaluating
    from fathom.plots.style import save

    writer: Any = prepared.experiment.predictor
    with evaluating(prepared.experiment.model) as model:
        figures = writer.attention(model, inputs, **options)
    saved = []
    for name, figure in figures.items():
        path = place.with_stem(name.replace("attention", place.stem, 1))
        save(figure, path.with_suffix(""))
        saved.append(path)
    return saved


def _answers_table(rows: list[dict[str, Any]]) -> Any:
    columns = [name for name, value in rows[0].items() if not isinstance(value, dict)]
    extra = [name for name in rows[0] if name not in columns]
    cells = [
        [row[name] for name in columns]
        + ["  ".join(f"{k} {v:.3f}" for k, v in row[name].items()) for name in extra]
        for row in rows
    ]
    return table(columns + extra, cells)


def _target(save: str) -> Path:
    """Raises SettingError before anything is computed, where the file's kind is not known."""
    path = Path(save)
    if path.suffix not in SUFFIXES:
        remedy = did_you_mean(path.suffix, SUFFIXES, f"end it in one of {', '.join(SUFFIXES)}")
        raise SettingError(f"--save {save}", "is of no known kind", remedy)
    return path


def _save(path: Path, rows: list[dict[str, Any]], draw: Any, heading: str) -> None:
    """`heading` is what a table calls the column of inputs, in the form that a contest asks."""
    from fathom.core.paths import write_whole
    from fathom.plots.style import save

    if path.suffix in PICTURES:
        save(draw(), path.with_suffix(""))
    elif path.suffix == ".json":
        write_whole(path, json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
    else:
        flat = [
            {heading if k == "input" else k: v for k, v in row.items() if not isinstance(v, dict)}
            for row in rows
        ]
        text = io.StringIO()
        if path.suffix == ".csv":
            writer = csv.DictWriter(text, fieldnames=list(flat[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(flat)
        else:
            text.writelines("\t".join(str(v) for v in row.values()) + "\n" for row in flat)
        write_whole(path, text.getvalue())
