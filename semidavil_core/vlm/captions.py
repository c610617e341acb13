"""Captions by CoCa, word by word, without the transformers package."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from open_clip.coca_model import CoCa
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch import Tensor

from semidavil_core.errors import UnknownModel
from semidavil_core.vlm.loading import Vlm

_START, _END = 49406, 49407  # of open_clip's tokenizer
_LONGEST: Final = 30


class Captions:
    """A :class:`~semidavil_core.vlm.language_source.LanguageSource` that lets a CoCa model describe each image.

    open_clip's own ``generate`` wants a release of transformers with beam search; greedy decoding needs none.

    Parameters
    ----------
    vlm
        A loaded CoCa model, e.g. ``coca_ViT-B-32:mscoco_finetuned_laion2b_s13b_b90k``.
    longest
        At most this many tokens per caption.

    Raises
    ------
    UnknownModel
        The model has no text decoder.
    """

    def __init__(self, vlm: Vlm, *, longest: int = _LONGEST) -> None:
        if not isinstance(vlm.model, CoCa):
            raise UnknownModel(
                f"{vlm.reference.spec} cannot write captions; choose a CoCa model, e.g. "
                "coca_ViT-B-32:mscoco_finetuned_laion2b_s13b_b90k."
            )
        self._model: Any = vlm.model
        self._decode: Any = vlm.text.tokenizer
        self._longest = longest
        self._transform = image_transform_v2(
            PreprocessCfg(**self._model.visual.preprocess_cfg), is_train=False
        )

    def sentences(self, image: NDArray[np.uint8]) -> tuple[str, ...]:
        """One caption of an image (H, W, 3) uint8; none if the model has nothing to say."""
        caption = self.caption(image)
        return (caption,) if caption else ()

    def caption(self, image: NDArray[np.uint8]) -> str:
        """A sentence about an image (H, W, 3) uint8."""
        device = next(self._model.parameters()).device
        pixels: Any = self._transform(Image.fromarray(image))
        tokens = self._greedy(pixels.unsqueeze(0).to(device))[0].tolist()
        words = [t for t in tokens[1:] if t not in (_START, _END, 0)]
        return " ".join(str(self._decode.decode(words)).split()) if words else ""

    @torch.inference_mode()
    def _greedy(self, images: Tensor) -> Tensor:
        latent, embedded = self._model._encode_image(images)
        tokens = torch.full((len(images), 1), _START, device=images.device)
        while tokens.shape[1] <= self._longest:
            answer = self._model(
                images, tokens, image_latent=latent, image_embs=embedded, output_labels=False
            )
            tokens = torch.cat([tokens, answer["logits"][:, -1:].argmax(-1)], 1)
            if (tokens[:, -1] == _END).all():
                break
        return tokens
