"""The networks on pictures as they are published: sizes, names and first values."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from scipy import stats

from fathom import scratch
from fathom.core.errors import SettingError
from fathom.models.alexnet import alexnet, book_alexnet
from fathom.models.densenet import book_densenet, densenet
from fathom.models.googlenet import book_googlenet, googlenet
from fathom.models.inception_v3 import inception_v3
from fathom.models.lenet import batch_norm_lenet
from fathom.models.nin import nin
from fathom.models.resnet import book_resnet, resnet
from fathom.models.vgg import book_vgg, vgg

# Parameters as torchvision's documentation gives them, and entries of the weight file.
PUBLISHED = {
    "alexnet": (alexnet, 61_100_840, 16),
    "vgg11": (partial(vgg, 11), 132_863_336, 22),
    "vgg13": (partial(vgg, 13), 133_047_848, 26),
    "vgg16": (partial(vgg, 16), 138_357_544, 32),
    "vgg19": (partial(vgg, 19), 143_667_240, 38),
    "vgg11_bn": (partial(vgg, 11, batch_norm=True), 132_868_840, 62),
    "resnet18": (partial(resnet, 18), 11_689_512, 122),
    "resnet34": (partial(resnet, 34), 21_797_672, 218),
    "resnet50": (partial(resnet, 50), 25_557_032, 320),
    "resnet101": (partial(resnet, 101), 44_549_160, 626),
    "resnet152": (partial(resnet, 152), 60_192_808, 932),
    "resnext50_32x4d": (partial(resnet, 50, groups=32, width_per_group=4), 25_028_904, 320),
    "resnext101_32x8d": (partial(resnet, 101, groups=32, width_per_group=8), 88_791_336, 626),
    "densenet121": (partial(densenet, 121), 7_978_856, 727),
    "densenet161": (partial(densenet, 161), 28_681_000, 967),
    "densenet169": (partial(densenet, 169), 14_149_480, 1015),
    "densenet201": (partial(densenet, 201), 20_013_928, 1207),
    "googlenet": (googlenet, 6_624_904, 344),
    "googlenet with heads": (partial(googlenet, aux_logits=True), 13_004_888, 364),
    "inception_v3": (partial(inception_v3, aux_logits=True), 27_161_264, 580),
}
# Names at places where a network might go its own way.
NAMES = {
    "alexnet": [
        "features.0.weight",
        "features.10.bias",
        "classifier.1.weight",
        "classifier.6.bias",
    ],
    "vgg11": [*(f"features.{n}.weight" for n in (0, 3, 6, 8, 11, 13, 16, 18)), "classifier.3.bias"],
    "vgg19": [*(f"features.{n}.weight" for n in (0, 5, 10, 19, 28, 25)), "classifier.0.weight"],
    "vgg11_bn": ["features.1.running_mean", "features.4.weight"],
    "resnet18": ["conv1.weight", "bn1.num_batches_tracked", "layer2.0.downsample.1.bias"],
    "resnet50": ["layer1.0.downsample.0.weight", "layer4.2.conv3.weight", "fc.bias"],
    "densenet121": [
        "features.conv0.weight",
        "features.denseblock4.denselayer16.norm2.running_var",
        "features.transition3.conv.weight",
        "features.norm5.bias",
        "classifier.weight",
    ],
    "googlenet with heads": [
        "conv1.conv.weight",
        "inception3a.branch1.bn.weight",
        "inception4e.branch3.1.conv.weight",
        "inception5b.branch4.1.bn.running_mean",
        "aux1.conv.conv.weight",
        "aux2.fc2.bias",
        "fc.weight",
    ],
    "inception_v3": [
        "Conv2d_1a_3x3.conv.weight",
        "Mixed_5b.branch5x5_2.bn.bias",
        "Mixed_6e.branch7x7dbl_5.conv.weight",
        "Mixed_7a.branch7x7x3_4.conv.weight",
        "Mixed_7c.branch3x3dbl_3b.conv.weight",
        "AuxLogits.conv1.conv.weight",
        "AuxLogits.fc.bias",
    ],
}
LIBRARIES = pytest.mark.parametrize("nn", [torch.nn, scratch.nn], ids=["torch", "scratch"])


@pytest.mark.parametrize("name", PUBLISHED)
def test_they_hold_what_is_published_under_its_names(name):
    build, parameters, entries = PUBLISHED[name]
    with torch.device("meta"):
        model = build()
    state = model.state_dict()
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert len(state) == entries
    assert set(NAMES.get(name, [])) <= set(state)


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        (book_alexnet, 46_764_746),
        (book_vgg, 43_093_322),
        (book_resnet, 11_178_378),
        (nin, 1_992_166),
        (book_densenet, 758_226),
        (book_googlenet, 5_977_530),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_book_s_forms_hold_as_many_as_by_hand(build, parameters):
    with torch.device("meta"):
        assert sum(p.numel() for p in build().parameters()) == parameters


def test_windows_of_inception_are_three_wide_as_published_and_five_as_in_the_book():
    sizes = {
        name: model.state_dict()[key].shape[2:]
        for name, model, key in (
            ("published", googlenet(width=8), "inception3a.branch3.1.conv.weight"),
            ("book", book_googlenet(width=8), "5.branch3.1.0.weight"),
        )
    }
    assert sizes == {"published": (3, 3), "book": (5, 5)}


def test_weights_of_2017_load_into_a_densenet():
    torch.manual_seed(0)
    one, other = densenet(width=4, classes=3), densenet(width=4, classes=3)
    old = {
        key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2.").replace("conv1.", "conv.1.")
        .replace("norm2.", "norm.2."): value
        for key, value in one.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }  # fmt: skip
    assert "features.denseblock1.denselayer1.conv.2.weight" in old
    assert other.load_state_dict(old, strict=True)
    inputs = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(other.eval()(inputs), one.eval()(inputs))


@LIBRARIES
@pytest.mark.parametrize(
    ("build", "heads", "size"),
    [(googlenet, 3, 48), (inception_v3, 2, 299)],
    ids=["googlenet", "inception_v3"],
)
def test_auxiliary_heads_answer_in_training_only(build, heads, size, nn):
    torch.manual_seed(0)
    model = build(4, width=4, aux_logits=True, nn=nn)
    inputs = torch.rand(2, 3, size, size)
    outputs = model(inputs)
    assert [tuple(output.shape) for output in outputs] == [(2, 4)] * heads
    sum(output.sum() for output in outputs).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert model.eval()(inputs).shape == (2, 4)


def test_inputs_are_brought_to_the_scale_of_the_published_weights():
    torch.manual_seed(0)
    model = googlenet(4, width=4, transform_input=True).eval()
    pictures = torch.rand(2, 3, 32, 32)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    given = (pictures - mean[:, None, None]) / std[:, None, None]
    found = model(given)
    model.transform_input = False
    torch.testing.assert_close(found, model(2 * pictures - 1))


def spread(model, name):
    return model.get_parameter(name).detach().flatten().double()


@LIBRARIES
def test_published_first_values_are_as_the_papers_draw_them(nn):
    torch.manual_seed(3)
    he_out = {
        "resnet": (resnet(18, 4, width=16, nn=nn), "layer3.0.conv1.weight", 9 * 64),
        "vgg": (vgg(11, 4, width=4, nn=nn), "features.13.weight", 9 * 32),
    }
    for model, name, fan in he_out.values():
        deviation = math.sqrt(2 / fan)
        assert stats.kstest(spread(model, name), "norm", args=(0, deviation)).pvalue > 1e-3
    dense = densenet(121, 4, width=16, nn=nn)
    values = spread(dense, "features.denseblock3.denselayer9.conv2.weight")
    assert stats.kstest(values, "norm", args=(0, math.sqrt(2 / (9 * 32)))).pvalue > 1e-3
    values = spread(googlenet(4, width=16, nn=nn), "inception4e.branch2.1.conv.weight")
    assert stats.kstest(values, "norm", args=(0, 0.01)).pvalue > 1e-3
    values = spread(inception_v3(4, width=4, nn=nn), "Mixed_6d.branch7x7_2.conv.weight")
    assert stats.kstest(values, "norm", args=(0, 0.1)).pvalue > 1e-3


@LIBRARIES
@pytest.mark.parametrize("build", [nin, book_googlenet], ids=["nin", "googlenet"])
def test_our_weights_keep_the_signal_that_xavier_s_lose(build, nn):
    """The mean square at the end: kept by the one, halved at each ReLU by the other."""
    inputs = torch.randn(2, 1, 96, 96, generator=torch.Generator().manual_seed(0))
    kept = {}
    best = "identity" if build is nin else "he"
    for weights in (best, "xavier"):
        torch.manual_seed(0)
        model = build(10, width=24, weights=weights, nn=nn).eval()
        kept[weights] = float(model[:-3](inputs).square().mean().detach())
    assert kept[best] > 30 * kept["xavier"]


@pytest.mark.parametrize(
    ("build", "smallest"),
    [(book_alexnet, 65), (book_vgg, 32), (nin, 67), (batch_norm_lenet, 16)],
    ids=["alexnet", "vgg", "nin", "lenet"],
)
def test_the_smallest_picture_and_one_smaller(build, smallest):
    narrow = {} if build is batch_norm_lenet else {"width": 3}
    model = build(4, size=smallest, **narrow).eval()
    assert model(torch.rand(2, 1, smallest, smallest)).shape == (2, 4)
    with pytest.raises(SettingError, match=f"use {smallest} or more"):
        build(4, size=smallest - 1, **narrow)


def test_groups_want_bottlenecks():
    with pytest.raises(SettingError, match="groups 32: ResNet-34 has no bottlenecks"):
        resnet(34, groups=32)
