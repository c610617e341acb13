"""A tower of two convolutions, and small segmenters and domains made with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from semidavil_core.classes import IGNORE_INDEX, ClassSet
from semidavil_core.data.domains import MemoryDomain, Sample
from semidavil_core.export.bundle import Bundle
from semidavil_core.model.build import build_segmenter
from semidavil_core.model.model_settings import ModelSettings
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.vlm.clip_towers import ClipTower, DenseMode
from semidavil_core.vlm.reference import VlmReference

CLASSES = ClassSet.from_names(["ground", "tree", "sky"])
COLOURS = np.array([[110, 90, 70], [30, 140, 40], [120, 170, 250]])
SMALL = ModelSettings(key_dim=8, width=16, fine_width=16, query_dim=8)
DIM = 16


class TinyTower(ClipTower):
    """Aligned map at stride 8, finer maps at strides 2 and 4."""

    dense_mode = DenseMode.VALUE

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        visual = nn.ModuleDict({"stem": nn.Conv2d(3, 8, 2, stride=2), "head": nn.Conv2d(8, DIM, 4, stride=4)})
        super().__init__(visual, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
        self._measure(8)

    def dense(self, images: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        fine = self.visual["stem"](images).relu()
        return self.visual["head"](fine), [fine, functional.avg_pool2d(fine, 2)]

    def tuned_names(self) -> Iterator[str]:
        yield from ("head.weight", "head.bias")


def text_matrix(classes: int = 3, *, seed: int = 0, dim: int = DIM) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(classes, dim, generator=generator), dim=1)


def tiny_segmenter(
    num_classes: int = 3, seed: int = 0, *, trained: bool = False, mutual: bool = False
) -> Segmenter:
    """A segmenter on the tiny tower; `trained` fills what is zero-initialised with noise."""
    settings = replace(SMALL, mutual=mutual)
    segmenter = build_segmenter(
        TinyTower(seed), text_matrix(num_classes), logit_scale=10.0, settings=settings, seed=seed
    )
    if trained:
        torch.manual_seed(seed + 2)
        guidance = segmenter.guidance
        outputs = [guidance.visual_out, guidance.language_out] if mutual else [guidance.visual_out]
        for layer in (*outputs, segmenter.decoder.pixel_embedding):
            nn.init.normal_(layer.weight, std=0.3)
    return segmenter


def tiny_bundle(classes: ClassSet = CLASSES, *, trained: bool = True, seed: int = 0) -> Bundle:
    """A bundle of the tiny segmenter; its reference is made up, so reading it needs a replaced ``tower_from_reference``."""
    segmenter = tiny_segmenter(len(classes), seed, trained=trained)
    reference = VlmReference(
        spec="tiny",
        model="tiny",
        pretrained=None,
        dense_mode=DenseMode.VALUE.value,
        embed_dim=DIM,
        logit_scale=segmenter.logit_scale,
        fingerprint="0" * 64,
    )
    return Bundle(segmenter, classes, reference, {"eval": {"miou": 0.5}}, {"prepare": {"batch": 4}})


def square_domain(
    count: int, size: int = 64, *, labelled: bool | Sequence[int] = True, seed: int = 0
) -> MemoryDomain:
    """Brown images of class 0 with one green and one blue square of the classes 1 and 2 each.

    `labelled`: whether the images have dense labels, or which of them.
    """
    rng = np.random.default_rng(seed)
    samples = []
    for index in range(count):
        labels = np.zeros((size, size), np.uint8)
        for value in (1, 2):
            top, left = rng.integers(0, size - size // 3, 2)
            labels[top : top + size // 3, left : left + size // 3] = value
        image = (COLOURS[labels] + rng.normal(0, 6, (size, size, 3))).clip(0, 255).astype(np.uint8)
        has_labels = labelled if isinstance(labelled, bool) else index in labelled
        samples.append(Sample(f"squares{index}", image, labels if has_labels else None))
    return MemoryDomain(samples)


def scene(
    seed: int = 0, size: tuple[int, int] = (48, 56), *, dark: bool = False
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Image and dense labels: sky over trees over ground."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(size, np.uint8)
    labels[: round(size[0] * 0.66)] = 1
    labels[: round(size[0] * rng.uniform(0.2, 0.45))] = 2
    image = COLOURS[labels] * (0.5 if dark else 1.0) + rng.normal(0, 6, (*size, 3))
    return image.clip(0, 255).astype(np.uint8), labels


def strokes(labels: NDArray[np.uint8], *, every: int = 14, width: int = 2) -> NDArray[np.uint8]:
    """Columns of `width` pixels of dense labels, the rest unlabelled."""
    sparse = np.full_like(labels, IGNORE_INDEX)
    for left in range(3, labels.shape[1], every):
        sparse[:, left : left + width] = labels[:, left : left + width]
    return sparse


def source_domain(count: int = 2) -> MemoryDomain:
    return MemoryDomain([Sample(f"day{i}", *scene(i)) for i in range(count)])


def target_domain(count: int = 3, painted: int = 2, **geometry: Any) -> MemoryDomain:
    samples = []
    for index in range(count):
        image, labels = scene(10 + index, dark=True, **geometry)
        samples.append(Sample(f"night{index}", image, strokes(labels) if index < painted else None))
    return MemoryDomain(samples)
