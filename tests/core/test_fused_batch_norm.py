from __future__ import annotations

import timm
import torch
from torch import nn

from semidavil_core.vlm.clip_towers import DenseMode
from semidavil_core.vlm.towers.convolutional import ConvolutionalTower
from semidavil_core.vlm.towers.fused_batch_norm import fuse_batch_norm
from tests.core.tiny_tower import TinyTower


class Visual(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trunk = timm.create_model(name, num_classes=0, global_pool="", pretrained=False)
        self.head = nn.Conv2d(self.trunk.num_features, 16, 1)


def tower(name: str) -> ConvolutionalTower:
    """With batch statistics and affine parameters that are not those of a new network."""
    visual = Visual(name)
    for module in visual.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.running_var, 0.5, 2),
                (module.weight, 0.5, 1.5),
                (module.bias, -0.2, 0.2),
            ):
                assert tensor is not None
                nn.init.uniform_(tensor, low, high)
            assert module.running_mean is not None
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
    return ConvolutionalTower(visual, mode=DenseMode.VALUE, mean=(0.5,) * 3, std=(0.5,) * 3)


def norms(module: nn.Module) -> int:
    return sum(isinstance(m, nn.BatchNorm2d) for m in module.modules())


@torch.no_grad()
def test_a_fused_tower_answers_alike_without_any_batch_norm() -> None:
    network, images = tower("tf_efficientnet_lite0"), torch.rand(1, 3, 64, 64)
    before = network(images)
    assert norms(network) > 40
    fuse_batch_norm(network)
    assert norms(network) == 0
    after = network(images)
    for one, other in zip((before.aligned, *before.fine), (after.aligned, *after.fine), strict=True):
        torch.testing.assert_close(other, one, atol=1e-3, rtol=1e-3)
    fuse_batch_norm(network)  # once more changes nothing
    torch.testing.assert_close(network(images).aligned, after.aligned)


def test_the_convolutions_of_a_fused_tower_can_be_tuned() -> None:
    network = tower("tf_efficientnet_lite0")
    fuse_batch_norm(network)
    network.set_tuned(True)
    network(torch.rand(1, 3, 32, 32)).aligned.square().mean().backward()
    assert all(p.grad is not None for p in network.tuned_parameters())
    assert len({id(p) for p in network.parameters()}) == len(list(network.parameters()))


def test_other_towers_stay_as_they_are() -> None:
    network = tower("resnet10t")
    count = norms(network)
    fuse_batch_norm(network)
    assert norms(network) == count > 0
    fuse_batch_norm(TinyTower())
