"""Frozen batch norms folded into the convolutions before them: the same function, a forward pass at little more than half the time."""

from __future__ import annotations

from timm.models.efficientnet import EfficientNet
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from semidavil_core.vlm.clip_towers import ClipTower

# Pairs in order of execution; which of them exist depends on the block.
_PAIRS = (
    ("conv_stem", "bn1"),
    ("conv_dw", "bn1"),
    ("conv_exp", "bn1"),
    ("conv", "bn1"),
    ("conv_pw", "bn1"),
    ("conv_dw", "bn2"),
    ("conv_pw", "bn2"),
    ("conv_pwl", "bn2"),
    ("conv_pwl", "bn3"),
    ("conv_head", "bn2"),
)


def fuse_batch_norm(tower: ClipTower) -> None:
    """Fold the batch norms of an EfficientNet tower in place; other towers stay as they are.

    Batch statistics are frozen in every tower, so a norm is an affine map that the convolution before it can carry.
    """
    trunk = getattr(tower.visual, "trunk", None)
    if not isinstance(trunk, EfficientNet):
        return
    for module in trunk.modules():
        children = dict(module.named_children())
        order = list(children)
        for convolution, norm in _PAIRS:
            adjacent = (
                convolution in children
                and norm in children
                and order.index(norm) == order.index(convolution) + 1
            )
            if adjacent and isinstance(children[norm], nn.BatchNorm2d):
                _fold(module, convolution, norm)


def _fold(owner: nn.Module, convolution: str, norm: str) -> None:
    layer, batch_norm = getattr(owner, convolution), getattr(owner, norm)
    layer.weight, layer.bias = fuse_conv_bn_weights(
        layer.weight,
        layer.bias,
        batch_norm.running_mean,
        batch_norm.running_var,
        batch_norm.eps,
        batch_norm.weight,
        batch_norm.bias,
    )
    # timm's norm layers carry the activation behind them; it stays in the norm's place.
    setattr(owner, norm, getattr(batch_norm, "act", nn.Identity()))
