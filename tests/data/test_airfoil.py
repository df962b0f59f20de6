"""The airfoil measurements, standardised as in the book."""

from __future__ import annotations

import numpy as np
import torch

from fathom.data import airfoil


def test_the_first_1500_rows_standardised_by_all(real, real_file):
    real("airfoil")
    x, y = airfoil.standardised()
    data = np.genfromtxt(real_file("airfoil/airfoil_self_noise.dat"), delimiter="\t")
    expected = ((data - data.mean(0)) / data.std(0))[:1500]
    assert x.shape == (1500, 5)
    assert y.shape == (1500, 1)
    assert x.dtype == y.dtype == torch.float32
    np.testing.assert_allclose(torch.cat([x, y], 1).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_the_best_linear_fit_has_the_loss_of_the_book(real):
    """Book 11.5 to 11.8: no optimiser gets below about 0.243 with half the squared error."""
    real("airfoil")
    x, y = (t.double() for t in airfoil.standardised())
    design = torch.cat([x, torch.ones(1500, 1)], 1)
    solution = torch.linalg.lstsq(design, y).solution
    loss = 0.5 * (design @ solution - y).pow(2).mean()
    assert 0.240 < float(loss) < 0.2435
