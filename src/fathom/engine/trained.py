"""A finished or stopped run's model, back with its weights, to be measured or used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fathom.core.devices import set_threads
from fathom.core.errors import CheckpointError, DataError, SettingError
from fathom.core.recipe import Recipe
from fathom.engine.checkpoint import Checkpoints
from fathom.engine.evaluation import evaluate
from fathom.engine.manifest import sha256
from fathom.engine.prepare import Prepared, prepare
from fathom.engine.runs import Run
from fathom.engine.weights import load_safetensors, restore


def trained(
    run: Run,
    recipe: Recipe,
    changes: Mapping[str, Any],
    *,
    device: str,
    say: Callable[[str], None],
    unread: bool = False,
) -> Prepared:
    """The run's experiment with its weights; `changes` replace arguments (other data).

    Data are read to measure on them. If they stay `unread`, the run's folder is all that is needed,
    and what stands in for them is good for nothing but its form. (A run that has kept nothing of
    its data still reads them.) Words, classes and columns of other data are those that the model
    knows.

    Raises SettingError for a study, DataError for data that are gone or of other classes than it
    was trained on, CheckpointError where the weights are damaged or do not fit.
    """
    if recipe.kind == "study":
        raise SettingError(str(run.folder), "is a study and has no model", "name another run")
    own = run.facts.get("arguments", {})
    settings = recipe.settings({**own, **changes})
    elsewhere = any(own.get(name) != value for name, value in changes.items())
    weights = _weights(run, say)
    set_threads(int(run.facts.get("chosen", {}).get("threads", 1)))
    known = run.kept() if elsewhere or unread else None
    seed = int(run.facts.get("seed", 0))

    def build(settings: dict[str, Any]) -> Prepared:
        return prepare(recipe, settings, seed=seed, device=device, known=known, unread=unread)

    if unread and known:  # nothing but what was kept can be at fault
        prepared = build(settings)
    else:
        other = {} if unread else {"data": "put it back, or measure on other data with --data"}
        prepared = run.rebuilt(build, settings, other)
    if elsewhere and not unread and prepared.kept and "classes" not in run.facts:
        wrong = "has kept nothing to read other data by"
        raise CheckpointError(str(run.folder), wrong, f"`fathom resume {run.folder}` writes it")
    _check_classes(run, prepared, None if unread else str(settings.get("data", "its data")))
    restore(prepared.experiment.model, load_safetensors(weights), str(weights))
    prepared.experiment.model.eval()
    return prepared


def _check_classes(run: Run, prepared: Prepared, data: str | None) -> None:
    """A class is a number to the model: the same number must have the same name.

    Where no `data` are read, it is what the run has kept that may have others.
    """
    known = run.facts.get("classes")
    here = prepared.class_facts().get("classes")
    if known is None or here is None or here == known:
        return
    if data is None:
        wrong = "what it has kept is of other classes than its run.json says"
        raise CheckpointError(str(run.folder), wrong, "copy it anew from where the run was made")
    unlike = [name for name in here if name not in known] or [n for n in known if n not in here]
    wrong = f"its classes are not those that were trained on ({', '.join(unlike[:3])})"
    if not unlike:
        wrong = "its classes are in another order than those that were trained on"
    raise DataError(data, wrong, "give it the class folders that the model knows")


def _weights(run: Run, say: Callable[[str], None]) -> Path:
    """The file of the finished run, or of the newest good checkpoint of one that is not."""
    if run.facts.get("status") == "done" and run.weights.is_file():
        if run.facts.get("weights", {}).get("sha256") != sha256(run.weights):
            wrong = "is damaged: its sha256 is not what run.json says"
            remedy = f"`fathom resume {run.folder}` writes it anew"
            raise CheckpointError(str(run.weights), wrong, remedy)
        return run.weights
    found = Checkpoints(run.checkpoints, {}, say=say).newest(set_aside=False)
    if found is None:
        remedy = f"`fathom resume {run.folder}` first"
        raise CheckpointError(str(run.folder), "has no trained weights yet", remedy)
    return found[0] / "model.safetensors"


def measure(prepared: Prepared) -> dict[str, dict[str, float]]:
    """Loss and metrics on each split, in single precision; once, where both are the same data."""
    experiment = prepared.experiment
    scores = {"loss": experiment.objective, **experiment.metrics}
    splits = {"train": prepared.train, "valid": prepared.valid}
    if prepared.valid is not None and prepared.valid.fingerprint() == prepared.train.fingerprint():
        del splits["train"]  # none of it was trained on
    return {
        name: evaluate(
            experiment.model,
            data,
            scores,
            device=prepared.device,
            counts=experiment.counts,
            derived=experiment.derived,
        )
        for name, data in splits.items()
        if data is not None
    }
