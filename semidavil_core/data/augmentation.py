"""Photometric views of image tensors: weak ones for the teacher, strong ones for the student, and another domain's colours.

Every random decision comes from the numpy generator that is passed in, so a batch depends on its seed alone.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as vision


def strong_view(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Colour jitter, grey, blur: the kind of the strong view of UniMatch (Yang et al., CVPR 2023), milder in hue, grey and blur.

    Parameters
    ----------
    image
        (3, H, W) float in [0, 1].
    rng
        Source of all random decisions.

    Returns
    -------
    Tensor
        Of the same shape and range.
    """
    if rng.random() < 0.8:
        image = vision.adjust_brightness(image, rng.uniform(0.5, 1.5))
        image = vision.adjust_contrast(image, rng.uniform(0.5, 1.5))
        image = vision.adjust_saturation(image, rng.uniform(0.5, 1.5))
        image = vision.adjust_hue(image, rng.uniform(-0.1, 0.1))
    if rng.random() < 0.1:
        image = vision.rgb_to_grayscale(image, num_output_channels=3)
    if rng.random() < 0.3:
        image = vision.gaussian_blur(image, [7, 7], [rng.uniform(0.2, 1.5)] * 2)
    return image


def other_light(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Gamma, colour cast, dynamic range and sensor noise, as another illumination or detector would give.

    Parameters
    ----------
    image
        (3, H, W) float in [0, 1].

    Returns
    -------
    Tensor
        Of the same shape and range.
    """
    image = image.clamp_min(1e-4) ** float(np.exp(rng.uniform(-0.7, 0.9)))
    gains = torch.from_numpy(rng.uniform(0.7, 1.3, (3, 1, 1)).astype(np.float32)) * rng.uniform(0.5, 1.1)
    noise = torch.from_numpy(rng.standard_normal(image.shape, np.float32)) * rng.uniform(0, 0.04)
    changed: Tensor = image * gains + noise
    return changed.clamp(0, 1)


def channel_statistics(image: Tensor) -> Tensor:
    """Mean and standard deviation of each channel of (3, H, W), shape (2, 3)."""
    flat = image.flatten(1)
    return torch.stack([flat.mean(1), flat.std(1, correction=0).clamp_min(1e-3)])


def restyle(image: Tensor, statistics: Tensor, strength: float) -> Tensor:
    """Move `image` towards another image's channel statistics (Reinhard et al. 2001, in RGB).

    Parameters
    ----------
    image
        (3, H, W) float in [0, 1].
    statistics
        (2, 3) from :func:`channel_statistics` of the other image.
    strength
        0 keeps the image, 1 takes the statistics over wholly.
    """
    mean, deviation = channel_statistics(image)[..., None, None]
    other_mean, other_deviation = statistics[..., None, None]
    moved = (image - mean) / deviation * other_deviation + other_mean
    styled: Tensor = (image + strength * (moved - image)).clamp(0, 1)
    return styled


def class_mix_mask(labels: Tensor, rng: np.random.Generator, *, num_classes: int) -> Tensor:
    """Mask of half of the classes that occur in a label map (ClassMix, Olsson et al., WACV 2021).

    Parameters
    ----------
    labels
        (H, W) integer class indices; anything from `num_classes` on is never chosen.

    Returns
    -------
    Tensor
        (H, W) bool.
    """
    present = [int(c) for c in torch.unique(labels) if int(c) < num_classes]
    chosen = rng.permutation(present)[: (len(present) + 1) // 2]
    return torch.isin(labels, torch.as_tensor(chosen.astype(np.int64), device=labels.device).to(labels.dtype))
