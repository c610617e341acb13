"""Where language about an image comes from, beside the class names: nowhere, a person, or a captioner."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


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


def sentences_about(source: LanguageSource, images: Iterable[NDArray[np.uint8]]) -> tuple[str, ...]:
    """What `source` says of `images`, each (H, W, 3) uint8: every sentence once, in the order in which they came."""
    return tuple(dict.fromkeys(sentence for image in images for sentence in source.sentences(image)))
