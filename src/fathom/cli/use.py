"""`fathom eval` and `export`: a trained model measured, and taken elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fathom.cli.output import Answer, short, stderr, table
from fathom.cli.parser import Groups
from fathom.cli.train import Given, recipe_of, show_findings, surroundings, wants_help
from fathom.core.errors import FathomError, SettingError

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


def trained_run(word: str) -> Run:
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


def model_in_use(run: Run, device: str, changes: dict[str, Any] | None = None) -> Prepared:
    """A run's model with its weights and its predictor; its data are not read."""
    from fathom.engine.trained import trained

    recipe, say = recipe_of(run), stderr().print
    return trained(run, recipe, changes or {}, device=device, say=say, unread=True)


def trained_model(run: Run, device: str, changes: dict[str, Any] | None = None) -> Prepared:
    """A run's experiment with its weights and its data, `changes` instead of some arguments."""
    from fathom.engine.trained import trained

    return trained(run, recipe_of(run), changes or {}, device=device, say=stderr().print)


def evaluate(run: str, /, *, save: str | None = None, device: str = "auto", given: Given) -> Answer:
    """Measure a trained model on its data, or on other data of the same form.

    Of a model that classifies pictures it also says how well each class is known, and what it is
    taken for; of one that translates, how well. Other data are read as the model knows its own:
    pictures in its classes and its size, tables by its columns, texts and sentences in its words;
    all others are `<unk>`. None of them is taken for trained on.

    Args:
        run: a run's folder, or a recipe for its latest run
        save: keep the figures (a confusion matrix, the worst mistakes) and tables in this folder
        device: where to compute

    Example:
        fathom eval lenet
        fathom eval runs/lenet/003 --data my/pictures --save report
        fathom eval seq2seq --data my/pairs.tsv
    """
    from fathom.engine.evaluation import examined
    from fathom.engine.trained import measure

    found = trained_run(run)
    prepared = trained_model(found, device, given.get("data"))
    for note in prepared.experiment.notes if given.get("data") else ():
        stderr().print(f"note: {note}", markup=False, soft_wrap=True)
    scores = measure(prepared)
    findings = examined(prepared.experiment, prepared.valid)
    if save is not None:
        if not findings.figures:
            raise SettingError(f"--save {save}", f"{found.recipe} draws nothing", "leave it out")
        surroundings().keep(findings, Path(save) / "figures")
    told = findings.as_json()

    def page(console: Console) -> None:
        names = list(dict.fromkeys(name for values in scores.values() for name in values))
        rows = [[split, *(values.get(n) for n in names)] for split, values in scores.items()]
        console.print(table(["", *names], rows, right=range(1, len(names) + 1)))
        show_findings(told, console)
        if save is not None:
            console.print()
            for path in sorted(p for p in Path(save).rglob("*") if p.suffix in (".png", ".csv")):
                console.print(f"saved    {short(path)}", markup=False)

    return Answer({"run": str(found.folder), "scores": scores, "findings": told}, page)


def export(
    run: str,
    /,
    *,
    to: Literal["onnx", "safetensors", "torchscript"],
    out: str | None = None,
    force: bool = False,
) -> Answer:
    """Take a trained model elsewhere: as a graph, or as weights by torch's key names.

    The run's folder is all that it needs: what it was trained on may be gone. A network from
    scratch is written as the same one of torch's layers. A translator is two graphs, NAME.encoder
    and NAME.decoder; a language model takes a state, zeros at first, and gives the next. The words,
    classes or columns that numbers stand for go with each file.

    Args:
        run: a run's folder, or a recipe for its latest run
        to: onnx (needs `pip install 'fathom[export]'`), safetensors, torchscript
        out: the file to write; else beside the run's own
        force: write over a file that is there

    Example:
        fathom export lenet --to onnx
        fathom export lenet --to safetensors --out lenet.safetensors
    """
    from fathom.cli.exporting import SUFFIXES, write
    from fathom.core.kept import meanings

    found = trained_run(run)
    target = Path(out) if out else found.folder / f"{found.recipe}.{SUFFIXES[to]}"
    from_scratch = found.facts.get("arguments", {}).get("impl") == "scratch"
    model = model_in_use(found, "cpu", {"impl": "torch"} if from_scratch else {})
    files = write(model, to, target, meanings(found.kept()), force=force)

    def page(console: Console) -> None:
        for facts in files:
            path = Path(facts["file"])
            console.print(f"wrote    {short(path)}  ({path.stat().st_size:,} bytes)")
            for name, form in facts.get("takes", {}).items():
                console.print(f"takes    {name} {form}", markup=False)
            for name in ("gives", "weights", "largest difference"):
                if name in facts:
                    told = facts[name]
                    console.print(f"{name:<8} {', '.join(told) if name == 'gives' else told}")

    return Answer({"to": to, "files": files}, page)
