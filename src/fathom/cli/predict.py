"""`fathom predict`: use a trained model."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fathom.cli.output import Answer, short, stderr, table
from fathom.cli.use import model_in_use, trained_run
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
SHOWS = "show_attention", "show_evidence"
BATCH = 256
MOST_ROWS = 40  # on a screen; a file and --json have them all
MOST_SHEETS = 20
LIKELIEST = 3  # of the probabilities of many classes, on a screen


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
    show_evidence: bool = False,
    device: str = "auto",
) -> Answer:
    """Use a trained model: pictures, rows of numbers or text in, answers out.

    The run's folder is all that it needs: what it was trained on may be gone.

    Args:
        run: a run's folder, or a recipe for its latest run
        inputs: pictures or folders of them; rows of numbers such as 0.5,-1.2, or a .csv of rows;
            text, or a .txt file of lines
        save: write the answers to a .json, .csv or .txt file, or draw them as a .png or .svg: of
            many pictures as contact sheets, the second called -2 and so on
        length: how many tokens a model that writes may write
        temperature: how freely it writes: 0 takes the likeliest token, 1 as it has learned
        top_k: draw among that many likeliest tokens
        top_p: draw among the likeliest tokens that have this probability together
        beam: follow that many beginnings of a translation at once, not the likeliest alone
        show_attention: save a picture of what each word of a translation looked at
        show_evidence: save a picture of what in each picture speaks for its class (Grad-CAM)
        device: where to compute

    Example:
        fathom predict lenet photo.png scans/ --save answers.csv
        fathom predict resnet scans/ --save sheet.png
        fathom predict resnet photo.png --show-evidence --save why.png
        fathom predict linear-regression 0.5,-1.2
        fathom predict rnn "the function" --length 100 --temperature 0.7
        fathom predict transformer "he is here ." --beam 5 --show-attention --save map.png
    """
    target = None if save is None else _target(save)
    found = trained_run(run)
    prepared = model_in_use(found, device)
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
        "show_evidence": show_evidence or None,
    }
    options = {name: value for name, value in given.items() if value is not None}
    accepted = getattr(predictor, "options", ())
    for name in options:
        if name not in accepted:
            wrong = f"does not apply to {found.recipe}"
            raise SettingError(f"--{name.replace('_', '-')}", wrong, "leave it out")
    shown = [name.removeprefix("show_") for name in SHOWS if options.pop(name, None)]
    drawn = target if target is not None and target.suffix in PICTURES else None
    for note in predictor.notes(inputs) if hasattr(predictor, "notes") else ():
        stderr().print(f"note: {note}", markup=False, soft_wrap=True)
    answered = _written if hasattr(predictor, "write") else _predicted
    rows, saved, left = answered(prepared, inputs, options, None if shown else drawn)
    if target is not None and drawn is None:
        _save(target, rows, getattr(predictor, "names", "input"))
        saved.append(target)
    for kind in shown:
        place = drawn or found.folder / "figures" / f"{kind}.png"
        saved += _save_shown(kind, place, prepared, inputs, options)

    def page(console: Console) -> None:
        console.print(_answers_table(rows[:MOST_ROWS]))
        if len(rows) > MOST_ROWS:
            console.print(f"and {len(rows) - MOST_ROWS:,} more")
        for number, path in enumerate(saved):
            console.print(("saved   " if number else "\nsaved   "), short(path))
        if left:
            console.print(f"not on a sheet: the last {left:,}; a .csv holds them all")

    return Answer(rows, page)


def _predicted(
    prepared: Prepared, inputs: Sequence[str], options: dict[str, Any], target: Path | None
) -> tuple[Rows, list[Path], int]:
    """Answers of a model that takes inputs as a tensor; the sheets, and how many are on none."""
    import torch

    from fathom.engine.evaluation import evaluating

    predictor: Any = prepared.experiment.predictor
    pages: Iterable[Any] = (
        predictor.pages(inputs) if hasattr(predictor, "pages") else [predictor.read(inputs)]
    )
    rows: Rows = []
    saved: list[Path] = []
    left = 0
    with evaluating(prepared.experiment.model) as model:
        for names, batch in pages:
            outputs = [model(piece.to(prepared.device)) for piece in batch.split(BATCH)]
            answers = predictor.answers(torch.cat(outputs))
            rows += [{"input": name, **answer} for name, answer in zip(names, answers, strict=True)]
            if target is not None and len(saved) < MOST_SHEETS:
                number = len(saved) + 1
                place = target if number == 1 else target.with_stem(f"{target.stem}-{number}")
                saved.append(_draw(predictor.draw(names, batch, answers), place))
            elif target is not None:
                left += len(names)
    return rows, saved, left


def _written(
    prepared: Prepared, inputs: Sequence[str], options: dict[str, Any], target: Path | None
) -> tuple[Rows, list[Path], int]:
    """Answers of a model that writes."""
    from fathom.engine.evaluation import evaluating

    writer: Writer = prepared.experiment.predictor  # type: ignore[assignment]
    with evaluating(prepared.experiment.model) as model:
        rows = writer.write(model, inputs, **options)
    return rows, [] if target is None else [_draw(writer.draw(rows), target)], 0


def _save_shown(
    kind: str, place: Path, prepared: Prepared, inputs: Sequence[str], options: dict[str, Any]
) -> list[Path]:
    """What a predictor has to show of that kind, in pictures that are named after `place`."""
    from fathom.engine.evaluation import evaluating

    with evaluating(prepared.experiment.model) as model:
        figures = getattr(prepared.experiment.predictor, kind)(model, inputs, **options)
    return [
        _draw(figure, place.with_stem(name.replace(kind, place.stem, 1)))
        for name, figure in figures.items()
    ]


def _draw(figure: Figure, place: Path) -> Path:
    from fathom.plots.style import save

    save(figure, place.with_suffix(""), [place.suffix])
    return place


def _answers_table(rows: list[dict[str, Any]]) -> Any:
    columns = [name for name, value in rows[0].items() if not isinstance(value, dict)]
    extra = [name for name in rows[0] if name not in columns]
    cells = [
        [row[name] for name in columns]
        + ["  ".join(f"{k} {v:.3f}" for k, v in _largest(row[name])) for name in extra]
        for row in rows
    ]
    return table(columns + extra, cells)


def _largest(shares: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(shares.items(), key=lambda item: -item[1])[:LIKELIEST]


def _target(save: str) -> Path:
    """Raises SettingError before anything is computed, where the file's kind is not known."""
    path = Path(save)
    if path.suffix not in SUFFIXES:
        remedy = did_you_mean(path.suffix, SUFFIXES, f"end it in one of {', '.join(SUFFIXES)}")
        raise SettingError(f"--save {save}", "is of no known kind", remedy)
    return path


def _save(path: Path, rows: Rows, heading: str) -> None:
    """`heading` is what a table calls the column of inputs, in the form that a contest asks."""
    from fathom.core.paths import write_whole

    text = io.StringIO()
    if path.suffix == ".json":
        text.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
    elif path.suffix == ".csv":
        # A list for each row, as a class may have the name of another column.
        heads = [heading if name == "input" else name for name in _flat(rows[0], names=True)]
        csv.writer(text, lineterminator="\n").writerows([heads, *map(_flat, rows)])
    else:
        plain = [[v for v in row.values() if not isinstance(v, dict)] for row in rows]
        text.writelines("\t".join(map(str, row)) + "\n" for row in plain)
    write_whole(path, text.getvalue())


def _flat(row: dict[str, Any], *, names: bool = False) -> list[Any]:
    """A row's cells, or their names, with one for each of the probabilities that it holds."""
    cells: list[Any] = []
    for name, value in row.items():
        if isinstance(value, dict):
            cells += value if names else value.values()
        else:
            cells.append(name if names else value)
    return cells
