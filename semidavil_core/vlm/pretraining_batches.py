"""Seeded batches of contrastive pre-training and the losses they give."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from semidavil_core.classes import ClassSet
from semidavil_core.data.batches import CropGeometry, CropStream
from semidavil_core.data.domains import Domain
from semidavil_core.vlm.captioned_images import CaptionedImages
from semidavil_core.vlm.clip_towers import pad_to_multiple
from semidavil_core.vlm.contrastive_terms import class_shares, pair_loss, pixel_loss, region_loss
from semidavil_core.vlm.loading import Vlm
from semidavil_core.vlm.text_embeddings import embed_classes

_SMALLEST_VIEW: Final = 0.7  # share of an image's sides that a caption must still describe
_LARGEST_SCALE: Final = 100.0


class CaptionBatches:
    """Random views of captioned images against their captions."""

    def __init__(self, vlm: Vlm, pairs: CaptionedImages, *, batch: int, seed: int) -> None:
        self._vlm, self._pairs = vlm, pairs
        self._batch = min(batch, len(pairs))
        self._rng = np.random.default_rng(seed)
        self._scale = min(_LARGEST_SCALE, float(vlm.model.logit_scale.detach().exp()))

    def losses(self) -> dict[str, Tensor]:
        """The loss of one new batch: ``pairs``."""
        chosen = self._rng.choice(len(self._pairs), self._batch, replace=False)
        captions = [self._pairs.pairs[i][1] for i in chosen]
        tower = self._vlm.tower
        images = torch.stack([self._view(int(i)) for i in chosen]).to(tower.mean.device)
        embedded = self._vlm.model.encode_image((images - tower.mean) / tower.std)
        units = functional.normalize(embedded.float(), dim=-1)
        return {"pairs": pair_loss(units, self._vlm.text(captions), self._scale, captions)}

    def _view(self, index: int) -> Tensor:
        image = self._pairs.image(index)
        share = self._rng.uniform(_SMALLEST_VIEW, 1.0)
        height, width = (max(1, round(side * share)) for side in image.shape[:2])
        top = int(self._rng.integers(image.shape[0] - height + 1))
        left = int(self._rng.integers(image.shape[1] - width + 1))
        pixels = torch.from_numpy(image[top : top + height, left : left + width].copy()).permute(2, 0, 1)
        size = native_size(self._vlm)
        resized = functional.interpolate(
            pixels[None].float() / 255, size=size, mode="bilinear", antialias=True, align_corners=False
        )
        return resized[0]


class RegionBatches:
    """Random crops of labelled images against their class prompts."""

    def __init__(
        self,
        vlm: Vlm,
        source: Domain,
        classes: ClassSet,
        *,
        batch: int,
        seed: int,
        weights: tuple[float, float],
    ) -> None:
        self._vlm, self._batch, self._weights = vlm, batch, weights
        self._text = embed_classes(vlm.text, classes)
        geometry = CropGeometry(size=native_size(vlm)[0], scale_low=0.5, scale_high=2.0)
        self._crops = CropStream(source, geometry, num_classes=len(classes), seed=seed)

    def losses(self) -> dict[str, Tensor]:
        """The losses of one new batch: ``pixels`` and ``regions``, weighted."""
        crops = self._crops.on_classes(self._batch)
        tower, scale = self._vlm.tower, self._vlm.logit_scale
        features = tower(torch.stack([c.image for c in crops]).to(tower.mean.device))
        labels = torch.stack([c.labels for c in crops]).unsqueeze(1).float()
        padded = pad_to_multiple(labels, tower.aligned_stride)[:, 0].to(torch.uint8).to(tower.mean.device)
        grid = (features.aligned.shape[-2], features.aligned.shape[-1])
        shares = class_shares(padded, len(self._text), grid)
        units = functional.normalize(features.aligned, dim=1)
        pixel, region = self._weights
        return {
            "pixels": pixel * pixel_loss(units, shares, self._text, scale),
            "regions": region * region_loss(units, shares, self._text, scale),
        }


def native_size(vlm: Vlm) -> tuple[int, int]:
    """Height and width in pixels at which the model was trained."""
    size: Any = vlm.model.visual.preprocess_cfg["size"]
    return (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))
