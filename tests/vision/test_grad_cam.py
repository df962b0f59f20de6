"""Grad-CAM against class activation maps, which it is where a mean and one layer decide."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fathom import scratch
from fathom.core.errors import SettingError
from fathom.models.networks import make_network
from fathom.vision.grad_cam import grad_cam, last_maps


def a_chain(layers=nn):
    torch.manual_seed(0)
    return layers.Sequential(
        layers.Conv2d(3, 6, kernel_size=3),
        layers.ReLU(),
        layers.Conv2d(6, 5, kernel_size=3),
        layers.ReLU(),
        layers.AdaptiveAvgPool2d((1, 1)),
        layers.Flatten(),
        layers.Linear(5, 4),
    ).eval()


@pytest.mark.parametrize("layers", [nn, scratch.nn], ids=["torch", "scratch"])
def test_after_a_global_mean_it_is_the_class_activation_map(layers):
    model, images = a_chain(layers), torch.rand(6, 3, 12, 14)
    classes = torch.tensor([0, 1, 2, 3, 0, 2])
    with torch.inference_mode():  # as models are used
        found = grad_cam(model, images, classes)
        features_NChw = model[:4](images)
        cam_Nhw = torch.einsum("nc,nchw->nhw", model[6].weight[classes], features_NChw)
    torch.testing.assert_close(found, cam_Nhw.relu() / (8 * 10))
    assert (found > 0).any()


def test_each_picture_has_its_own_map_whatever_is_beside_it():
    model, images = a_chain(), torch.rand(5, 3, 12, 12)
    classes = torch.tensor([3, 1, 0, 2, 2])
    together = grad_cam(model, images, classes)
    alone = [grad_cam(model, images[n : n + 1], classes[n : n + 1]) for n in range(5)]
    torch.testing.assert_close(together, torch.cat(alone))


def test_frozen_layers_are_looked_through_and_left_as_they_are():
    model, images = a_chain(), torch.rand(2, 3, 12, 12)
    expected = grad_cam(model, images, torch.tensor([1, 2]))
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    torch.testing.assert_close(grad_cam(model, images, torch.tensor([1, 2])), expected)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())
    assert not images.requires_grad


@pytest.mark.parametrize(
    ("name", "size", "maps"),
    [
        ("book-lenet", 28, (16, 5, 5)),
        ("book-nin", 224, (3, 5, 5)),  # one for each class
        ("book-resnet18", 96, (32, 6, 6)),  # the last are 3 by 3
        ("resnet18", 224, (64, 7, 7)),
        ("densenet121", 224, (128, 7, 7)),
    ],
)
def test_of_any_network_the_last_maps_that_say_where(name, size, maps):
    more = {} if name == "book-lenet" else {"width": 8}
    model = make_network(name, 3, in_channels=1, size=size, **more).eval()
    images = torch.rand(2, 1, size, size)
    with torch.no_grad():
        assert last_maps(model, images)[0].shape == (2, *maps)
    found = grad_cam(model, images, torch.tensor([0, 2]))
    assert found.shape == (2, *maps[1:])
    assert found.isfinite().all()
    assert (found >= 0).all()


def test_a_network_without_convolutions_is_refused():
    with pytest.raises(SettingError, match="needs a network with convolutions"):
        grad_cam(
            nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), torch.rand(1, 1, 2, 2), torch.ones(1)
        )
    small = nn.Sequential(nn.Conv2d(1, 3, 2), nn.Flatten(), nn.Linear(3, 2))
    with pytest.raises(SettingError, match="none whose maps show places"):
        grad_cam(small, torch.rand(1, 1, 2, 2), torch.tensor([0]))
