"""Segmentation by class names alone: dense cosine maps of the vision-language model, without any training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from semidavil_core.inference.tiles import blending_weights, iter_tiles
from semidavil_core.settings import Settings
from semidavil_core.vlm.loading import Vlm


@dataclass(frozen=True)
class ZeroShotSettings(Settings):
    """How an image is shown to the model."""

    scale: float = 1.0
    """The image is resized by this factor first: 2 shows small things larger to a model with coarse patches."""
    flip: bool = False
    """Whether the mirrored image is looked at too and both answers averaged."""
    window: int = 512
    """Side in pixels of the overlapping windows; transformers see best near the size they were trained at."""
    overlap: float = 0.25
    """Share of a window's side that neighbours have in common."""

    def __post_init__(self) -> None:
        self._require("scale", 0.1, 8)
        self._require_flag("flip")
        self._require("window", 64, 4096)
        self._require("overlap", 0, 0.75)


@torch.inference_mode()
def zero_shot_probabilities(
    vlm: Vlm, text: Tensor, image: NDArray[np.uint8], settings: ZeroShotSettings | None = None
) -> NDArray[np.float32]:
    """Class probabilities of every pixel.

    The softmax runs over cosines times the model's dense inverse temperature; windows and the mirrored view are averaged
    as probabilities.

    Parameters
    ----------
    vlm
        The vision-language model.
    text
        (K, D) float, unit text embeddings of the classes.
    image
        (H, W, 3) uint8 RGB, any size.
    settings
        Scale, mirror and windows.

    Returns
    -------
    NDArray[np.float32]
        (K, H, W), summing to 1 over K.
    """
    settings = settings or ZeroShotSettings()
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float() / 255
    scaled = _resized(pixels, _scaled_size(image, settings.scale))
    probabilities = _windowed(vlm, text, scaled, settings)
    if settings.flip:
        mirrored = _windowed(vlm, text, scaled.flip(-1), settings)[..., ::-1]
        probabilities = np.asarray((probabilities + mirrored) / 2, np.float32)
    resized = _resized(torch.from_numpy(np.ascontiguousarray(probabilities))[None], image.shape[:2])[0]
    return np.asarray(resized.numpy(), np.float32)


def _scaled_size(image: NDArray[np.uint8], scale: float) -> tuple[int, int]:
    return max(8, round(image.shape[0] * scale)), max(8, round(image.shape[1] * scale))


def _windowed(vlm: Vlm, text: Tensor, images: Tensor, settings: ZeroShotSettings) -> NDArray[np.float32]:
    height, width = images.shape[-2:]
    total = np.zeros((len(text), height, width), np.float32)
    weight = np.zeros((height, width), np.float32)
    for tile in iter_tiles(height, width, side=settings.window, overlap=settings.overlap):
        share = blending_weights(tile)
        total[:, *tile.area] += _probabilities(vlm, text, images[:, :, *tile.area]) * share
        weight[tile.area] += share
    return np.asarray(total / weight, np.float32)


def _probabilities(vlm: Vlm, text: Tensor, window: Tensor) -> NDArray[np.float32]:
    device = next(vlm.tower.parameters()).device
    features = vlm.tower(window.to(device))
    cosine = torch.einsum("bdhw,kd->bkhw", functional.normalize(features.aligned, dim=1), text.to(device))
    logits = _resized(vlm.logit_scale * cosine, features.padded_size)[
        ..., : window.shape[-2], : window.shape[-1]
    ]
    return np.asarray(logits.softmax(1)[0].cpu().numpy(), np.float32)


def _resized(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    if maps.shape[-2:] == torch.Size(size):
        return maps
    return functional.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=False)
