"""The segmenter: a CLIP tower, dense language guidance and the class-agnostic decoder as one network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from semidavil_core.model.decoder import ClassAgnosticDecoder
from semidavil_core.model.language_guidance import DenseLanguageGuidance, unit
from semidavil_core.model.model_settings import ModelSettings
from semidavil_core.model.readout import Readout
from semidavil_core.vlm.clip_towers import ClipTower, DenseFeatures


class Segmenter(nn.Module):
    """Images in, logits of every class of the text matrix out.

    Logits are ``s * cos(F_V^A, F_L^A)``, upsampled, plus the decoder's scores. Everything added to the tower is zero-initialised, so
    an untrained segmenter is zero-shot CLIP.

    Parameters
    ----------
    tower
        Dense features of the vision-language model.
    guidance
        Dense language guidance in the tower's embedding space.
    decoder
        The class-agnostic decoder.
    text
        (K, D) float, unit text embedding of every class.
    logit_scale
        s, the inverse temperature of the cosine maps.
    settings
        The sizes it was built with, for whoever saves it.
    """

    text: Tensor
    context: Tensor

    def __init__(
        self,
        *,
        tower: ClipTower,
        guidance: DenseLanguageGuidance,
        decoder: ClassAgnosticDecoder,
        text: Tensor,
        logit_scale: float,
        settings: ModelSettings,
    ) -> None:
        super().__init__()
        self.tower = tower
        self.guidance = guidance
        self.decoder = decoder
        self.logit_scale = float(logit_scale)
        self.readout = Readout()
        """How its logits become the probabilities of a prediction."""
        self.settings = settings
        self.register_buffer("text", text.detach().clone())
        self.register_buffer("context", text.detach()[:0].clone())

    @property
    def num_classes(self) -> int:
        """K, the rows of the text matrix."""
        return len(self.text)

    def set_text(self, text: Tensor) -> None:
        """Replace the text matrix (K, D): classes were added, removed, reordered or worded anew."""
        self.text = text.detach().clone().to(self.text.device)

    def set_context(self, context: Tensor | None) -> None:
        """Let (M, D) unit embeddings of sentences about the images join the guidance; they are no class. None takes them away."""
        tokens = self.text[:0] if context is None else context
        self.context = tokens.detach().clone().to(self.text.device)

    def encode(self, images: Tensor) -> DenseFeatures:
        """Dense features of images (B, 3, H, W) float in [0, 1]."""
        features: DenseFeatures = self.tower(images.contiguous(memory_format=torch.channels_last))
        return features

    def guide(self, features: DenseFeatures, size: tuple[int, int] | None = None) -> tuple[Tensor, Tensor]:
        """Guided unit features (B, D, h, w) and guided unit class embeddings (B, K, D).

        With the images' own `size` (H, W), locations that are nothing but padding do not speak to the classes.
        """
        tokens = unit(features.aligned.flatten(2).transpose(1, 2))  # (B, hw, D)
        visual, language = self.guidance(
            tokens,
            self.text,
            valid=_inside(features, size),
            context=self.context if len(self.context) else None,
        )
        grid = unit(visual).transpose(1, 2).unflatten(2, features.aligned.shape[-2:])
        return grid, unit(language)

    def decode(self, features: DenseFeatures, images: Tensor) -> Tensor:
        """Logits (B, K, H, W) of `images` (B, 3, H, W) from their features."""
        guided, language = self.guide(features, (images.shape[-2], images.shape[-1]))
        cosine = torch.einsum("bdhw,bkd->bkhw", guided, language)
        padded = _pad_to(images, features.padded_size)
        scores = self.decoder(guided, features.fine, padded, language)
        coarse = functional.interpolate(cosine, size=scores.shape[-2:], mode="bilinear", align_corners=False)
        logits = functional.interpolate(
            self.logit_scale * coarse + scores,
            size=features.padded_size,
            mode="bilinear",
            align_corners=False,
        )
        return logits[..., : images.shape[-2], : images.shape[-1]]

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, K, H, W) float of images (B, 3, H, W) float in [0, 1]."""
        return self.decode(self.encode(images), images)


def _inside(features: DenseFeatures, size: tuple[int, int] | None) -> Tensor | None:
    """(1, hw) bool: which cells of the aligned map see something of images of `size`; None where all do."""
    if size is None or size == features.padded_size:
        return None
    ends = []
    for cells, padded, own in zip(features.aligned.shape[-2:], features.padded_size, size, strict=True):
        starts = torch.arange(cells, device=features.aligned.device) * padded / cells
        ends.append(starts < own)
    return (ends[0].unsqueeze(1) & ends[1]).flatten().unsqueeze(0)


def _pad_to(images: Tensor, size: tuple[int, int]) -> Tensor:
    below, right = size[0] - images.shape[-2], size[1] - images.shape[-1]
    return functional.pad(images, (0, right, 0, below), mode="replicate") if below or right else images
