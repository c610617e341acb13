"""An image tower from its reference alone, to be filled with the weights that a bundle holds; nothing is downloaded."""

from __future__ import annotations

import torch
from open_clip.model import _build_vision_tower as build_vision_tower

from semidavil_core.errors import InvalidBundle
from semidavil_core.vlm.clip_towers import ClipTower, build_tower
from semidavil_core.vlm.reference import VlmReference


def tower_from_reference(reference: VlmReference) -> ClipTower:
    """The tower's architecture with untrained weights.

    Raises
    ------
    InvalidBundle
        The reference holds no usable configuration.
    """
    try:
        model, preprocess = reference.config["model_cfg"], reference.config["preprocess_cfg"]
        vision = {**model["vision_cfg"], "timm_model_pretrained": False}
        with torch.random.fork_rng(devices=[]):
            visual = build_vision_tower(model["embed_dim"], vision, model.get("quick_gelu", False))
    except (KeyError, TypeError, RuntimeError, ValueError, AssertionError) as error:
        raise InvalidBundle(
            f"The bundle's image tower of {reference.spec!r} cannot be rebuilt ({error!s:.80}); export the bundle again."
        ) from error
    return build_tower(visual.eval(), preprocess, reference.dense_mode)
