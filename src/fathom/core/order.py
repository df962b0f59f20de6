"""The order of the data and the randomness of each sample, as functions without state.

What is seen at a step follows from seed, epoch and index alone. So a run goes on from any
step, with any number of loader workers or devices, and sees what the uninterrupted run saw.

Source   SplitMix64: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators".
Shapes   N samples, K numbers for each: `uniforms` gives (N, K).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB


def _signed(word: int) -> int:
    """The int64 with the bits of a 64-bit word: torch multiplies modulo 2**64 in int64."""
    word &= 2**64 - 1
    return word - 2**64 if word >= 2**63 else word


def _mixed(word: int) -> int:
    """SplitMix64's finaliser of one Python integer."""
    word &= 2**64 - 1
    word = ((word ^ (word >> 30)) * _MIX_1) & (2**64 - 1)
    word = ((word ^ (word >> 27)) * _MIX_2) & (2**64 - 1)
    return word ^ (word >> 31)


def _shift_right(words: Tensor, by: int) -> Tensor:
    """The logical shift of 64-bit words, which torch, having signed ones, does not offer."""
    return (words >> by) & (2 ** (64 - by) - 1)


def derive(seed: int, *numbers: int) -> int:
    """One 63-bit seed from a seed and any numbers that tell its use apart."""
    word = _mixed(seed + _GOLDEN)
    for number in numbers:
        word = _mixed((word ^ (number & (2**64 - 1))) + _GOLDEN)
    return word >> 1


def permutation(count: int, seed: int, epoch: int) -> Tensor:
    """The order in which `count` samples are seen in `epoch`: (count,), int64, on the CPU."""
    import torch

    generator = torch.Generator().manual_seed(derive(seed, epoch))
    return torch.randperm(count, generator=generator)


def uniforms(indices: Tensor, seed: int, epoch: int, columns: int) -> Tensor:
    """`columns` numbers in [0, 1) for each sample of `indices`, from seed, epoch and index.

    `indices` (N,), int64, on any device; the result (N, columns), float32, is on the same one.
    """
    import torch

    base = _signed(_mixed(derive(seed, epoch) + _GOLDEN))
    lanes = torch.arange(1, columns + 1, device=indices.device) * _signed(_GOLDEN)
    words = (indices.to(torch.int64)[:, None] * _signed(_MIX_2) + base) + lanes
    words = (words ^ _shift_right(words, 30)) * _signed(_MIX_1)
    words = (words ^ _shift_right(words, 27)) * _signed(_MIX_2)
    words = words ^ _shift_right(words, 31)
    return _shift_right(words, 40).to(torch.float32) * 2.0**-24
