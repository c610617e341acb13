"""A segmenter from a vision-language model and class names alone."""

from __future__ import annotations

from semidavil_core.classes import ClassSet
from semidavil_core.model.build import build_segmenter
from semidavil_core.model.model_settings import ModelSettings
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.vlm.loading import Vlm
from semidavil_core.vlm.text_embeddings import embed_classes


def segmenter_from_language(
    vlm: Vlm, classes: ClassSet, *, settings: ModelSettings | None = None, seed: int = 0
) -> Segmenter:
    """A segmenter that, untrained, equals zero-shot segmentation with `vlm`.

    Parameters
    ----------
    vlm
        The loaded vision-language model; its tower is copied.
    classes
        K classes, described by their prompts.
    settings, seed
        Sizes and seed of the new layers.
    """
    text = embed_classes(vlm.text, classes)
    return build_segmenter(vlm.tower, text, logit_scale=vlm.logit_scale, settings=settings, seed=seed)
