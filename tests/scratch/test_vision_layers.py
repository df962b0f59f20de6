"""Shuffles and resizing against torch's, forward and backward."""

from __future__ import annotations

import pytest
import torch
from torch import nn as torch_nn
from torch.nn import functional as torch_functional

from fathom.scratch import nn
from fathom.scratch.nn import functional

DOUBLE = torch.float64


@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_pixel_shuffles_undo_each_other(lead: tuple[int, ...]) -> None:
    x = torch.randn(*lead, 12, 3, 4)
    y = functional.pixel_shuffle(x, 2)
    assert torch.equal(y, torch_functional.pixel_shuffle(x, 2))
    assert torch.equal(functional.pixel_unshuffle(y, 2), x)
    assert torch.equal(functional.pixel_unshuffle(y, 2), torch_functional.pixel_unshuffle(y, 2))


def test_channels_are_dealt_out() -> None:
    x = torch.randn(2, 6, 3, 3)
    assert torch.equal(nn.ChannelShuffle(3)(x), torch_nn.ChannelShuffle(3)(x))


RESIZES = [
    ("nearest", 1, {}), ("nearest", 2, {}), ("nearest", 3, {}), ("nearest-exact", 2, {}),
    ("linear", 1, {}), ("linear", 1, {"align_corners": True}), ("bilinear", 2, {}),
    ("bilinear", 2, {"align_corners": True}), ("bilinear", 2, {"antialias": True}),
    ("trilinear", 3, {}),
    ("trilinear", 3, {"align_corners": True}), ("bicubic", 2, {}),
    ("bicubic", 2, {"align_corners": True}), ("bicubic", 2, {"antialias": True}),
]  # fmt: skip
TARGETS = [
    {"size": 9}, {"size": 3}, {"size": 1}, {"scale_factor": 2}, {"scale_factor": 1.7},
    {"scale_factor": 0.6}, {"scale_factor": 1.7, "recompute_scale_factor": True},
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize(("mode", "dims", "settings"), RESIZES, ids=str)
def test_resizing(mode: str, dims: int, settings: dict, target: dict) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, *[5, 6, 7][:dims], dtype=DOUBLE)
    results = []
    for library in (functional, torch_functional):
        leaf = x.clone().requires_grad_()
        y = library.interpolate(leaf, mode=mode, **target, **settings)
        y.backward(torch.arange(y.numel(), dtype=DOUBLE).view(y.shape).cos())
        results.append((y, leaf.grad))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)


def test_the_layers_say_and_do_what_torchs_do() -> None:
    x = torch.randn(1, 2, 4, 5)
    for build in (
        lambda n: n.Upsample(scale_factor=2, mode="bilinear"),
        lambda n: n.Upsample((3, 8)),
        lambda n: n.Upsample(scale_factor=(2, 3)),
        lambda n: n.UpsamplingNearest2d(scale_factor=3),
        lambda n: n.UpsamplingBilinear2d((7, 7)),
    ):
        ours, theirs = build(nn), build(torch_nn)
        assert repr(ours) == repr(theirs)
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-6)
    assert repr(nn.PixelShuffle(2)) == repr(torch_nn.PixelShuffle(2))


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda: functional.pixel_shuffle(torch.zeros(3, 4, 4), 2), r"\(3, 4, 4\).*by 4"),
        (lambda: functional.pixel_unshuffle(torch.zeros(3, 5, 4), 2), r"\(3, 5, 4\).*by 2"),
        (lambda: functional.channel_shuffle(torch.zeros(2, 5, 4), 2), r"\(2, 5, 4\) and 2"),
        (lambda: functional.interpolate(torch.zeros(2, 5, 4), 2, mode="bilinear"), "bilinear"),
        (lambda: functional.interpolate(torch.zeros(2, 5, 4)), "size and scale_factor"),
        (lambda: functional.interpolate(torch.zeros(2, 5, 4), (2, 2)), r"number or 1.*\(2, 2\)"),
        (lambda: functional.interpolate(torch.zeros(2, 5, 4), 0), r"\(4,\) to \(0,\)"),
    ],
)
def test_wrong_sizes_are_named(use, words: str) -> None:
    with pytest.raises((RuntimeError, ValueError, NotImplementedError), match=words):
        use()
