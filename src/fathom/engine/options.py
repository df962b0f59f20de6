"""How a run is carried out, whatever it trains: the options of `try`, `run` and `resume`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fathom.core.arguments import Bounds, Count


@dataclass(frozen=True)
class Options:
    """The engine's settings.

    Args:
        device: auto, cpu, cuda, cuda:1, mps
        precision: what the forward pass computes in; auto measures
        threads: CPU threads, or auto, which measures
        seed: of the weights, the order of the data and all other chance
        compile: compile the model with torch.compile (pays off in long runs only)
        devices: how many devices to train on
        out: the run's folder, instead of runs/RECIPE/NNN
        limit_batches: at most that many batches an epoch, for a quick look
        save_every: a checkpoint each so many steps, beside those at the ends of epochs
        on_nan: stop at a loss or gradient that is not finite, or skip that update
        deterministic: only kernels that give the same bits each time (a run on the CPU does so)
        quiet: no progress, only the result
        plot: draw the curves in the terminal when done
        find_lr: train for a moment at ever higher rates instead, and suggest one
    """

    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    threads: str = "auto"
    seed: Annotated[int, Bounds(at_least=0, at_most=2**32 - 1)] = 0
    compile: bool = False
    devices: Count = 1
    out: str | None = None
    limit_batches: Count | None = None
    save_every: Count | None = None
    on_nan: Literal["stop", "skip"] = "stop"
    deterministic: bool = False
    quiet: bool = False
    plot: bool = False
    find_lr: bool = False
