"""Pseudo-labels: the teacher's probabilities, refined and weighed by confidence, and always overridden by a person's labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.settings import ConfidenceMode


@dataclass(frozen=True)
class PseudoLabels:
    """What the student shall agree with."""

    labels: Tensor
    """(B, H, W) uint8 class indices, 255 outside the image."""
    weights: Tensor
    """(B, H, W) float, 0 to 1."""
    confidence: Tensor
    """(B, H, W) float, the largest refined probability; 1 under labels that win."""


def make_pseudo_labels(
    probabilities: Tensor,
    human: Tensor,
    *,
    mode: ConfidenceMode,
    threshold: float,
    inside: Tensor | None = None,
) -> PseudoLabels:
    """Turn refined probabilities into labels and weights.

    Parameters
    ----------
    probabilities
        (B, K, H, W) float, summing to 1 over K.
    human
        (B, H, W) uint8, labels of a person, or of what is trusted as one is; 255 elsewhere. They win with weight 1.
    mode
        How confidence becomes weight.
    threshold
        Of the modes hard and ratio.
    inside
        (B, H, W) bool, False at padding, which gets no label.
    """
    confidence, labels = probabilities.max(1)
    weights = confidence_weights(confidence, mode=mode, threshold=threshold, inside=inside)
    labels = labels.to(torch.uint8)
    painted = human != IGNORE_INDEX
    labels = torch.where(painted, human, labels)
    weights = weights.masked_fill(painted, 1.0)
    confidence = confidence.masked_fill(painted, 1.0)
    if inside is not None:
        labels = labels.masked_fill(~inside, IGNORE_INDEX)
        weights = weights * inside
    return PseudoLabels(labels, weights, confidence)


def confidence_weights(
    confidence: Tensor, *, mode: ConfidenceMode, threshold: float, inside: Tensor | None = None
) -> Tensor:
    """Weights (B, H, W) from confidence (B, H, W); see :class:`~semidavil_core.settings.ConfidenceMode`.

    Means are taken over the pixels `inside` (B, H, W) bool, since what is predicted for padding says nothing.
    """
    if mode is ConfidenceMode.HARD:
        return (confidence >= threshold).to(confidence.dtype)
    if mode is ConfidenceMode.SOFT:
        return confidence**2
    trusted = (confidence >= threshold).to(confidence.dtype) if mode is ConfidenceMode.RATIO else confidence
    counted = torch.ones_like(confidence) if inside is None else inside.to(confidence.dtype)
    mean = (trusted * counted).sum((1, 2), keepdim=True) / counted.sum((1, 2), keepdim=True).clamp_min(1)
    return mean.expand_as(confidence).clone()


def with_prior(probabilities: Tensor, prior: Tensor, exponent: float) -> Tensor:
    """Product of experts ``p * prior^exponent``, normalised over classes; both (B, K, H, W)."""
    product = probabilities * prior.clamp_min(1e-4) ** exponent
    return product / product.sum(1, keepdim=True)


def smooth_by_affinity(
    probabilities: Tensor, images: Tensor, *, stride: int = 4, iterations: int = 4
) -> Tensor:
    """Diffuse probabilities among neighbours of like colour, and combine both views of a pixel.

    A random walk over 8 neighbours at distances 1, 2 and 4 whose steps are weighted by colour likeness relative to the local
    contrast (pixel-adaptive refinement, PAMR, Araslanov and Roth, CVPR 2020). It runs on a grid of `stride`; the result is the
    normalised geometric mean with the input, so detail finer than the grid survives.

    Parameters
    ----------
    probabilities
        (B, K, H, W) float.
    images
        (B, 3, H, W) float in [0, 1].
    """
    size = (images.shape[-2] // stride, images.shape[-1] // stride)
    small = functional.interpolate(images, size=size, mode="area")
    walked = functional.interpolate(probabilities, size=size, mode="area")
    weights = _affinity(small)  # (B, N, h, w)
    for _ in range(iterations):
        walked = sum(
            (weights[:, n : n + 1] * shifted for n, shifted in enumerate(_neighbours(walked))),
            torch.zeros_like(walked),
        )
    walked = functional.interpolate(walked, size=images.shape[-2:], mode="bilinear", align_corners=False)
    product = (probabilities * walked).clamp_min(1e-12).sqrt()
    return product / product.sum(1, keepdim=True)


_OFFSETS = [(dy * d, dx * d) for d in (1, 2, 4) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]


def _neighbours(maps: Tensor) -> list[Tensor]:
    padded = functional.pad(maps, (4, 4, 4, 4), mode="replicate")
    height, width = maps.shape[-2:]
    return [padded[..., 4 + dy : 4 + dy + height, 4 + dx : 4 + dx + width] for dy, dx in _OFFSETS]


def _affinity(images: Tensor) -> Tensor:
    neighbours = torch.stack(_neighbours(images), 1)  # (B, N, 3, h, w)
    spread = neighbours.std(1, keepdim=True).clamp_min(1e-2)
    distance = ((neighbours - images.unsqueeze(1)) / spread).abs().mean(2)
    return (-distance / 0.3).softmax(1)
