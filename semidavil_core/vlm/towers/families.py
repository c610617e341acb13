"""Which tower wraps which open_clip image module, and the dense modes each allows, the default first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from torch import nn

from semidavil_core.vlm.clip_towers import ClipTower, DenseMode
from semidavil_core.vlm.towers.convolutional import ConvolutionalTower
from semidavil_core.vlm.towers.modified_resnet import ModifiedResNetTower
from semidavil_core.vlm.towers.timm_transformer import (
    TimmTransformerTower,
    has_plain_attention,
    is_token_trunk,
)
from semidavil_core.vlm.towers.vision_transformer import VisionTransformerTower, has_plain_blocks

_ATTENTION_MODES = (
    DenseMode.NACLIP,
    DenseMode.CLEARCLIP,
    DenseMode.SCLIP,
    DenseMode.MASKCLIP,
    DenseMode.VANILLA,
)


@dataclass(frozen=True)
class Family:
    """A tower class and the modes it knows."""

    tower: Callable[..., ClipTower]
    modes: tuple[DenseMode, ...]


def family_of(visual: nn.Module) -> Family | None:
    """The family of an open_clip ``visual`` module, None if there is none."""
    if isinstance(visual, ModifiedResNet):
        return Family(ModifiedResNetTower, (DenseMode.VALUE,))
    if isinstance(visual, VisionTransformer):
        return Family(VisionTransformerTower, _open_clip_modes(visual))
    if isinstance(visual, TimmModel):
        return _timm_family(visual)
    return None


def _open_clip_modes(visual: Any) -> tuple[DenseMode, ...]:
    if visual.attn_pool is not None:  # CoCa: its projection expects what the attention pool makes of tokens
        return (DenseMode.VALUE,)
    return _ATTENTION_MODES if has_plain_blocks(visual) else (DenseMode.VANILLA,)


def _timm_family(visual: Any) -> Family | None:
    trunk = visual.trunk
    if is_token_trunk(trunk):
        return Family(TimmTransformerTower, _timm_modes(trunk))
    return Family(ConvolutionalTower, (DenseMode.VALUE,)) if _answers_with_maps(trunk) else None


def _timm_modes(trunk: Any) -> tuple[DenseMode, ...]:
    if getattr(trunk, "attn_pool", None) is not None or not has_plain_attention(trunk):
        return (DenseMode.VALUE,)
    return _ATTENTION_MODES


@torch.no_grad()
def _answers_with_maps(trunk: Any) -> bool:
    device = next(trunk.parameters()).device
    try:
        features = trunk.eval().forward_features(torch.zeros(1, 3, 64, 64, device=device))
    # Trunks of a fixed size say no in many ways.
    except (AssertionError, AttributeError, RuntimeError, ValueError):
        return False
    return bool(features.ndim == 4 and features.shape[1] == trunk.num_features)
