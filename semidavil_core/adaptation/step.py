"""The losses of one optimiser step, apart from the loop that takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from semidavil_core.adaptation.features import (
    FeatureCache,
    join_features,
    mix_features,
    select_features,
)
from semidavil_core.adaptation.prototypes import VisualPrototypes
from semidavil_core.adaptation.pseudo_labels import (
    PseudoLabels,
    make_pseudo_labels,
    smooth_by_affinity,
    with_prior,
)
from semidavil_core.adaptation.step_batch import StepBatch, Views
from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.data.augmentation import class_mix_mask
from semidavil_core.losses.consistency import weighted_cross_entropy
from semidavil_core.losses.contrastive import labels_on_grid, prototype_info_nce
from semidavil_core.losses.dynamic_cross_entropy import dynamic_cross_entropy
from semidavil_core.losses.negative_learning import negative_learning
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.settings import AdaptSettings, ConfidenceMode
from semidavil_core.vlm.clip_towers import DenseFeatures

_BY_NAME: Final = 0.1
"""Weight of hints before pseudo-labels begin: more gives the new class more, and takes more from the others."""


@dataclass(frozen=True)
class StepLosses:
    """The weighted parts of a step's loss."""

    parts: dict[str, Tensor]
    """Scalars by name; their sum is what is minimised."""
    mean_confidence: float | None
    """Mean confidence of the pseudo-labels, 0 to 1; None without any."""

    @property
    def total(self) -> Tensor:
        """The sum of the parts."""
        return torch.stack(list(self.parts.values())).sum()


@dataclass(frozen=True)
class Kept:
    """What the model before a round says where no stroke does, and which of it is to stay."""

    model: Segmenter
    unpainted: tuple[int, ...]
    """Classes that have no strokes: all of them stays, since strokes of other classes would have it unlearnt."""
    sure: float
    """Confidence from which on it stays whatever the class; above 1 for none."""


@dataclass(frozen=True)
class Guides:
    """Frozen models that accompany a round; each is optional."""

    zero_shot: Segmenter | None = None
    """The untouched vision-language model over the same classes."""
    source: Segmenter | None = None
    """The model before any adaptation, for source-free adaptation."""
    unlearnt: tuple[int, ...] = ()
    """Classes that have a name and nothing else: the untouched model speaks for them."""
    kept: Kept | None = None


@dataclass(frozen=True)
class _Mixed:
    """Target crops with pasted classes."""

    images: Tensor
    mask: Tensor  # (B, S, S) bool: pasted
    partner: Tensor  # (B,) int64 row of the pool that was pasted
    labels: Tensor
    weights: Tensor
    human: Tensor


class AdaptationStep:
    """Computes the losses of a batch.

    Parameters
    ----------
    student, teacher
        The trained network and its average.
    guides
        Frozen companions.
    settings
        Weights and probabilities.
    cache
        Keeps the frozen encoder's features; None trains the encoder.
    rng
        Decides what is mixed.
    proven
        Classes whose hints teach before pseudo-labels do, too.
    """

    def __init__(
        self,
        *,
        student: Segmenter,
        teacher: Segmenter,
        guides: Guides,
        settings: AdaptSettings,
        cache: FeatureCache | None,
        rng: np.random.Generator,
        proven: Sequence[int] = (),
    ) -> None:
        self._student = student
        self._teacher = teacher
        self._guides = guides
        self._settings = settings
        self._cache = cache
        self._rng = rng
        self._proven = tuple(proven)
        self._prototypes = VisualPrototypes(student.text)

    def losses(self, batch: StepBatch, *, fade: float) -> StepLosses:
        """Losses of `batch`; `fade` falls from 1 to 0 and scales what should lose influence over the rounds."""
        settings = self._settings
        zero_shot = self._zero_shot(batch.target, fade)
        pseudo = self._pseudo_labels(batch.target, zero_shot, fade) if settings.consistency else None
        mixed = self._mix(batch, pseudo)
        images, features = self._student_view(batch, mixed)
        logits = self._student.decode(features, images)
        split = 0 if batch.source is None else len(batch.source)
        on_source, on_target = logits[:split], logits[split:]
        parts: dict[str, Tensor] = {}
        if batch.source is not None:
            parts["source"] = settings.source_weight * self._dyce(on_source, batch.source.labels)
        if settings.labelled_batch:
            parts["strokes"] = settings.labelled_weight * self._dyce(on_target, mixed.human)
        if pseudo is not None:
            consistency = weighted_cross_entropy(on_target, mixed.labels, mixed.weights)
            parts["consistency"] = settings.consistency * consistency
        elif self._proven:
            hints = self._proven_hints(batch.target)
            parts["names"] = _BY_NAME * weighted_cross_entropy(
                on_target, hints, torch.ones_like(mixed.weights)
            )
        if settings.negative:
            parts["negative"] = settings.negative * negative_learning(on_target)
        if settings.contrastive:
            parts["contrastive"] = settings.contrastive * self._contrastive(features, batch, mixed)
        source_model = self._probabilities_of(
            self._guides.source if settings.anchor * fade > 0 else None, batch.target
        )
        for name, weight, guide, threshold in (
            ("guidance", settings.clip_guidance, zero_shot, 0.9),
            ("anchor", settings.anchor, source_model, 0.95),
        ):
            if guide is not None and weight * fade > 0:
                sure = batch.target.inside & ~mixed.mask
                parts[name] = weight * fade * _agreement(on_target, guide, sure, threshold)
        if self._guides.kept is not None:
            parts["kept"] = self._keep(self._guides.kept, on_target, batch.target, mixed)
        confidence = None if pseudo is None else float(pseudo.confidence[batch.target.inside].mean())
        return StepLosses(parts, confidence)

    def _keep(self, kept: Kept, logits: Tensor, target: Views, mixed: _Mixed) -> Tensor:
        """Cross-entropy to what is to stay, weighted by how sure the model before the round is of it (ours).

        A mean over all pixels: a class that has few of them should not weigh as much as all strokes together.
        """
        confidence, labels = _seen_by(kept.model, target).max(1)
        unpainted = torch.isin(labels, torch.tensor(kept.unpainted, device=labels.device))
        stays = (unpainted | (confidence >= kept.sure)) & (mixed.human == IGNORE_INDEX)
        stays &= ~mixed.mask
        labels = labels.masked_fill(~target.inside, IGNORE_INDEX)
        return weighted_cross_entropy(logits, labels, confidence * stays)

    def _dyce(self, logits: Tensor, labels: Tensor) -> Tensor:
        settings = self._settings
        return dynamic_cross_entropy(
            logits,
            labels,
            hard_fraction=settings.dyce_hard,
            balance=settings.dyce_balance,
            normalize=settings.dyce_normalize,
        )

    @torch.no_grad()
    def _pseudo_labels(self, target: Views, zero_shot: Tensor | None, fade: float) -> PseudoLabels:
        settings = self._settings
        if self._cache is None:
            logits = self._teacher(target.weak)
        else:
            logits = self._teacher.decode(self._cached(target, strong=False), target.weak)
        probabilities = logits.softmax(1)
        if zero_shot is not None and settings.clip_prior * fade > 0:
            probabilities = with_prior(probabilities, zero_shot, settings.clip_prior * fade)
        if settings.smoothing:
            probabilities = smooth_by_affinity(probabilities, target.weak)
        return make_pseudo_labels(
            probabilities,
            torch.where(target.labels == IGNORE_INDEX, target.hints, target.labels),
            mode=ConfidenceMode(settings.confidence),
            threshold=settings.threshold,
            inside=target.inside,
        )

    def _mix(self, batch: StepBatch, pseudo: PseudoLabels | None) -> _Mixed:
        """Paste classes of source crops, or of other target crops, onto the target crops."""
        target, source = batch.target, batch.source
        labels = target.labels if pseudo is None else pseudo.labels
        weights = torch.ones_like(target.inside, dtype=torch.float32) if pseudo is None else pseudo.weights
        offset = 0 if source is None else len(source)
        pool = _stacked(source, target)
        pool_labels = labels if source is None else torch.cat([source.labels, labels])
        source_weights = weights.new_ones(offset, *weights.shape[1:])
        pool_weights = torch.cat([source_weights, weights])
        partner = torch.as_tensor([self._partner(row, offset, len(target)) for row in range(len(target))])
        partner = partner.to(labels.device)
        active = partner != torch.arange(len(target), device=labels.device) + offset
        if pseudo is None:
            active = torch.zeros_like(active)
        mask = torch.stack(
            [self._mask(pool_labels[p], bool(a)) for p, a in zip(partner, active, strict=True)]
        )
        return _Mixed(
            images=torch.where(mask.unsqueeze(1), pool[partner], target.strong),
            mask=mask,
            partner=partner,
            labels=torch.where(mask, pool_labels[partner], labels),
            weights=torch.where(mask, pool_weights[partner], weights),
            human=target.labels.masked_fill(mask, IGNORE_INDEX),
        )

    def _proven_hints(self, target: Views) -> Tensor:
        """Hints (B, S, S) of proven names beside strokes, before anything is pasted; 255 elsewhere."""
        proven = torch.tensor(self._proven, dtype=torch.uint8, device=target.hints.device)
        free = torch.isin(target.hints, proven) & (target.labels == IGNORE_INDEX) & target.inside
        return target.hints.masked_fill(~free, IGNORE_INDEX)

    def _partner(self, row: int, sources: int, targets: int) -> int:
        """Row of the pool (sources, then targets) to paste from; the crop's own row means no pasting."""
        draw = self._rng.random()
        if draw < self._settings.mix_source and sources:
            return int(self._rng.integers(sources))
        if draw > 1 - self._settings.mix_target and targets > 1:
            return sources + int((row + self._rng.integers(1, targets)) % targets)
        return sources + row

    def _mask(self, labels: Tensor, active: bool) -> Tensor:
        if not active:
            return torch.zeros_like(labels, dtype=torch.bool)
        return class_mix_mask(labels, self._rng, num_classes=self._student.num_classes)

    def _student_view(self, batch: StepBatch, mixed: _Mixed) -> tuple[Tensor, DenseFeatures]:
        images = mixed.images if batch.source is None else torch.cat([batch.source.strong, mixed.images])
        if self._cache is None:
            return images, self._student.encode(images)
        target = self._cached(batch.target, strong=True)
        source = None if batch.source is None else self._cached(batch.source, strong=True)
        pool = target if source is None else join_features(source, target)
        pasted = mix_features(target, select_features(pool, mixed.partner), mixed.mask)
        return images, pasted if source is None else join_features(source, pasted)

    def _cached(self, views: Views, *, strong: bool) -> DenseFeatures:
        if self._cache is None:
            return self._student.encode(views.strong if strong else views.weak)
        keys = [(key, strong) for key in views.keys]
        return self._cache.encode(views.strong if strong else views.weak, keys)

    def _contrastive(self, features: DenseFeatures, batch: StepBatch, mixed: _Mixed) -> Tensor:
        guided, _ = self._student.guide(features)
        labels = mixed.human if batch.source is None else torch.cat([batch.source.labels, mixed.human])
        size = (guided.shape[-2], guided.shape[-1])
        on_grid = labels_on_grid(labels, size, self._student.num_classes, padded_size=features.padded_size)
        self._prototypes.update(guided, on_grid)
        to_text = prototype_info_nce(guided, on_grid, self._student.text)
        to_images = prototype_info_nce(
            guided, on_grid, self._prototypes.unit, present=self._prototypes.present
        )
        return (to_text + to_images) / 2

    def _zero_shot(self, target: Views, fade: float) -> Tensor | None:
        settings = self._settings
        wanted = (settings.clip_prior + settings.clip_guidance) * fade > 0
        return self._probabilities_of(self._guides.zero_shot if wanted else None, target)

    def _probabilities_of(self, guide: Segmenter | None, target: Views) -> Tensor | None:
        return None if guide is None else _seen_by(guide, target)


@torch.no_grad()
def _seen_by(guide: Segmenter, target: Views) -> Tensor:
    probabilities: Tensor = guide(target.weak).softmax(1)
    return probabilities


def _agreement(logits: Tensor, guide: Tensor, where: Tensor, threshold: float) -> Tensor:
    """Cross-entropy to what a frozen guide is sure of; logits and guide's probabilities (B, K, H, W), `where` (B, H, W) bool."""
    confidence, labels = guide.max(1)
    return weighted_cross_entropy(logits, labels, ((confidence >= threshold) & where).to(logits.dtype))


def _stacked(source: Views | None, target: Views) -> Tensor:
    return target.strong if source is None else torch.cat([source.strong, target.strong])
