"""Prediction of one image: numpy in, numpy out; tiles, mirrored views and zooms in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from semidavil_core.errors import AdaptationFailed
from semidavil_core.inference.tiles import Tile, blending_weights, iter_tiles
from semidavil_core.model.readout import Floats, class_weights
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.settings import PredictSettings

PREVIEW: Final = PredictSettings(flip=False)
"""How an image is predicted for a look at it, where speed counts more than the last point."""
JUDGED: Final = PredictSettings(flip=False, image_prior=0.0)
"""How a network is compared with strokes: what it says of a place, whatever else the image shows. Strokes are no fair sample of an image."""


@dataclass(frozen=True)
class Prediction:
    """What a segmenter says of one image."""

    labels: NDArray[np.uint8]
    """(H, W) class indices."""
    confidence: Floats
    """(H, W), 0 to 1: the probability of the predicted class."""
    probabilities: Floats
    """(K, H, W), summing to 1 over K."""
    class_weights: Floats
    """(K,), what they were multiplied with for the classes that the image shows; 1 each if with nothing."""


class Predictor:
    """Predicts images with a segmenter.

    Parameters
    ----------
    segmenter
        The network; it is put into evaluation mode for each prediction.
    settings
        Tiling and averaging.
    """

    def __init__(self, segmenter: Segmenter, settings: PredictSettings | None = None) -> None:
        self._segmenter = segmenter
        self._settings = settings or PredictSettings()

    @torch.inference_mode()
    def predict(self, image: NDArray[np.uint8]) -> Prediction:
        """Predict an image (H, W, 3) uint8.

        Raises
        ------
        AdaptationFailed
            The memory did not suffice for one tile.
        """
        was_training = self._segmenter.training
        self._segmenter.eval()
        try:
            probabilities, weights = self._weighed(self._average_over_scales(image))
        except (MemoryError, RuntimeError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0][
                :160
            ]  # MemoryError comes without a word
            raise AdaptationFailed(
                f"An image of {image.shape[1]} x {image.shape[0]} pixels could not be predicted ({reason}); lower the tile size."
            ) from error
        finally:
            self._segmenter.train(was_training)
        labels = probabilities.argmax(0).astype(np.uint8)
        return Prediction(labels, probabilities.max(0), probabilities, weights)

    def _weighed(self, probabilities: Floats) -> tuple[Floats, Floats]:
        """The probabilities of an image, weighed in place by the classes that it shows, and the weights."""
        own = self._settings.image_prior
        weights = class_weights(probabilities, self._segmenter.readout.image_prior if own is None else own)
        if (weights != 1).any():
            probabilities *= weights[:, None, None]
            probabilities /= probabilities.sum(0)
        return probabilities, weights

    def _average_over_scales(self, image: NDArray[np.uint8]) -> Floats:
        height, width = image.shape[:2]
        total = np.zeros((self._segmenter.num_classes, height, width), np.float32)
        for scale in self._settings.scales:
            total += self._at_scale(image, scale)
        return (total / len(self._settings.scales)).astype(np.float32, copy=False)

    def _at_scale(self, image: NDArray[np.uint8], scale: float) -> Floats:
        height, width = image.shape[:2]
        if scale == 1:
            return self._tiled(image)
        size = (max(8, round(height * scale)), max(8, round(width * scale)))
        tensor = torch.from_numpy(np.array(image)).movedim(-1, 0)[None].float()
        zoomed = functional.interpolate(tensor, size=size, mode="bilinear", antialias=scale < 1)
        predicted = self._tiled(zoomed[0].movedim(0, -1).round().clamp(0, 255).to(torch.uint8).numpy())
        back = functional.interpolate(
            torch.from_numpy(predicted)[None], size=(height, width), mode="bilinear"
        )
        return np.asarray(back[0].numpy(), np.float32)

    def _tiled(self, image: NDArray[np.uint8]) -> Floats:
        height, width = image.shape[:2]
        total = np.zeros((self._segmenter.num_classes, height, width), np.float32)
        weight = np.zeros((height, width), np.float32)
        for tile in iter_tiles(height, width, side=self._settings.tile, overlap=self._settings.overlap):
            blend = blending_weights(tile)
            total[(slice(None), *tile.area)] += self._tile(image, tile) * blend
            weight[tile.area] += blend
        return (total / weight).astype(np.float32, copy=False)

    def _tile(self, image: NDArray[np.uint8], tile: Tile) -> Floats:
        pixels = torch.from_numpy(np.array(image[tile.area])).to(self._segmenter.text.device)
        tensor = pixels.movedim(-1, 0)[None].float() / 255
        probabilities = self._probabilities(tensor)
        if self._settings.flip:
            probabilities = (probabilities + self._probabilities(tensor.flip(-1)).flip(-1)) / 2
        return np.asarray(probabilities[0].float().cpu().numpy(), np.float32)

    def _probabilities(self, images: Tensor) -> Tensor:
        return (self._segmenter(images) / self._segmenter.readout.temperature).softmax(1)  # type: ignore[no-any-return]
