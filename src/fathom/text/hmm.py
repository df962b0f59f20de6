"""Hidden Markov models: what can be told of a hidden chain from one side, and from both.

Source   Rabiner 1989, "A tutorial on hidden Markov models"; book 9.4.1, where the two recursions
         stand for the two directions of a bidirectional network.
Differs  The book's recursions are products of ever smaller numbers; here each step is scaled to
         sum to 1, and the logarithms of the scales are kept.
Shapes   B sequences, T steps, S states. `initial_S`, `transition_SS[i, j]` = P(j after i).
         `likelihood_BTS` = P(what is seen at t | state at t): all ones where nothing is seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Beliefs:
    """Probabilities of the hidden states, (B, T, S), and of all that is seen, (B,).

    `filtered` is given what is seen up to and with its step, `smoothed` all that is seen.
    """

    filtered: Tensor
    smoothed: Tensor
    log_likelihood: Tensor


def forward_backward(initial_S: Tensor, transition_SS: Tensor, likelihood_BTS: Tensor) -> Beliefs:
    """Both recursions over a batch of sequences.

    What is seen must be possible: where it has probability 0, the results are not numbers.
    """
    B, T, S = likelihood_BTS.shape
    filtered_BTS, smoothed_BTS = torch.empty_like(likelihood_BTS), torch.empty_like(likelihood_BTS)
    log_likelihood_B = likelihood_BTS.new_zeros(B)
    before_BS = initial_S.expand(B, S)
    for t in range(T):
        joint_BS = before_BS * likelihood_BTS[:, t]
        scale_B1 = joint_BS.sum(1, keepdim=True)
        filtered_BTS[:, t] = joint_BS / scale_B1
        log_likelihood_B += scale_B1[:, 0].log()
        before_BS = filtered_BTS[:, t] @ transition_SS
    after_BS = torch.ones_like(before_BS)  # P(all that is seen after t | state at t), up to scale
    for t in reversed(range(T)):
        both_BS = filtered_BTS[:, t] * after_BS
        smoothed_BTS[:, t] = both_BS / both_BS.sum(1, keepdim=True)
        after_BS = (likelihood_BTS[:, t] * after_BS) @ transition_SS.T
        after_BS = after_BS / after_BS.sum(1, keepdim=True)
    return Beliefs(filtered_BTS, smoothed_BTS, log_likelihood_B)


def chain_of(numbers: Tensor, states: int, *, added: float) -> tuple[Tensor, Tensor]:
    """The chain that numbers (N,) are seen to follow: initial (S,) and transition (S, S), float64.

    `added` (Laplace) is counted on top for each pair, so that none is impossible.
    """
    pairs = numbers[:-1].long() * states + numbers[1:].long()
    counts_SS = torch.bincount(pairs, minlength=states**2).reshape(states, states) + added
    alone_S = torch.bincount(numbers.long(), minlength=states) + added
    return alone_S.double() / alone_S.sum(), counts_SS / counts_SS.sum(1, keepdim=True).double()


def seen(numbers_BT: Tensor, states: int, hidden_BT: Tensor) -> Tensor:
    """Likelihoods (B, T, S), float64, of states that are seen as they are, but where hidden."""
    likelihood_BTS = torch.nn.functional.one_hot(numbers_BT.long(), states).double()
    return likelihood_BTS.masked_fill_(hidden_BT.unsqueeze(2), 1)
