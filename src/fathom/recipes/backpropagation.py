"""Forward and back through a network, by hand and by two machines (book 4.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch

from fathom.core.arguments import NonNegative
from fathom.core.findings import Findings, Number, Table
from fathom.core.recipe import recipe
from fathom.core.seeds import current_seed
from fathom.models.mlp import mlp
from fathom.plots.scalars import lines
from fathom.recipes.graphs import drawn
from fathom.scratch import autograd

INPUTS, HIDDEN, OUTPUTS = 3, 2, 2
WIDTH, LAYERS, BATCHES = 64, [1, 2, 4, 8, 16], [64, 32, 16]

Array = np.ndarray
Values = dict[str, Array]
Kind = Literal["relu", "sigmoid", "tanh"]


@recipe(
    section="4.7",
    title="Forward and back propagation, computational graphs",
    zh="前向传播、反向传播和计算图",
    minutes=0.1,
    book="derived, not run",
    ours="by hand, by our autograd and by torch's: the same to 1e-15",
)
def backprop(*, activation: Kind = "tanh", weight_decay: NonNegative = 0.1) -> Findings:
    """Derive the gradients of a network with one hidden layer, and have two machines derive them.

    z = W1 x, h = φ(z), o = W2 h. The loss L is half the squared error of o, the penalty s is
    λ/2 (|W1|² + |W2|²), and J = L + s is what is made small. On the way back each line is the
    chain rule once:

        ∂J/∂o  = o - y
        ∂J/∂W2 = ∂J/∂o hᵀ + λ W2
        ∂J/∂h  = W2ᵀ ∂J/∂o
        ∂J/∂z  = ∂J/∂h ⊙ φ'(z)
        ∂J/∂W1 = ∂J/∂z xᵀ + λ W1

    They are compared with `scratch.autograd`, whose graph is drawn, with torch's autograd, and
    with differences. What is kept for the way back is counted: it is why training takes more
    memory than prediction.

    Args:
        activation: φ
        weight_decay: λ
    """
    given = _given(current_seed())
    by_hand = gradients(given, activation, weight_decay)
    J = _on_our_autograd(given, activation, weight_decay)
    found = {
        "our autograd": _gradients_in(J),
        "torch": _on_torch(given, activation, weight_decay),
        "differences": _by_differences(given, activation, weight_decay),
    }
    off = {
        machine: {name: float(np.abs(values[name] - by_hand[name]).max()) for name in values}
        for machine, values in found.items()
    }
    kept = {batch: [_kept(batch, layers) for layers in LAYERS] for batch in BATCHES}
    return Findings(
        numbers={"J": Number(J.item())},
        tables={
            "Gradients by hand, and how far off others are": Table(
                ["of J by", "shape", "norm", *off],
                [
                    [
                        name,
                        " x ".join(map(str, gradient.shape)),
                        float(np.linalg.norm(gradient)),
                        *(off[machine].get(name) for machine in off),
                    ]
                    for name, gradient in by_hand.items()
                ],
            )
        },
        figures={
            "graph": drawn(
                _with_one_unit(activation, weight_decay),
                title="one unit in each layer: values, and gradients of J",
            ),
            "memory": lines(
                LAYERS,
                {f"{batch} examples": [n / 1000 for n in kept[batch]] for batch in BATCHES},
                title="thousand numbers kept for the way back",
                xlabel=f"hidden layers of {WIDTH} units",
                whole_x=True,
            ),
        },
        claims={
            "our autograd finds the gradients that were derived": max(off["our autograd"].values())
            < 1e-12,
            "torch finds them too": max(off["torch"].values()) < 1e-12,
            "so do differences, to their precision": max(off["differences"].values()) < 1e-7,
            "what is kept grows with the examples": kept[64] == [2 * n for n in kept[32]],
            "and by as much with each layer": len(
                {
                    (kept[64][i + 1] - kept[64][i]) / (LAYERS[i + 1] - LAYERS[i])
                    for i in range(len(LAYERS) - 1)
                }
            )
            == 1,
            "prediction keeps nothing": _kept(64, 4, predict=True) == 0,
        },
    )


def gradients(given: Values, activation: Kind, decay: float) -> Values:
    """The lines of the docstring above, by NumPy; x, y and the rest are vectors."""
    x, y, W1, W2 = given["x"], given["y"], given["W1"], given["W2"]
    z = W1 @ x
    h = _ACTIVATIONS[activation](z)
    o = W2 @ h
    by_o = o - y
    by_h = W2.T @ by_o
    by_z = by_h * _SLOPES[activation](z, h)
    return {
        "o": by_o,
        "W2": np.outer(by_o, h) + decay * W2,
        "h": by_h,
        "z": by_z,
        "W1": np.outer(by_z, x) + decay * W1,
    }


_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda z: np.maximum(z, 0),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
}
_SLOPES: dict[str, Callable[[Array, Array], Array]] = {
    "relu": lambda z, h: (z > 0).astype(float),
    "sigmoid": lambda z, h: h * (1 - h),
    "tanh": lambda z, h: 1 - h**2,
}


def _given(seed: int) -> Values:
    """An example with its target, and weights."""
    chance = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "x": (INPUTS,),
        "y": (OUTPUTS,),
        "W1": (HIDDEN, INPUTS),
        "W2": (OUTPUTS, HIDDEN),
    }
    return {name: chance.normal(size=shape).round(2) for name, shape in shapes.items()}


def _network(x: Any, y: Any, W1: Any, W2: Any, phi: Callable[[Any], Any], decay: float) -> Any:
    """z, h, o and J, of whatever can be multiplied."""
    z = W1 @ x
    h = phi(z)
    o = W2 @ h
    loss = ((o - y) * (o - y)).sum() / 2
    penalty = ((W1 * W1).sum() + (W2 * W2).sum()) * (decay / 2)
    return z, h, o, loss, penalty, loss + penalty


def _on_our_autograd(given: Values, activation: Kind, decay: float) -> autograd.Tensor:
    """J, which knows what it was computed from; the parts that have a letter bear it."""
    tensors = {name: autograd.Tensor(value, name[0] == "W", name) for name, value in given.items()}
    parts = _network(**tensors, phi=getattr(autograd, activation), decay=decay)
    for name, part in zip("zhoLsJ", parts, strict=True):
        part.name = name
    return parts[-1]


def _with_one_unit(activation: Kind, decay: float) -> autograd.Tensor:
    """The same J of single numbers: small enough to be drawn whole."""
    w1, w2 = autograd.Tensor(0.8, True, "w1"), autograd.Tensor(-0.5, True, "w2")
    x, y = autograd.Tensor(1.5, name="x"), autograd.Tensor(0.7, name="y")
    z = w1 * x
    h = getattr(autograd, activation)(z)
    o = w2 * h
    e = o - y
    L = e * e * 0.5
    s = (w1 * w1 + w2 * w2) * (decay / 2)
    J = L + s
    for name, part in {"z": z, "h": h, "o": o, "o - y": e, "L": L, "s": s, "J": J}.items():
        part.name = name
    return J


def _gradients_in(J: autograd.Tensor) -> Values:
    """The gradients on the graph that is drawn."""
    nodes, _ = autograd.graph(J)
    return {n.label: n.gradient for n in nodes if n.label in _WANTED and n.gradient is not None}


_WANTED = ("o", "W2", "h", "z", "W1")


def _on_torch(given: Values, activation: Kind, decay: float) -> Values:
    tensors = {name: torch.tensor(value) for name, value in given.items()}
    for name in ("W1", "W2"):
        tensors[name].requires_grad_()
    z, h, o, _, _, J = _network(**tensors, phi=getattr(torch, activation), decay=decay)
    by = {"o": o, "W2": tensors["W2"], "h": h, "z": z, "W1": tensors["W1"]}
    found = torch.autograd.grad(J, list(by.values()))
    return {name: gradient.numpy() for name, gradient in zip(by, found, strict=True)}


def _by_differences(given: Values, activation: Kind, decay: float, step: float = 1e-6) -> Values:
    """For the weights only: what lies between cannot be moved by itself."""
    found = {}
    for name in ("W2", "W1"):
        gradient = np.empty_like(given[name])
        for place in np.ndindex(*gradient.shape):
            ends = []
            for move in (step, -step):
                moved = {**given, name: given[name].copy()}
                moved[name][place] += move
                ends.append(_network(**moved, phi=_ACTIVATIONS[activation], decay=decay)[-1])
            gradient[place] = (ends[0] - ends[1]) / (2 * step)
        found[name] = gradient
    return found


def _kept(batch: int, layers: int, *, predict: bool = False) -> int:
    """How many numbers torch keeps for the way back through hidden layers, weights not counted."""
    model = mlp(WIDTH, [WIDTH] * layers, 1, activation="tanh")
    weights = {parameter.data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.data_ptr() not in weights:
            kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor)
    with hooks, torch.set_grad_enabled(not predict):
        outputs = model(torch.randn(batch, WIDTH))  # kept alive: no address is used again
    del outputs
    return sum(kept.values())
