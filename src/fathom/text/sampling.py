"""The next token, from the logits of all: the likeliest, or drawn from a trimmed distribution.

Source   Temperature: Ackley, Hinton and Sejnowski 1985. Top-k: Fan, Lewis and Dauphin 2018,
         arXiv:1805.04833. Top-p (nucleus): Holtzman et al. 2020, arXiv:1904.09751.
Shapes   V tokens in the vocabulary; `logits` (..., V).
"""

from __future__ import annotations

import torch
from torch import Tensor


def trimmed(
    logits: Tensor,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Tensor:
    """The probabilities that a token is drawn with: (..., V), each row adds up to 1.

    Logits are divided by `temperature`: below 1 the likely becomes likelier. Then only the `top_k`
    likeliest remain, and of these the fewest that together have `top_p` of what is left; of
    tokens that are as likely, those with the smallest numbers.
    """
    assert temperature > 0, "the likeliest token is no drawing: see `next_token`"
    ordered, order = (logits.double() / temperature).sort(dim=-1, descending=True, stable=True)
    probabilities = torch.softmax(ordered, -1)
    if top_k is not None:
        probabilities[..., top_k:] = 0
        probabilities /= probabilities.sum(-1, keepdim=True)
    if top_p is not None:
        before = probabilities.cumsum(-1) - probabilities
        probabilities[before >= top_p] = 0
        probabilities /= probabilities.sum(-1, keepdim=True)
    return torch.zeros_like(probabilities).scatter_(-1, order, probabilities)


def next_token(
    logits: Tensor,
    *,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The number of the next token for each row of logits (B, V): (B,), on the CPU.

    With `temperature` 0 the likeliest; else one drawn, as `trimmed` says.
    """
    logits = logits.detach().float().cpu()
    if temperature == 0:
        return logits.argmax(-1)
    chances = trimmed(logits, temperature=temperature, top_k=top_k, top_p=top_p)
    return torch.multinomial(chances, 1, generator=generator)[:, 0]
