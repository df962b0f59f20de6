"""What softmax regression rests on: probabilities, information, losses, pictures (book 3.4-3.5)."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor

from fathom.core.arguments import Bounds, Count, Rate
from fathom.core.experiment import Batches
from fathom.core.findings import Findings, Number, Table
from fathom.core.order import derive
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.data.images import Images, PictureSet, load_pictures
from fathom.objectives import cross_entropy
from fathom.plots.pictures import picture_grid
from fathom.plots.scalars import panels

SHOWN = 18
ONE_BY_ONE = 1_000
OUTLIER = [1.0, 2.0, 3.0, 4.0, 100.0]
SOURCES = {
    "a fair coin": [0.5, 0.5],
    "a coin that falls heads 9 times in 10": [0.9, 0.1],
    "a fair die": [1 / 6] * 6,
    "halves, quarters, eighths": [0.5, 0.25, 0.125, 0.125],
    "what is certain": [1.0, 0.0],
}


@recipe(
    section="3.4",
    title="Softmax regression",
    zh="softmax回归",
    minutes=0.1,
    book="derived, not run: the gradient of the cross-entropy is softmax(o) - y",
    ours="holds to 1e-9 against differences, in each run",
)
def softmax_studies(*, delta: Rate = 1.0) -> Findings:
    """From scores to probabilities, from probabilities to information, and three losses.

    A softmax is computed as it is written, which overflows, and with the largest score taken off
    first, which does not. The derivatives of the cross-entropy are compared with differences:
    softmax(o) - y, and for the second one the variance p (1 - p). Entropy is what a code must
    spend at least; Huffman's spends less than one bit more. Of absolute, squared and Huber's
    loss each is drawn with its gradient and the density that it is the likelihood of, and asked
    for the one number that stands best for 1, 2, 3, 4 and an outlier of 100.

    Args:
        delta: where Huber's loss goes over from a square to a line
    """
    generator = torch.Generator().manual_seed(current_seed())
    logits_BK = torch.randn(8, 5, generator=generator, dtype=torch.float64) * 3
    labels_B = torch.randint(5, (8,), generator=generator)
    probabilities_BK = stable_softmax(logits_BK)
    wrong_BK = probabilities_BK - torch.nn.functional.one_hot(labels_B, 5)
    slope_BK, curvature_BK = _differences(logits_BK, labels_B)

    p_K, q_NK = (
        probabilities_BK[0],
        stable_softmax(torch.randn(200, 5, generator=generator)).double(),
    )
    spent = {name: (_entropy_bits(p), _huffman_bits(p)) for name, p in SOURCES.items()}

    errors = torch.linspace(-4, 4, 321, dtype=torch.float64)
    losses = _losses(delta)
    best = {name: _best_constant(torch.tensor(OUTLIER), loss) for name, (loss, _) in losses.items()}
    chances = [number / 200 for number in range(1, 200)]
    surprisal = [-math.log2(p) for p in chances]
    coin = [_entropy_bits([p, 1 - p]) for p in chances]
    return Findings(
        tables={
            "Information": Table(
                ["", "entropy in bits", "Huffman's code"],
                [[name, *bits] for name, bits in spent.items()],
            ),
            "One number for 1, 2, 3, 4 and 100": Table(
                ["least sum of", "is"], [[name, value] for name, value in best.items()]
            ),
        },
        figures={
            "losses": panels(
                {name: _drawn(errors, *both) for name, both in losses.items()},
                xlabel="error",
            ),
            "information": panels(
                {
                    "surprisal of an event": (chances, {"bits": surprisal}),
                    "entropy of a coin": (chances, {"bits": coin}),
                },
                xlabel="probability",
                ylabel="bits",
                same_y=False,
            ),
        },
        claims={
            "as it is written, the softmax of 1,000 overflows": bool(
                plain_softmax(logits_BK + 1_000).isnan().all()
            ),
            "with the largest score taken off it is torch's": torch.allclose(
                stable_softmax(logits_BK + 1_000), torch.softmax(logits_BK + 1_000, 1), rtol=1e-12
            ),
            "what is added to all scores changes nothing": torch.allclose(
                stable_softmax(logits_BK + 1_000), probabilities_BK, rtol=1e-9
            ),
            "the gradient of the cross-entropy is softmax(o) - y": torch.allclose(
                slope_BK, wrong_BK, rtol=0, atol=1e-8
            ),
            "its second derivative is the variance p (1 - p)": torch.allclose(
                curvature_BK, probabilities_BK * (1 - probabilities_BK), rtol=0, atol=1e-5
            ),
            "no other prediction than the truth has so little cross-entropy": bool(
                ((-p_K * q_NK.log()).sum(1) > -(p_K * p_K.log()).sum()).all()
            ),
            "Huffman's code spends the entropy and less than a bit more": all(
                bits - 1e-9 <= code < bits + 1 for bits, code in spent.values() if bits > 0
            ),
            "the gradients of the three losses are autograd's": all(
                torch.equal(gradient(errors), _by_autograd(loss, errors))
                for loss, gradient in losses.values()
            ),
            "squares find the mean, absolute values the median": (
                abs(best["squares"] - 22) < 1e-2 and abs(best["absolute values"] - 3) < 1e-2
            ),
        },
    )


def plain_softmax(logits_BK: Tensor) -> Tensor:
    """e^o over the sum of the row: as it is written, (B, K) to (B, K)."""
    exponentials_BK = logits_BK.exp()
    return exponentials_BK / exponentials_BK.sum(1, keepdim=True)


def stable_softmax(logits_BK: Tensor) -> Tensor:
    """The same with the row's largest score taken off: no exponential is above one."""
    return plain_softmax(logits_BK - logits_BK.amax(1, keepdim=True))


def _differences(logits_BK: Tensor, labels_B: Tensor, step: float = 1e-4) -> tuple[Tensor, Tensor]:
    """First and second derivatives of each row's cross-entropy by its scores: differences only."""

    def losses_of(logits_BK: Tensor) -> Tensor:
        parts = zip(logits_BK.split(1), labels_B.split(1), strict=True)
        return torch.stack([cross_entropy(logits, label) for logits, label in parts])

    first, second = torch.empty_like(logits_BK), torch.empty_like(logits_BK)
    middle_B = losses_of(logits_BK)
    for k in range(logits_BK.shape[1]):
        move = torch.zeros_like(logits_BK)
        move[:, k] = step
        up_B, down_B = losses_of(logits_BK + move), losses_of(logits_BK - move)
        first[:, k] = (up_B - down_B) / (2 * step)
        second[:, k] = (up_B - 2 * middle_B + down_B) / step**2
    return first, second


def _entropy_bits(p: list[float]) -> float:
    """The expected surprisal, -log2 p; what never happens adds nothing."""
    return sum(-chance * math.log2(chance) for chance in p if chance > 0)


def _huffman_bits(p: list[float]) -> float:
    """The mean length of Huffman's code: each time two are joined, both get a digit longer."""
    queue = [chance for chance in p if chance > 0]
    heapq.heapify(queue)
    spent = 0.0
    while len(queue) > 1:
        joined = heapq.heappop(queue) + heapq.heappop(queue)
        spent += joined
        heapq.heappush(queue, joined)
    return spent


Curve = Callable[[Tensor], Tensor]


def _losses(delta: float) -> dict[str, tuple[Curve, Curve]]:
    """Each loss of an error, and its gradient."""
    return {
        "absolute values": (torch.abs, torch.sign),
        "squares": (lambda e: e.square() / 2, lambda e: e.clone()),
        "Huber's": (
            lambda e: torch.where(e.abs() <= delta, e.square() / 2, delta * (e.abs() - delta / 2)),
            lambda e: e.clamp(-delta, delta),
        ),
    }


def _drawn(errors: Tensor, loss: Curve, gradient: Curve) -> tuple[list[float], dict]:
    density = torch.exp(-loss(errors))
    curves = {"loss": loss(errors), "gradient": gradient(errors), "likelihood e^-loss": density}
    return errors.tolist(), {name: curve.tolist() for name, curve in curves.items()}


def _by_autograd(loss: Curve, errors: Tensor) -> Tensor:
    errors = errors.clone().requires_grad_()
    return torch.autograd.grad(loss(errors).sum(), errors)[0]


def _best_constant(values_N: Tensor, loss: Curve) -> float:
    """The number whose errors to all values cost least, to a thousandth."""
    grid_G = torch.arange(0, 110, 0.001, dtype=torch.float64)
    return float(grid_G[loss(grid_G[:, None] - values_N).sum(1).argmin()])


@recipe(
    section="3.5",
    title="The image classification dataset",
    zh="图像分类数据集",
    sample=dict(data="digits"),
    minutes=0.1,
    book="reading 60,000 pictures takes 1.98 s [1.67, 3.37] with four worker processes",
    ours="0.02 s in one process, and picture by picture 0.9 s: bytes in memory, gathered by batch",
)
def image_data(
    data: Images = "fashion-mnist",
    *,
    batch_size: Count = 256,
    size: Annotated[int, Bounds(at_least=1)] | None = None,
) -> Findings:
    """Look at a set of pictures with their labels, and measure how fast it is read.

    Args:
        size: make every picture that many pixels square
    """
    pictures = load_pictures(data, size=size)
    batches = pictures.train.batches(batch_size)
    in_batches = _seconds(batches)
    single = pictures.train.batches(1).limit(ONE_BY_ONE)
    one_by_one = _seconds(single) * pictures.train.batches(1).examples / single.examples

    first, again = _epoch(batches, pictures, 0), _epoch(batches, pictures, 1)
    small = pictures.resized(64).train.batches(32, shuffle=False)
    resized = tuple(next(iter(small.epoch(0, 0)))[0].shape)
    inputs, labels = next(iter(pictures.train.batches(SHOWN, shuffle=False).epoch(0, 0)))
    counts = torch.bincount(pictures.train.labels, minlength=len(pictures.classes))
    held_out = torch.bincount(pictures.valid.labels, minlength=len(pictures.classes))
    rows = zip(pictures.classes, counts.tolist(), held_out.tolist(), strict=True)
    return Findings(
        numbers={
            "numbers in a picture": Number(inputs[0].numel(), " x ".join(map(str, pictures.form))),
            "an epoch in batches": Number(in_batches, "s"),
            "picture by picture": Number(one_by_one, "s"),
            "speed": Number(batches.examples / in_batches, "pictures/s"),
        },
        tables={"Pictures": Table(["class", "to train on", "held out"], [*map(list, rows)][:20])},
        figures={
            "pictures": picture_grid(
                _bytes(inputs),
                [pictures.classes[label] for label in labels.tolist()],
                title=f"the first of {pictures.name}",
            ),
            "means": picture_grid(
                _bytes(first.means)[:20], pictures.classes[:20], title="the mean of each class"
            ),
        },
        claims={
            "numbers are between 0 and 1": bool(first.low >= 0 and first.high <= 1),
            "an epoch shows each label as often as there is one": torch.equal(
                torch.bincount(first.labels, minlength=len(counts)), counts
            ),
            "another epoch shows the same pictures": torch.allclose(
                first.sums.sort().values, again.sums.sort().values, rtol=1e-6
            ),
            "the same seed and epoch give the same order": torch.equal(
                _epoch(batches, pictures, 0).sums, first.sums
            ),
            "pictures are brought to 64 by 64 when asked": resized[1:] == (inputs.shape[1], 64, 64),
        },
    )


class _Seen:
    """What an epoch showed: labels and a sum of each picture in order, means of each class."""

    def __init__(self, classes: int, form: tuple[int, ...]) -> None:
        self.all_labels: list[Tensor] = []
        self.all_sums: list[Tensor] = []
        self.totals = torch.zeros(classes, *form)
        self.low, self.high = torch.tensor(torch.inf), torch.tensor(-torch.inf)

    def add(self, inputs: Tensor, labels: Tensor) -> None:
        places = torch.arange(inputs[0].numel(), dtype=torch.float64)
        self.all_labels.append(labels.clone())
        self.all_sums.append(inputs.flatten(1).double() @ places)
        self.totals.index_add_(0, labels, inputs)
        self.low, self.high = self.low.minimum(inputs.min()), self.high.maximum(inputs.max())

    @property
    def labels(self) -> Tensor:
        return torch.cat(self.all_labels)

    @property
    def sums(self) -> Tensor:
        return torch.cat(self.all_sums)

    @property
    def means(self) -> Tensor:
        counts = torch.bincount(self.labels, minlength=len(self.totals)).clamp(min=1)
        return self.totals / counts[:, None, None, None]


def _epoch(batches: Batches, pictures: PictureSet, epoch: int) -> _Seen:
    seen = _Seen(len(pictures.classes), pictures.form)
    for inputs, labels in batches.epoch(derive(current_seed()), epoch):
        seen.add(inputs, labels)
    return seen


def _seconds(batches: Batches) -> float:
    """Of one time through all batches."""
    began = time.perf_counter()
    for _ in batches.epoch(0, 0):
        pass
    return time.perf_counter() - began


def _bytes(inputs: Tensor) -> Tensor:
    return (inputs * 255).round().to(torch.uint8)
