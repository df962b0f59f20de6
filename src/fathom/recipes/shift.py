"""Data that are not as they were in training (book 4.9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fathom.core.arguments import Count, Impl, Rate
from fathom.core.experiment import Experiment, Metric
from fathom.core.findings import Findings, Number, Table
from fathom.core.order import derive
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data import digits, shifts
from fathom.data.batches import TensorBatches
from fathom.data.cross_validation import means
from fathom.data.shifts import Examples
from fathom.models.folds import SideBySide
from fathom.plots.shares import class_shares, densities
from fathom.predictors.pictures import PictureClassifier
from fathom.recipes.libraries import Library, library

HIGH, LATER = 5, 7  # a digit from here on is high; when the concept has shifted, from there on
FADING = 0.6  # under label shift: the share of each digit, as part of that of the one before
NOISE, DRAWN = 0.7, 3_000  # and the pictures of it: so noisy, so many
PENALTY = 1e-2  # on the squares of the weights of what is fitted in one go
WAYS = ("uncorrected", "corrected", "new labels")


@recipe(
    section="4.9",
    title="Environment and distribution shift",
    zh="环境和分布偏移",
    minutes=0.1,
    book="prose only",
    ours="covariate shift 0.744 to 0.889, label shift 0.623 to 0.728, concept shift no gain",
)
def distribution_shift(
    *,
    impl: Impl = "torch",
    strength: Rate = 2.0,
    clip: Rate = 20.0,
    batch_size: Count = 64,
    lr: Rate = 0.02,
    epochs: Count = 60,
) -> Experiment:
    """Three ways in which the world is not as the training data were, and what can be done.

    Covariate shift: handwritten digits of one style are rare in training and common in use. A
    linear classifier (is the digit five or more?) learns the wrong compromise. A discriminator
    that tells training inputs from new ones gives each training example its weight, and needs no
    new labels. Three classifiers train side by side: uncorrected; corrected by the weights; and
    one on the new data and their labels, to show what could be had. All are measured on new data
    that none has seen.

    Label shift: small digits become common and large ones rare. How often each occurs is solved,
    by the confusion matrix, from how often each is guessed. Concept shift: "high" begins at seven,
    not at five. No weight can undo it: the inputs are the same.

    Args:
        strength: how much the log-odds of being new data grow by a deviation of style
        clip: the largest weight that one example may have
    """
    lib = library(impl)
    seed = current_seed()
    chance = torch.Generator().manual_seed(derive(seed, 1))
    pictures = digits.pictures(seed)
    every = shifts.examples(pictures.train, pictures.valid)
    style = shifts.main_direction(every.x)
    is_new = shifts.covariate_shift(style, strength, chance)
    of_half = torch.rand(len(every), generator=chance) < 0.5
    high = Examples(every.x, (every.y >= HIGH).long())
    source, new, held = (high.rows(w) for w in (~is_new, is_new & of_half, is_new & ~of_half))
    weights = _importance(source.x, new.x, clip, lib)

    told = torch.cat([source.y, new.y])[:, None].float()
    old, fresh = torch.ones(len(source)), torch.zeros(len(new))
    counts = torch.stack(
        [torch.cat(c) for c in ((old, fresh), (weights, fresh), (1 - old, 1 - fresh))], dim=1
    )
    held_counts = torch.ones(len(held), len(WAYS))
    layers = (lib.nn.Sequential(lib.nn.Flatten(), lib.nn.Linear(every.x.shape[1], 1)) for _ in WAYS)
    model = SideBySide(lib.nn.ModuleList(layers))
    entropy = lib.nn.BCEWithLogitsLoss(reduction="none")

    def objective(logits_BK: Tensor, targets: Tensor) -> Tensor:
        losses_BK = entropy(logits_BK, targets[:, :1].expand_as(logits_BK))
        return means(losses_BK, targets[:, 1:]).mean()

    def report(trained: torch.nn.Module) -> Findings:
        scores = [_high_accuracy(k)(trained(held.x), held.y[:, None]) for k in range(len(WAYS))]
        with torch.inference_mode(False), torch.enable_grad():  # more is fitted here
            return _three_shifts(
                [float(score) for score in scores],
                {
                    "new data": (style[is_new], torch.ones(int(is_new.sum()))),
                    "training data": (style[~is_new], torch.ones(len(source))),
                    "training data, weighted": (style[~is_new], weights),
                },
                _label_shift(every, chance, lib),
                _concept_shift(every, clip, chance, lib),
            )

    return Experiment(
        model,
        TensorBatches(
            torch.cat([source.x, new.x]), torch.cat([told, counts], dim=1), batch_size=batch_size
        ),
        objective,
        lib.optim.Adam(model.parameters(), lr=lr),
        epochs,
        valid=TensorBatches(
            held.x,
            torch.cat([held.y[:, None].float(), held_counts], dim=1),
            batch_size=len(held),
            shuffle=False,
        ),
        metrics={way.replace(" ", "_"): _high_accuracy(k) for k, way in enumerate(WAYS)},
        predictor=_Corrected(PictureClassifier(pictures.read, ["below five", "five or more"])),
        report=report,
    )


class _Corrected:
    """Pictures to the answers of the corrected classifier."""

    def __init__(self, classifier: PictureClassifier) -> None:
        self.example, self.read, self.draw = classifier.example, classifier.read, classifier.draw
        self._answers = classifier.answers

    def answers(self, outputs: Tensor) -> list[dict[str, Any]]:
        """From logits (N, 3) of five or more."""
        logit_N = outputs[:, WAYS.index("corrected")]
        return self._answers(torch.stack([torch.zeros_like(logit_N), logit_N], dim=1))


def _high_accuracy(member: int) -> Metric:
    """The share of examples that a member gets right, whether or not they count for it."""
    return lambda logits, targets: ((logits[:, member] > 0) == (targets[:, 0] > 0.5)).float().mean()


def _fitted(examples: Examples, classes: int, weights: Tensor, lib: Library) -> torch.nn.Module:
    """A linear classifier at the least of its weighted cross-entropy, found in one go by L-BFGS."""
    model = lib.nn.Linear(examples.x.shape[1], classes, dtype=torch.float64)
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    entropy = lib.nn.CrossEntropyLoss(reduction="none")
    x, w = examples.x.double(), weights.double() / weights.sum()
    optimizer = lib.optim.LBFGS(
        model.parameters(),
        max_iter=300,
        tolerance_grad=1e-8,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (entropy(model(x), examples.y) * w).sum()
        loss = loss + PENALTY * model.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return model.requires_grad_(False)


def _importance(source_x: Tensor, new_x: Tensor, clip: float, lib: Library) -> Tensor:
    """The weight of each training example, from a discriminator of training and new inputs."""
    both = Examples(
        torch.cat([source_x, new_x]),
        torch.cat([torch.zeros(len(source_x)), torch.ones(len(new_x))]).long(),
    )
    discriminator = _fitted(both, 2, torch.ones(len(both)), lib)
    logits = discriminator(source_x.double())
    log_odds = logits[:, 1] - logits[:, 0]
    return shifts.importance(log_odds, len(source_x), len(new_x), clip).float()


def _accuracy(model: torch.nn.Module, examples: Examples) -> float:
    return float((model(examples.x.double()).argmax(1) == examples.y).double().mean())


def _label_shift(
    every: Examples, chance: torch.Generator, lib: Library
) -> tuple[list[float], dict[str, Tensor]]:
    """Accuracies of the three ways on held-out data, and the shares of the digits as found."""
    K = int(every.y.max()) + 1
    even, fading = torch.ones(K) / K, FADING ** torch.arange(K)
    pools = torch.randperm(len(every), generator=chance).split(len(every) // 4 + 1)
    source, known, new, held = (
        shifts.label_shift(every.rows(pool), part, DRAWN, NOISE, chance)
        for pool, part in zip(pools, (even, even, fading, fading), strict=True)
    )
    plain = _fitted(source, K, torch.ones(len(source)), lib)
    guessed = shifts.shares(plain(new.x.double()).argmax(1), K)
    matrix = shifts.confusion(plain(known.x.double()).argmax(1), known.y, K)
    solved, true = shifts.solved_shares(matrix, guessed), shifts.shares(new.y, K)
    before = shifts.shares(source.y, K)
    reweighted, knowing = (
        _fitted(source, K, (part / before)[source.y], lib) for part in (solved, true)
    )
    accuracies = [_accuracy(model, held) for model in (plain, reweighted, knowing)]
    return accuracies, {"training": before, "guessed": guessed, "solved": solved, "true": true}


def _concept_shift(
    every: Examples, clip: float, chance: torch.Generator, lib: Library
) -> tuple[list[float], float]:
    """Accuracies of the three ways, and the part of the training data that the weights leave."""
    pools = torch.randperm(len(every), generator=chance).split(len(every) // 3 + 1)
    source, new, held = (
        Examples(every.x[pool], (every.y[pool] >= first).long())
        for pool, first in zip(pools, (HIGH, LATER, LATER), strict=True)
    )
    weights = _importance(source.x, new.x, clip, lib)
    one = torch.ones(len(source))
    models = [_fitted(source, 2, w, lib) for w in (one, weights)]
    models.append(_fitted(new, 2, torch.ones(len(new)), lib))
    accuracies = [_accuracy(model, held) for model in models]
    return accuracies, shifts.effective_size(weights) / len(source)


def _three_shifts(
    covariate: Sequence[float],
    styles: dict[str, tuple[Tensor, Tensor]],
    label: tuple[list[float], dict[str, Tensor]],
    concept: tuple[list[float], float],
) -> Findings:
    """All that was found, in one table."""
    found = {"covariate": covariate, "label": label[0], "concept": concept[0]}
    gains = [scores[1] - scores[0] for scores in found.values()]
    rows = [
        [f"{name} shift", *scores, gain]
        for (name, scores), gain in zip(found.items(), gains, strict=True)
    ]
    weights = styles["training data, weighted"][1]
    centres = [float((x * w).sum() / w.sum()) for x, w in styles.values()]
    training, guessed, solved, true = label[1].values()
    return Findings(
        numbers={
            "training examples, covariate shift": Number(len(weights)),
            "effective number when weighted": Number(round(shifts.effective_size(weights))),
            "largest weight": Number(float(weights.max())),
            "digits miscounted by training's shares": Number(
                100 * shifts.distance(training, true), "%"
            ),
            "by counting guesses": Number(100 * shifts.distance(guessed, true), "%"),
            "by solving for the shares": Number(100 * shifts.distance(solved, true), "%"),
        },
        tables={"Accuracy on held-out new data": Table(["", *WAYS, "gain"], rows)},
        figures={
            "covariate-shift": densities(
                {name: (x.tolist(), w.tolist()) for name, (x, w) in styles.items()},
                title="covariate shift: weights move training data to the new",
                xlabel="style: the direction in which digits differ most",
            ),
            "label-shift": class_shares(
                {name: share.tolist() for name, share in label[1].items()},
                [str(digit) for digit in range(len(true))],
                title="label shift: how often each digit occurs in the new data",
                xlabel="digit",
            ),
        },
        claims={
            "weighted training data lie nearer to the new": abs(centres[2] - centres[0])
            < abs(centres[1] - centres[0]) / 2,
            "covariate shift: the weights gain 2 points or more": gains[0] > 0.02,
            "label shift: solved shares are nearer to the truth than counted guesses": (
                shifts.distance(solved, true) < shifts.distance(guessed, true)
            ),
            "label shift: weights by solved shares gain 2 points or more": gains[1] > 0.02,
            "concept shift: the weights gain less than 5 points, new labels 10 or more": (
                gains[2] < 0.05 and concept[0][2] - concept[0][0] > 0.1
            ),
        },
    )
