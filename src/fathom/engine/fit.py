"""Train a prepared experiment in a run's folder, from the beginning or from a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing, suppress
from typing import Any

import torch
from rich.console import Console

from fathom.core.devices import autocast_dtype
from fathom.core.errors import DivergedError, FathomError, ResourceError, StoppedError, WorkerError
from fathom.core.experiment import Batches, Experiment
from fathom.core.findings import Findings
from fathom.core.paths import write_whole
from fathom.engine import watchers
from fathom.engine.checkpoint import Checkpoints, Training
from fathom.engine.evaluation import evaluate, evaluating, examined
from fathom.engine.faults import is_out_of_memory
from fathom.engine.guard import Guard, NonFiniteError, fuse
from fathom.engine.loop import Clock, Evaluate, Record, train
from fathom.engine.manifest import sha256
from fathom.engine.options import Options
from fathom.engine.prepare import Prepared, Surroundings
from fathom.engine.progress import progress
from fathom.engine.remembered import choices_file
from fathom.engine.runs import Run, plain
from fathom.engine.signals import StopFlag
from fathom.engine.trial import endless
from fathom.engine.tuning import Choice, choose
from fathom.engine.updates import Gradients, descend, gradients_of
from fathom.engine.weights import to_safetensors

GoOn = Callable[[Checkpoints, Training], None]


def fit(
    run: Run,
    prepared: Prepared,
    options: Options,
    around: Surroundings,
    *,
    go_on: GoOn | None = None,
) -> None:
    """Train to the end and write the results. `go_on` puts back the state of a resumed run.

    Raises StoppedError (state saved), DivergedError, WorkerError, ResourceError.
    """
    experiment, model = prepared.experiment, prepared.experiment.model
    fuse(experiment.optimizer)
    forward = torch.compile(model) if options.compile else model
    scaler = torch.amp.GradScaler(prepared.device.type) if options.precision == "fp16" else None
    training = Training(model, experiment.optimizer, Clock(), experiment.schedule, scaler)
    kept = Checkpoints(run.checkpoints, {}, say=around.say)
    for note in experiment.notes:
        around.say(f"note: {note}")

    def gradients(dtype: torch.dtype | None) -> Gradients:
        scale = scaler.scale if scaler else None
        return gradients_of(
            experiment, device=prepared.device, dtype=dtype, forward=forward, scale=scale
        )

    kept.probe()
    with StopFlag() as stop, _told(prepared, training, kept):
        model.train()
        if go_on is not None:
            go_on(kept, training)
        choice = _choose(prepared, options, gradients, around)
        _write_choice(run, prepared, choice)
        kept.facts = {
            "recipe": run.recipe,
            "arguments": plain(run.facts["arguments"]),
            "threads": choice.threads,
            "torch": torch.__version__,
        }
        guard = Guard(
            model,
            experiment.optimizer,
            on_nan="skip" if scaler else options.on_nan,  # the scaler finds its scale so
            deferred=prepared.device.type != "cpu",
        )
        kept.before = guard.read
        dtype = autocast_dtype(choice.precision)

        def last_of_epoch() -> bool:
            return training.clock.batch + 1 == len(prepared.train)

        update = descend(
            gradients(dtype),
            experiment.optimizer,
            guard,
            clip=experiment.clip,
            schedule=experiment.schedule,
            ends_epoch=None if experiment.schedule_per == "step" else last_of_epoch,
            scaler=scaler,
        )
        records = train(
            update,
            prepared.train,
            _evaluations(prepared, forward, dtype),
            training.clock,
            seed=options.seed,
            epochs=experiment.epochs,
            counts=experiment.counts,
            derived=experiment.derived,
        )
        look = _watchers(run, prepared, options, training, kept, around)
        watched = watchers.unwrapped(watchers.watched(records, look))
        clock, patience = training.clock, experiment.patience
        tired = clock.batch == 0 and patience and watchers.stale(clock.history, patience)
        if tired or clock.step >= experiment.epochs * len(prepared.train):
            around.say(f"{run.folder}: nothing to do, all epochs are done")
        if not tired:
            _follow(watched, run, patience, training, kept, stop)
        guard.read()
    findings = _finish(run, prepared, training, kept, around)
    if options.limit_batches is None:  # a quick look need not bear a claim out
        findings.check(run.recipe)


def _choose(
    prepared: Prepared,
    options: Options,
    gradients: Callable[[torch.dtype | None], Gradients],
    around: Surroundings,
) -> Choice:
    """Threads and precision, measured where asked, and said."""
    choice = choose(
        gradients,
        prepared.experiment.model,
        prepared.experiment.optimizer,
        endless(prepared.train, options.seed),
        device=prepared.device,
        threads=options.threads,
        precision=options.precision,
        memory=choices_file(),
    )
    if not options.quiet:
        for reason in choice.why:
            around.say(f"chose {reason}")
    return choice


def _write_choice(run: Run, prepared: Prepared, choice: Choice) -> None:
    run.write(
        chosen={
            "device": str(prepared.device),
            "threads": choice.threads,
            "precision": choice.precision,
            "channels_last": prepared.channels_last,
            "why": choice.why or run.facts.get("chosen", {}).get("why", []),
        }
    )


def _evaluations(
    prepared: Prepared, forward: Callable[[Any], Any], dtype: torch.dtype | None
) -> dict[str, Evaluate]:
    experiment, valid = prepared.experiment, prepared.valid
    if valid is None:
        return {}
    scores = {"loss": experiment.objective, **experiment.metrics}
    return {
        "valid": lambda: evaluate(
            experiment.model,
            valid,
            scores,
            device=prepared.device,
            forward=forward,
            dtype=dtype,
            counts=experiment.counts,
            derived=experiment.derived,
        )
    }


def _watchers(
    run: Run,
    prepared: Prepared,
    options: Options,
    training: Training,
    kept: Checkpoints,
    around: Surroundings,
) -> dict[str, watchers.Watcher]:
    clock = training.clock
    return {
        "checkpoints": watchers.checkpoints(kept, training, every=options.save_every),
        "journal": watchers.journal(run, clock, around.say),
        "figures": watchers.figures(lambda history: _draw(run, history, around), clock),
        "progress": progress(
            clock,
            epochs=prepared.experiment.epochs,
            batches=len(prepared.train),
            examples=prepared.train.examples,
            console=Console(stderr=True, quiet=True) if options.quiet else around.console,
        ),
    }


def _follow(
    records: Generator[Record],
    run: Run,
    patience: int | None,
    training: Training,
    kept: Checkpoints,
    stop: StopFlag,
) -> None:
    """Let the records come until the end, a signal, or no more progress."""
    history = training.clock.history
    with closing(records):
        try:
            for record in records:
                if stop.signal is not None:
                    raise _stopped(run, training, kept, stop.signal)
                if record.ends_epoch and patience and watchers.stale(history, patience):
                    break
        except WorkerError:
            if stop.signal is None:
                raise
            raise _stopped(run, training, kept, stop.signal) from None  # it had the signal too


def _stopped(run: Run, training: Training, kept: Checkpoints, signal: int) -> StoppedError:
    """Save, and say where."""
    saved = kept.save(training) is not None
    found = f"saved step {training.clock.step}" if saved else "could not save its state"
    remedy = f"continue with `fathom resume {run.folder}`"
    return StoppedError(str(run.folder), f"stopped by a signal, {found}", remedy, signal=signal)


class _told:  # noqa: N801 - reads as a phrase: `with _told(...)`
    """Give errors of a step their place: the step, the learning rate, what to try."""

    def __init__(self, prepared: Prepared, training: Training, kept: Checkpoints) -> None:
        self.prepared, self.training, self.kept = prepared, training, kept

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        step = self.training.clock.step + 1
        if isinstance(error, NonFiniteError):
            raise self._diverged(error, step - error.steps_ago) from error
        if isinstance(error, Exception) and is_out_of_memory(error):
            size = self.prepared.train.batch_size
            wrong = f"not enough memory on {self.prepared.device} for batches of {size}"
            remedy = f"try --batch-size {max(size // 4, 1)}"
            raise ResourceError(f"step {step}", wrong, remedy) from error
        if isinstance(error, WorkerError | watchers.WatcherError):
            if isinstance(error, watchers.WatcherError):
                error.place += f" after step {step - 1}"
            with suppress(Exception):  # the error on its way says more than one of this save
                if self.kept.save(self.training) is not None:
                    self.kept.say(f"saved step {step - 1}")

    def _diverged(self, error: NonFiniteError, step: int) -> DivergedError:
        lr = float(self.prepared.experiment.optimizer.param_groups[0]["lr"])
        steps = list(self.kept.steps())
        good = f"last good step {steps[-1]}" if steps else "no checkpoint yet"
        row = f", {error.in_a_row} updates in a row skipped" if error.in_a_row > 1 else ""
        wrong = (
            f"loss is {error.loss} (lr {lr:g}, grad norm {error.gradient_norm:.3g}, "
            f"first non-finite: {error.first}{row}); {good}"
        )
        return DivergedError(f"step {step}", wrong, f"try --lr {lr / 10:g}, or --on-nan skip")


def _draw(run: Run, history: list[dict[str, Any]], around: Surroundings) -> None:
    if history:
        around.save(around.curves(history, run.recipe), run.figures / "curves")


def _finish(
    run: Run, prepared: Prepared, training: Training, kept: Checkpoints, around: Surroundings
) -> Findings:
    """Weights, figures, the recipe's own report, and the papers; what was found."""
    clock, experiment = training.clock, prepared.experiment
    kept.save(training)
    write_whole(run.weights, to_safetensors(experiment.model))
    _draw(run, clock.history, around)
    experiment.history[:] = clock.history
    findings = _found(experiment, prepared.valid)
    around.keep(findings, run.figures)
    seen = prepared.train.examples * clock.epoch
    run.write(
        status="done",
        final=final(clock.history),
        findings=findings.as_json(),
        seconds=round(clock.seconds, 3),
        examples_per_second=round(seen / max(clock.seconds, 1e-9), 1),
        weights={"sha256": sha256(run.weights)},
        predicts=experiment.predictor.example if experiment.predictor else None,
    )
    return findings


def _found(experiment: Experiment, valid: Batches | None) -> Findings:
    """What is to be said of the model on held-out data, and the recipe's own report."""
    try:
        found = examined(experiment, valid)
        if experiment.report is not None:
            with evaluating(experiment.model) as model:
                found |= experiment.report(model)
        return found
    except FathomError:
        raise
    except Exception as error:
        raise watchers.WatcherError("the recipe's report") from error


def final(history: list[dict[str, Any]]) -> Mapping[str, dict[str, float]]:
    """The last record of each split, without its time and place."""
    places = ("step", "epoch", "split", "seconds")
    return {
        row["split"]: {name: value for name, value in row.items() if name not in places}
        for row in history
    }
