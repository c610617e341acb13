"""The text matrix: one unit row per class, averaged over templates and synonyms, computed once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from semidavil_core.classes import ClassInfo, ClassSet
from semidavil_core.vlm.class_prompts import class_sentences, resolve_templates
from semidavil_core.vlm.text_encoder import TextEncoder

_CACHE_LIMIT = 4096
_cache: dict[tuple[str, tuple[str, ...], tuple[str, ...]], Tensor] = {}


def embed_classes(
    text: TextEncoder, classes: ClassSet, *, templates: str | Sequence[str] | None = None
) -> Tensor:
    """Text embeddings of a class set.

    A row is the normalised mean of the normalised embeddings of all template-synonym sentences (CLIP's prompt ensemble). Rows are
    kept per model, prompts and templates, so one class more costs one row.

    Parameters
    ----------
    text
        The text side of a vision-language model.
    classes
        K classes; a class is described by its prompts, which hold its name unless others were given.
    templates
        A name in ``TEMPLATES``, or templates with ``{}``; None for the set that fits the model.

    Returns
    -------
    Tensor
        (K, D) float32, unit rows, on the encoder's device.
    """
    chosen = resolve_templates(text.templates if templates is None else templates)
    return torch.stack([_row(text, info, chosen) for info in classes]).to(text.device)


def _row(text: TextEncoder, info: ClassInfo, templates: tuple[str, ...]) -> Tensor:
    key = (text.fingerprint, info.prompts, templates)
    if key not in _cache:
        if len(_cache) >= _CACHE_LIMIT:
            _cache.clear()
        _cache[key] = functional.normalize(text(class_sentences(info, templates)).mean(0), dim=0).cpu()
    return _cache[key]
