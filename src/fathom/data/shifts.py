"""Data whose distribution shifts between training and use, and the weights that undo a shift.

Source   Book 4.9; Shimodaira 2000 (importance weights for covariate shift); Lipton, Wang and
         Smola 2018, arXiv:1802.03916 (label shift by the confusion matrix); Kish 1965 (effective
         sample size).
Shapes   N examples of D numbers, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fathom.core.errors import DataError
from fathom.data.picture_set import Split


@dataclass(frozen=True)
class Examples:
    """Inputs (N, D) and labels (N,), int64."""

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.y)

    def rows(self, which: Tensor) -> Examples:
        """Those at the numbers, or where the booleans are true."""
        return Examples(self.x[which], self.y[which])


def examples(*parts: Split) -> Examples:
    """All pictures of these parts, flat and in [0, 1]."""
    x, y = [], []
    for part in parts:
        for pictures, labels in part.batches(len(part), shuffle=False).epoch(0, 0):
            x.append(pictures.flatten(1).clone())
            y.append(labels.clone())
    return Examples(torch.cat(x), torch.cat(y))


def main_direction(x_ND: Tensor) -> Tensor:
    """(N,): how far each example lies along the direction in which they differ most, std 1."""
    centred = (x_ND - x_ND.mean(0)).double()
    direction = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -1]
    direction = direction * direction.sum().sign()  # either sign is an eigenvector
    along = centred @ direction
    return (along / along.std()).to(x_ND.dtype)


def covariate_shift(along_N: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """(N,), true for the target: the chance to land there is sigmoid(strength * along).

    What an input means stays as it is; only which inputs are seen where differs.
    """
    return torch.rand(len(along_N), generator=generator) < torch.sigmoid(strength * along_N)


def label_shift(
    pool: Examples, shares_K: Tensor, count: int, noise: float, generator: torch.Generator
) -> Examples:
    """`count` examples drawn from `pool`, classes by their shares, each with noise of its own."""
    sizes_K = torch.bincount(pool.y, minlength=len(shares_K))
    chosen = torch.multinomial(
        (shares_K / sizes_K)[pool.y], count, replacement=True, generator=generator
    )
    x = pool.x[chosen]
    return Examples(x + noise * torch.randn(x.shape, generator=generator), pool.y[chosen])


def importance(log_odds_N: Tensor, sources: int, targets: int, clip: float) -> Tensor:
    """p(x) of the target over p(x) of the source, at most `clip`, from a discriminator's log-odds.

    A discriminator that has seen `sources` and `targets` examples gives the odds that x is of the
    target; the ratio of densities is that times sources / targets.
    """
    return (log_odds_N.exp() * sources / targets).clamp(max=clip)


def effective_size(weights_N: Tensor) -> float:
    """How many equally weighted examples tell as much: (sum w)² / sum w²."""
    return float(weights_N.sum() ** 2 / weights_N.square().sum())


def shares(labels_N: Tensor, classes: int) -> Tensor:
    """(K,): what part of the examples each class has, float64."""
    return torch.bincount(labels_N, minlength=classes).double() / len(labels_N)


def confusion(guesses_N: Tensor, labels_N: Tensor, classes: int) -> Tensor:
    """(K, K): row i, column j is the part of class j that is taken for i; columns sum to 1."""
    return torch.stack([shares(guesses_N[labels_N == j], classes) for j in range(classes)], dim=1)


def solved_shares(confusion_KK: Tensor, guessed_K: Tensor) -> Tensor:
    """The shares mu of the classes with C mu = q, from the shares q of guesses; none below 0.

    Raises DataError where the classifier does not tell the classes apart: C has no inverse.
    """
    if float(torch.linalg.cond(confusion_KK)) > 1e6:
        wrong = "cannot be solved for the shares: classes are confused alike"
        raise DataError("the confusion matrix", wrong, "use a better classifier, or more examples")
    mu_K = torch.linalg.solve(confusion_KK, guessed_K).clamp(min=0)
    return mu_K / mu_K.sum()


def distance(p_K: Tensor, q_K: Tensor) -> float:
    """Total variation: the part of the examples that would have to change their class."""
    return float((p_K - q_K).abs().sum() / 2)
