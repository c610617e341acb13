"""Loading a vision-language model by name: pretrained weights or a clear refusal, never a silent guess."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semidavil_core.vlm.clip_towers import ClipTower, build_tower
from semidavil_core.vlm.fingerprint import weights_fingerprint
from semidavil_core.vlm.model_config import ModelConfig, read_config
from semidavil_core.vlm.model_spec import ModelSpec, parse_spec
from semidavil_core.vlm.offline import downloads_allowed
from semidavil_core.vlm.reference import VlmReference
from semidavil_core.vlm.text_encoder import TextEncoder, check_tokenizer
from semidavil_core.vlm.weights import create_model, create_tokenizer, weights_on_this_machine


@dataclass(frozen=True)
class Vlm:
    """A loaded vision-language model."""

    reference: VlmReference
    """What a bundle remembers of it."""
    tower: ClipTower
    """Dense image features; shares its weights with `model`."""
    text: TextEncoder
    """Sentences to unit embeddings."""
    model: Any
    """The open_clip model itself, for pre-training and captions."""
    notices: tuple[str, ...] = ()
    """What a person should know about this model, each in a sentence."""

    @property
    def embed_dim(self) -> int:
        """D, width of the shared space."""
        return self.tower.embed_dim

    @property
    def logit_scale(self) -> float:
        """Inverse temperature of dense cosine maps."""
        return self.reference.logit_scale


def load_vlm(
    spec: str,
    *,
    device: str | torch.device = "cpu",
    dense_mode: str | None = None,
    allow_download: bool = True,
    cache_dir: Path | str | None = None,
) -> Vlm:
    """Load a vision-language model.

    Parameters
    ----------
    spec
        A preset's name, ``model:tag``, ``model:weights file``, ``hf-hub:organisation/name``, ``local-dir:folder`` or a folder's path.
    device
        Where it runs.
    dense_mode
        A :class:`~semidavil_core.vlm.clip_towers.DenseMode`; None for the family's default.
    allow_download
        Whether weights that are not on this machine may be fetched.
    cache_dir
        Where downloads are kept; None for the hub client's default.

    Raises
    ------
    UnknownModel
        The name is none of these forms, or the model gives no dense features.
    WeightsUnavailable
        The weights are not here and cannot be fetched, are damaged or of another architecture, or would have to be unpickled.
    """
    parsed = parse_spec(spec)
    cache = None if cache_dir is None else str(cache_dir)
    with downloads_allowed(allow_download and not parsed.is_local):
        located = weights_on_this_machine(parsed, cache, allow_download)
        config = read_config(located, cache, allow_download)
        model = create_model(located, config, cache, allow_download)
        tokenizer = create_tokenizer(located, cache, allow_download)
    check_tokenizer(tokenizer, model, spec)
    return _assemble(parsed, config, model.to(device).eval(), tokenizer, dense_mode)


def _assemble(
    spec: ModelSpec,
    config: ModelConfig,
    model: Any,
    tokenizer: Callable[[list[str]], Tensor],
    mode: str | None,
) -> Vlm:
    tower = build_tower(model.visual, model.visual.preprocess_cfg, mode)
    fingerprint = weights_fingerprint(model)
    reference = VlmReference(
        spec=spec.written,
        model=spec.preset.name if spec.preset and spec.is_local else spec.model,
        pretrained=spec.pretrained,
        dense_mode=tower.dense_mode.value,
        embed_dim=tower.embed_dim,
        logit_scale=_dense_scale(spec, config, model, tower),
        fingerprint=fingerprint,
        config=config.to_json(model.visual.preprocess_cfg),
    )
    model.requires_grad_(False)
    tower.visual.requires_grad_(True)
    templates = spec.preset.templates if spec.preset else config.templates
    text = TextEncoder(model, tokenizer, fingerprint=fingerprint, templates=templates)
    return Vlm(reference, tower, text, model, config.notices)


def _dense_scale(spec: ModelSpec, config: ModelConfig, model: Any, tower: ClipTower) -> float:
    chosen = config.dense_scale or (spec.preset.dense_scale if spec.preset else None)
    own = float(model.logit_scale.detach().exp())
    return chosen or min(own, tower.largest_scale)
