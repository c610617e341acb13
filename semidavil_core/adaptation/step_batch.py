"""What one optimiser step sees: weak and strong views of source and target crops, as named tensors."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from semidavil_core.data.augmentation import channel_statistics, other_light, restyle, strong_view
from semidavil_core.data.batches import Crop, CropStream
from semidavil_core.settings import AdaptSettings


@dataclass(frozen=True)
class Views:
    """A batch of crops of one domain."""

    weak: Tensor
    """(B, 3, S, S) float in [0, 1], unchanged colours."""
    strong: Tensor
    """(B, 3, S, S) float in [0, 1], same geometry, changed colours."""
    labels: Tensor
    """(B, S, S) uint8 class indices, 255 where unlabelled."""
    inside: Tensor
    """(B, S, S) bool, False beyond the image's border."""
    hints: Tensor
    """(B, S, S) uint8, labels that are not a person's; 255 where there is none."""
    keys: tuple[Hashable, ...]
    """Equal keys mean equal views."""

    def __len__(self) -> int:
        return len(self.weak)


@dataclass(frozen=True)
class StepBatch:
    """The crops of one step; `source` is None in source-free adaptation."""

    source: Views | None
    target: Views


class BatchMaker:
    """Draws the crops of each step and makes their views.

    Parameters
    ----------
    source
        Stream of labelled source crops; None in source-free adaptation.
    target
        Stream of target crops.
    settings
        Batch sizes and view probabilities.
    device
        Where the tensors go.
    """

    def __init__(
        self, *, source: CropStream | None, target: CropStream, settings: AdaptSettings, device: torch.device
    ) -> None:
        self._source = source if settings.source_batch and settings.source_weight else None
        self._target = target
        self._settings = settings
        self._device = device
        self._statistics: dict[int, Tensor] = {}

    def draw(self) -> StepBatch:
        """The next step's batch."""
        settings = self._settings
        target = self._target.on_classes(settings.labelled_batch) if settings.labelled_batch else []
        if settings.unlabelled_batch and settings.consistency:
            target = [*target, *self._target.anywhere(settings.unlabelled_batch)]
        source = None
        if self._source is not None:
            source = self._views(self._source.on_classes(settings.source_batch), self._source_view, "source")
        return StepBatch(
            source=source,
            target=self._views(target, lambda crop, rng: strong_view(crop.image, rng), "target"),
        )

    def _views(
        self, crops: Sequence[Crop], change: Callable[[Crop, np.random.Generator], Tensor], domain: str
    ) -> Views:
        strong = [
            change(crop, np.random.default_rng(_seed(self._settings.seed, domain, crop))) for crop in crops
        ]
        return Views(
            weak=torch.stack([crop.image for crop in crops]).to(self._device),
            strong=torch.stack(strong).to(self._device),
            labels=torch.stack([crop.labels for crop in crops]).to(self._device),
            inside=torch.stack([crop.inside for crop in crops]).to(self._device),
            hints=torch.stack([crop.hints for crop in crops]).to(self._device),
            keys=tuple((domain, *crop.key) for crop in crops),
        )

    def _source_view(self, crop: Crop, rng: np.random.Generator) -> Tensor:
        """Where `style` asks for it, a source crop wears the target's colours: the student meets them before it meets the target's shapes."""
        if rng.random() < self._settings.style:
            return restyle(crop.image, self._target_statistics(rng), float(rng.uniform(0.3, 1.0)))
        return other_light(crop.image, rng) if rng.random() < 0.3 else strong_view(crop.image, rng)

    def _target_statistics(self, rng: np.random.Generator) -> Tensor:
        index = int(rng.integers(len(self._target.domain)))
        if index not in self._statistics:
            image = torch.from_numpy(np.array(self._target.domain[index].image)).movedim(-1, 0).float() / 255
            self._statistics[index] = channel_statistics(image)
        return self._statistics[index]


def _seed(seed: int, domain: str, crop: Crop) -> tuple[int, int, int]:
    name, view = crop.key
    return seed, zlib.crc32(f"{domain}/{name}".encode()), view
