"""Where language about an image comes from, beside the class names: nowhere, a person, or a captioner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semidavil_core.vlm.text_encoder import TextEncoder


class LanguageSource(Protocol):
    """Sentences about one image; they join the guidance as context and are never a class."""

    def sentences(self, image: NDArray[np.uint8]) -> tuple[str, ...]:
        """Sentences about an image (H, W, 3) uint8; none is a good answer."""
        ...


@dataclass(frozen=True)
class ClassPrompts:
    """Class names are all the language there is: the default, and the only way that needs no further model."""

    def sentences(self, image: NDArray[np.uint8]) -> tuple[str, ...]:  # noqa: ARG002 - the same for every image
        """No sentence."""
        return ()


@dataclass(frozen=True)
class UserText:
    """What a person wrote about the whole data set, e.g. "night street in the rain"."""

    text: tuple[str, ...]

    def sentences(self, image: NDArray[np.uint8]) -> tuple[str, ...]:  # noqa: ARG002 - the same for every image
        """The person's sentences, empty ones left out."""
        return tuple(sentence.strip() for sentence in self.text if sentence.strip())


def context_tokens(text: TextEncoder, source: LanguageSource, image: NDArray[np.uint8]) -> Tensor | None:
    """Embeddings (M, D) float32, unit rows, of what `source` says of an image; None if it says nothing."""
    sentences = source.sentences(image)
    return text(sentences) if sentences else None


def stack_contexts(contexts: list[Tensor | None]) -> Tensor | None:
    """The context tokens of several images as one set (M, D); None if there are none."""
    present = [c for c in contexts if c is not None]
    return torch.cat(present) if present else None
