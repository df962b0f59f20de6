"""Start a run, or go on with one.

start   a new folder, seeds, the experiment, threads and precision, the loop, the results
resume  the same folder, the newest good checkpoint, the same loop from there
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from fathom.core.devices import choose_device, machine, set_threads, versions
from fathom.core.errors import CheckpointError, SettingError
from fathom.core.findings import Findings
from fathom.core.recipe import Recipe
from fathom.core.seeds import be_deterministic, seed_everything
from fathom.engine.checkpoint import Checkpoints, Training
from fathom.engine.faults import carried_out
from fathom.engine.finder import find_rate
from fathom.engine.fit import fit
from fathom.engine.options import Options
from fathom.engine.prepare import Prepared, Surroundings, prepare
from fathom.engine.runs import Run, create, files_among, plain

HARMLESS = ("lr", "epochs", "patience")
FIXED_OPTIONS = ("seed", "limit_batches")
_DECIDES_BITS = ("device", "threads", "precision")


def start(
    recipe: Recipe,
    given: Mapping[str, Any],
    options: Options,
    around: Surroundings,
    *,
    script: str | None = None,
) -> Run:
    """Run a recipe from the beginning. Raises FathomError; `run.json` then says how it ended.

    `script` is the file of a recipe of the user's own, so that the run finds it again.
    """
    settings = recipe.settings(given)
    _check(options)
    if options.find_lr and recipe.kind == "study":
        wrong = "is a study: it has no training to find a rate for"
        raise SettingError(recipe.name, wrong, "leave out --find-lr")
    run = create(recipe.name, options.out)
    around = replace(around, note=run.note)
    with carried_out(run):
        run.note(f"started {recipe.name} with {settings}")
        run.begin(
            kind="study" if options.find_lr else recipe.kind,
            arguments=settings,
            files=files_among(settings),
            seed=options.seed,
            options=asdict(options),
            started=time.strftime("%Y-%m-%d %H:%M:%S"),
            versions=versions(),
            machine=machine(),
            **({"script": script} if script else {}),
        )
        if options.deterministic:
            be_deterministic()
        if recipe.kind == "study":
            _study(run, recipe, settings, options, around)
        else:
            prepared = prepare(
                recipe,
                settings,
                seed=options.seed,
                device=options.device,
                limit=options.limit_batches,
            )
            run.keep(prepared.kept)
            run.write(data=prepared.data_facts(), **prepared.class_facts())
            (find_rate if options.find_lr else fit)(run, prepared, options, around)
    return run


def _check(options: Options) -> None:
    """Raises SettingError for what can be known to be wrong before anything is made."""
    if options.devices > 1:
        wrong = "training on several devices at once is planned"
        raise SettingError(f"--devices {options.devices}", wrong, "use --devices 1")
    choose_device(options.device)
    if options.threads != "auto" and not options.threads.isdigit():
        thing = f"--threads {options.threads}"
        raise SettingError(thing, "is neither auto nor a number", "try --threads 1")


def _study(
    run: Run, recipe: Recipe, settings: dict[str, Any], options: Options, around: Surroundings
) -> None:
    seed_everything(options.seed)
    set_threads(1 if options.threads == "auto" else int(options.threads))
    findings: Findings = recipe.function(**settings)
    around.keep(findings, run.figures)
    run.write(findings=findings.as_json())
    findings.check(recipe.name)
    run.write(status="done", final=findings.as_json())


def resume(
    run: Run,
    recipe: Recipe,
    given: Mapping[str, Any],
    options: Mapping[str, Any],
    around: Surroundings,
) -> Run:
    """Go on where a run stopped; `given` and `options` hold only what is to change.

    Raises CheckpointError for a change that would make it another run: only the learning rate, the
    number of epochs, the patience and the place of the data may change. Nothing of the run is
    written over before all is known to fit.
    """
    if options.get("find_lr"):
        raise SettingError("--find-lr", "is for a run that begins", "use it with `fathom run`")
    run.lock()
    around = replace(around, note=run.note)
    with carried_out(run):
        if "study" in (recipe.kind, run.facts.get("kind")):
            raise SettingError(str(run.folder), "is a study, done in one piece", "run it again")
        old = dict(run.facts.get("arguments", {}))
        settings = recipe.settings({**old, **given})
        _compare(run, plain(old), plain(settings), options, around)
        engine = _options(run, options)
        if run.facts.get("status") == "running":
            around.say(f"{run.folder}: the last process was killed (out of memory?); going on")
        if engine.deterministic:
            be_deterministic()
        _say_differences(run, engine, around)

        def build(settings: dict[str, Any]) -> Prepared:
            few = engine.limit_batches
            return prepare(recipe, settings, seed=engine.seed, device=engine.device, limit=few)

        moved = {"data": "put it back, or say where it is now with --data"}
        prepared = run.rebuilt(build, settings, moved)
        data = prepared.data_facts()
        if run.facts.get("data", data) != data:
            wrong = "its data are not those that it saw before (another sha256)"
            raise CheckpointError(str(run.folder), wrong, "start a new run on the new data")

        run.keep(prepared.kept)

        def go_on(kept: Checkpoints, training: Training) -> None:
            found = kept.newest()
            if found is None:
                around.say(f"{run.folder}: no checkpoint yet; starting again from step 0")
            else:
                path, facts = found
                kept.load(path, training)
                around.say(f"{run.folder}: going on from step {training.clock.step}")
                before, now = facts.get("arguments", old).get("lr"), settings.get("lr")
                if isinstance(now, float) and before is None:  # the recipe had chosen it
                    group = training.optimizer.param_groups[0]
                    before = float(group.get("initial_lr", group["lr"]))
                if isinstance(before, float) and isinstance(now, float) and before != now:
                    _scale_rates(training, now / before)
                if settings.get("epochs") != facts.get("arguments", old).get("epochs"):
                    _retime(training)
            files = {**run.facts.get("files", {}), **files_among(settings)}
            run.begin(arguments=settings, files=files, options=asdict(engine), data=data)
            run.write_metrics(training.clock.history)

        fit(run, prepared, engine, around, go_on=go_on)
    return run


def _compare(
    run: Run,
    old: dict[str, Any],
    new: dict[str, Any],
    options: Mapping[str, Any],
    around: Surroundings,
) -> None:
    """Say each argument that changes. Raises CheckpointError where one must not."""
    changes = [(name, old.get(name), new[name]) for name in new if old.get(name) != new[name]]
    recorded = run.facts.get("options", {})
    changes += [
        (name, recorded.get(name), options[name])
        for name in FIXED_OPTIONS
        if name in options and options[name] != recorded.get(name)
    ]
    for name, before, after in changes:
        around.say(f"{name}: was {before}, is now {after}")
    may = (*HARMLESS, "data") if "data" in run.facts else HARMLESS  # their sums are compared
    bad = [change for change in changes if change[0] not in may]
    if bad:
        told = ", ".join(f"{name} was {before} and is now {after}" for name, before, after in bad)
        remedy = "leave it out, or start a new run with `fathom run`"
        raise CheckpointError(str(run.folder), told, remedy)


def _options(run: Run, changed: Mapping[str, Any]) -> Options:
    """The options of the first start, what was measured then, and what is changed now."""
    known = {field.name for field in fields(Options)}
    recorded = {k: v for k, v in run.facts.get("options", {}).items() if k in known}
    chosen = run.facts.get("chosen", {})
    if chosen:
        recorded |= {"threads": str(chosen["threads"]), "precision": chosen["precision"]}
    if "device" not in changed and chosen:
        try:
            choose_device(chosen["device"])
            recorded["device"] = chosen["device"]
        except SettingError:
            recorded["device"] = "auto"
    options = replace(Options(**recorded), **changed)
    _check(options)
    return replace(options, out=str(run.folder))


def _say_differences(run: Run, engine: Options, around: Surroundings) -> None:
    """What must be equal for bit-for-bit equality, and is not."""
    chosen = {k: str(v) for k, v in run.facts.get("chosen", {}).items() if k in _DECIDES_BITS}
    now = {name: getattr(engine, name) for name in chosen}
    for before, here in (
        (run.facts.get("versions", {}), versions()),
        (run.facts.get("machine", {}), machine()),
        (chosen, now),
    ):
        for name, value in here.items():
            if before.get(name, value) != value:
                around.say(f"{name}: was {before[name]}, is now {value}; last bits may differ")


def _retime(training: Training) -> None:
    """The rate at this place of a schedule that is a function of it, for other epochs than before.

    Without it the first epoch of a lengthened run would have the last rate of the short one: 0.
    """
    schedule = training.schedule
    for group, base, factor in zip(
        training.optimizer.param_groups,
        getattr(schedule, "base_lrs", ()),
        getattr(schedule, "lr_lambdas", ()),
        strict=False,
    ):
        group["lr"] = base * factor(getattr(schedule, "last_epoch", 0))


def _scale_rates(training: Training, factor: float) -> None:
    """Another learning rate for a run in progress, wherever its schedule stands."""
    for group in training.optimizer.param_groups:
        for name in ("lr", "initial_lr", "max_lr", "min_lr"):
            if name in group:
                group[name] *= factor
    schedules = [training.schedule] if training.schedule is not None else []
    for schedule in schedules:
        schedules.extend(getattr(schedule, "_schedulers", []))
        if hasattr(schedule, "base_lrs"):
            schedule.base_lrs = [rate * factor for rate in schedule.base_lrs]
