"""The joint space of `mini`: a fixed, centred projection of sentence embeddings in which class names spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from collections.abc import Sequence


class SentenceEncoder(Protocol):
    """Anything that turns texts into (N, E) float32 unit rows."""

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        """Embed texts."""
        ...


@dataclass(frozen=True)
class TextSpace:
    """Sentence embeddings, moved to their mean over nouns and turned onto their principal axes.

    Raw sentence embeddings of any two nouns have a cosine near 0.3; about their mean it is near 0.1, which is what
    lets a softmax over cosines tell classes apart.

    Attributes
    ----------
    encoder : SentenceEncoder
        The teacher.
    mean : torch.Tensor
        (E,) float32 mean over the nouns.
    axes : torch.Tensor
        (E, D) float32 orthonormal columns, most variance first.
    """

    encoder: SentenceEncoder
    mean: torch.Tensor
    axes: torch.Tensor

    @classmethod
    def fit(cls, encoder: SentenceEncoder, nouns: Sequence[str], dimension: int) -> TextSpace:
        """Find the mean and the first `dimension` principal axes of the nouns."""
        rows = encoder.encode(nouns)
        mean = rows.mean(0)
        _, _, axes = torch.linalg.svd(rows - mean, full_matrices=False)
        signs = axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()  # a basis that no build flips
        return cls(encoder, mean, (axes * signs)[:dimension].T.contiguous())

    def targets(self, texts: Sequence[str]) -> torch.Tensor:
        """Return (N, D) float32 unit rows: where each text belongs in the joint space."""
        return F.normalize((self.encoder.encode(texts) - self.mean) @ self.axes, dim=-1)
