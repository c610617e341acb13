"""Building: a segmenter from a vision-language model and a text matrix."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from semidavil_core.model.decoder import ClassAgnosticDecoder
from semidavil_core.model.language_guidance import DenseLanguageGuidance
from semidavil_core.model.model_settings import ModelSettings
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.vlm.clip_towers import ClipTower
from semidavil_core.vlm.towers.fused_batch_norm import fuse_batch_norm


def build_segmenter(
    tower: ClipTower,
    text: Tensor,
    *,
    logit_scale: float,
    settings: ModelSettings | None = None,
    seed: int = 0,
) -> Segmenter:
    """A segmenter that, untrained, equals zero-shot CLIP.

    Parameters
    ----------
    tower
        The vision-language model's dense image tower; copied.
    text
        (K, D) float, unit text embeddings.
    logit_scale
        Inverse temperature of the cosine maps.
    settings
        Sizes; the defaults suit a laptop.
    seed
        Seeds the new layers.
    """
    settings = settings or ModelSettings()
    tower = copy.deepcopy(tower)  # it may be tuned, and others may hold the original
    fuse_batch_norm(tower)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        guidance = DenseLanguageGuidance(
            embed_dim=tower.embed_dim, key_dim=settings.key_dim, mutual=settings.mutual
        )
        decoder = ClassAgnosticDecoder(
            embed_dim=tower.embed_dim,
            fine_channels=tower.fine_channels,
            finest_stride=tower.fine_strides[0],
            width=settings.width,
            fine_width=settings.fine_width,
            query_dim=settings.query_dim,
        )
    segmenter = Segmenter(
        tower=tower, guidance=guidance, decoder=decoder, text=text, logit_scale=logit_scale, settings=settings
    )
    # Half again as fast for convolutions on a CPU.
    return segmenter.to(text.device).to(memory_format=torch.channels_last)
