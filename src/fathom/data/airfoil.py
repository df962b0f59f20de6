"""Airfoil self-noise: 1,503 wind-tunnel measurements by NASA, the book's data for optimisers.

Source   Brooks, Pope and Marcolini 1989; UCI "Airfoil Self-Noise"; book 11.5.
Shapes   N rows, 5 features.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fathom.data.sources import File, Packing, Source, fetch

if TYPE_CHECKING:
    from torch import Tensor

    from fathom.data.tables import Table

SOURCE = Source(
    name="airfoil",
    title="airfoil self-noise: 1,503 rows of 5 measurements and a sound level",
    home="https://archive.ics.uci.edu/dataset/291",
    licence="CC BY 4.0",
    kind="table",
    packings=(
        Packing(
            "dat",
            (
                File(
                    "airfoil_self_noise.dat",
                    59_984,
                    "74c75fd71783f1e6b71f8a622b993dc592897a97cd689c5090a07147a1b097b3",
                    (
                        "https://d2l-data.s3-accelerate.amazonaws.com/airfoil_self_noise.dat",
                        "https://archive.ics.uci.edu/ml/machine-learning-databases/00291/"
                        "airfoil_self_noise.dat",
                    ),
                ),
            ),
        ),
    ),
)
COLUMNS = ("frequency", "angle", "chord", "velocity", "thickness", "level")
# Of the standardised measurements, rounded: what `made` makes up again.
CORRELATIONS = (
    (1.00, -0.28, 0.00, 0.13, -0.24),
    (-0.28, 1.00, -0.50, 0.06, 0.75),
    (0.00, -0.50, 1.00, 0.00, -0.22),
    (0.13, 0.06, 0.00, 1.00, 0.00),
    (-0.24, 0.75, -0.22, 0.00, 1.00),
)
WEIGHTS = (-0.58, -0.37, -0.48, 0.22, -0.27)
NOISE = 0.695


def table() -> Table:
    """All rows as they were measured: Hz, degrees, m, m/s, m; the level in dB."""
    from fathom.data.tables import read_csv

    (path,) = fetch(SOURCE).values()
    return read_csv(Path(path), delimiter="\t", header=COLUMNS)


def standardised(count: int = 1500) -> tuple[Tensor, Tensor]:
    """Features (count, 5) and levels (count, 1), float32, each column of mean 0 and variance 1.

    As in the book: mean and variance (by N) are of all rows, then the first `count` are kept.
    """
    import numpy as np
    import torch

    rows = table()
    values = np.stack([rows.target(name) for name in COLUMNS], axis=1)
    values = (values - values.mean(0)) / values.std(0)
    kept = torch.from_numpy(values[:count].astype(np.float32))
    return kept[:, :-1].contiguous(), kept[:, -1:].contiguous()


def made(count: int = 1500, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """What `standardised` gives, made up: the same correlations of features, weights and noise."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    correlations_KK = torch.tensor(CORRELATIONS, dtype=torch.float64)
    noise_NK = torch.randn(count, 6, generator=generator, dtype=torch.float64)
    x_NK = noise_NK[:, :5] @ torch.linalg.cholesky(correlations_KK).T
    y_N1 = x_NK @ torch.tensor(WEIGHTS, dtype=torch.float64)[:, None] + NOISE * noise_NK[:, 5:]
    values = torch.cat([x_NK, y_N1], dim=1)
    values = (values - values.mean(0)) / values.std(0, correction=0)
    return values[:, :-1].float().contiguous(), values[:, -1:].float().contiguous()
