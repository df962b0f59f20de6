"""The network of a recipe on pictures, layer by layer, for its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fathom.cli.output import table

if TYPE_CHECKING:
    from rich.console import Console

    from fathom.core.recipe import Recipe
    from fathom.models.summary import Summary


class Layers(NamedTuple):
    """A summary, of one picture of `form` (channels, height, width), and the size of a batch."""

    summary: Summary
    form: tuple[int, ...]
    batch_size: int

    def as_json(self) -> dict[str, Any]:
        summary = self.summary
        return {
            "input": list(self.form),
            "layers": [row._asdict() for row in summary.rows],
            "parameters": summary.parameters,
            "multiply_adds": summary.multiply_adds,
            "training_bytes": summary.training_bytes(self.batch_size),
        }

    def show(self, console: Console) -> None:
        summary = self.summary
        rows = [
            [
                row.name,
                row.kind,
                _sides(row.shape),
                f"{row.parameters:,}",
                _count(row.multiply_adds),
            ]
            for row in summary.rows
        ]
        console.print(f"\n[bold]Network[/bold] (for one picture of {_sides(self.form)})")
        heads = ["", "layer", "output", "parameters", "multiply-adds"]
        console.print(table(heads, rows, right=[3, 4]))
        memory = summary.training_bytes(self.batch_size) / 2**20
        console.print(
            f"{summary.parameters:,} parameters, {_count(summary.multiply_adds)} multiply-adds a "
            f"picture; training wants about {memory:,.0f} MB for batches of {self.batch_size}"
        )


def layers_of(recipe: Recipe, given: Mapping[str, Any]) -> Layers | None:
    """The network as in the book, but for what is `given`; None where no pictures are classified.

    Its form is that of the built-in pictures: nothing is fetched.
    """
    from fathom.core.seeds import seed_everything
    from fathom.data.sources import sources
    from fathom.models.summary import summarise

    built_in = {name: source for name, source in sources().items() if source.kind == "pictures"}
    data = recipe.sample.get("data")
    if recipe.kind != "experiment" or data not in built_in:
        return None
    seed_everything(0)
    experiment = recipe.function(**recipe.settings({"data": data, **given}))
    inputs, _ = next(iter(experiment.train.limit(1).epoch(0, 0)))
    summary = summarise(experiment.model, inputs[:1])
    return Layers(summary, tuple(inputs.shape[1:]), experiment.train.batch_size)


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _count(number: int) -> str:
    """Three digits of what may be billions."""
    for unit, name in ((10**9, " G"), (10**6, " M"), (10**3, " k")):
        if number >= unit:
            return f"{number / unit:.3g}{name}"
    return str(number)
