"""Series in time: forecasts one step ahead, and further on their own shoulders (book 8.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import torch
from torch import Tensor

from fathom.core.arguments import Bounds, Count, Impl, Rate
from fathom.core.experiment import Experiment
from fathom.core.findings import Findings, Table
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data.batches import TensorBatches
from fathom.data.series import Scale, Series, SeriesFile, windowed
from fathom.models.forecaster import forecaster, rolled_out
from fathom.plots.forecasts import forecasts
from fathom.predictors.forecasting import Forecaster
from fathom.recipes.libraries import library

AHEAD = (1, 4, 16, 64)
Share = Annotated[
    float, Bounds(above=0, at_most=0.99), "of the steps are trained on; the tail is held out"
]


@recipe(
    section="8.1",
    title="Sequence models",
    zh="序列模型",
    minutes=0.1,
    book="train loss, fifth epoch, 0.052; held out 0.055; 64 steps ahead forecasts are useless",
    ours="0.056 [0.054, 0.060], held out 0.053 [0.051, 0.058]; likewise",
)
def sequence(
    data: SeriesFile = "sine",
    *,
    impl: Impl = "torch",
    target: Annotated[str | None, "the variable of a file that is shown; or its first"] = None,
    window: Annotated[Count, "steps that the network looks at"] = 4,
    train_share: Share = 0.6,
    hidden_size: Annotated[Count, "units in the hidden layer"] = 10,
    batch_size: Count = 16,
    lr: Rate = 0.01,
    epochs: Count = 5,
) -> Experiment:
    """Forecast a series from its last few values, and see how soon forecasts of forecasts fail.

    One step ahead is easy. To look further the network is given its own forecasts, errors and
    all: the error grows with each step until the forecast is no better than a constant. `naive`
    is the forecast that nothing will change.

    A .csv file may have a column of dates and any number of variables; all of them are forecast,
    each brought to mean 0 and standard deviation 1 of what is trained on.
    """
    lib = library(impl)
    found = windowed(
        data, window=window, train_share=train_share, target=target, seed=current_seed()
    )
    names = found.series.names
    model = forecaster(window, len(names), hidden_size, nn=lib.nn)
    return Experiment(
        model,
        TensorBatches(*found.train, batch_size=batch_size),
        lib.nn.MSELoss(),
        lib.optim.Adam(model.parameters(), lr=lr),
        epochs,
        valid=TensorBatches(*found.valid, batch_size=1_000, shuffle=False, split="valid"),
        predictor=Forecaster(names, window, found.scale),
        report=_report(found.series, found.inputs, found.trained, found.scale),
    )


def _report(
    series: Series, inputs_NWV: Tensor, trained: int, scale: Scale | None
) -> Callable[[torch.nn.Module], Findings]:
    """Errors so many steps ahead on the tail, beside those of a forecast that nothing changes."""

    def report(model: torch.nn.Module) -> Findings:
        window, total = inputs_NWV.shape[1], len(series)
        ahead = [k for k in AHEAD if k < total - window - trained]
        device = next(model.parameters()).device
        found_NTV = rolled_out(model, inputs_NWV.to(device), total - window - trained).cpu()
        if scale is not None:
            found_NTV = scale.undo(found_NTV)
        truth_N, times = series.values[:, 0], series.times.tolist()
        rows, drawn = [], {}
        for k in ahead:
            # Windows n = trained … see nothing of their last step's future: it is in the tail.
            last = total - window - k + 1
            forecast_N, right_N = found_NTV[:last, k - 1, 0], truth_N[window + k - 1 :]
            naive_N = truth_N[window - 1 : total - k]
            errors = [
                float((guess - right_N)[trained:].square().mean().sqrt())
                for guess in (forecast_N, naive_N)
            ]
            rows.append([k, *errors])
            drawn[f"{k} step{'s' * (k > 1)} ahead"] = times[window + k - 1 :], forecast_N.tolist()
        start = window + trained
        alone = dict(list(drawn.items())[:1])
        alone["on its own forecasts"] = times[start:], found_NTV[trained, :, 0].tolist()
        words: dict[str, Any] = dict(tail=times[start], xlabel=series.clock, ylabel=series.names[0])
        past = times, truth_N.tolist()
        return Findings(
            tables={
                "Root mean squared error on what was held out": Table(
                    ["steps ahead", "forecast", "naive"], rows
                )
            },
            figures={
                "forecasts": forecasts(
                    *past, drawn, title="forecasts, so many steps ahead", **words
                ),
                "alone": forecasts(
                    *past, alone, title="forecasts of forecasts, from where training ended", **words
                ),
            },
        )

    return report
