"""Dense Language Guidance: image features attend to class embeddings, and where asked for these to the features too."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class DenseLanguageGuidance(nn.Module):
    """Attention between dense visual features and language embeddings.

    With image features ``F_V`` (hw x D) and language features ``F_L`` (K x D), each modality gives a key and a value::

        A     = K_V(F_V) K_L(F_L)^T / sqrt(c)                      (hw x K)      eq. 2
        F_V^A = F_V + O_V( softmax_K(A)    V_L(F_L) )              (hw x D)      eq. 3
        F_L^A = F_L + O_L( softmax_hw(A)^T V_V(F_V) )              (K  x D)      eq. 3, if `mutual`
        F_L^A = F_L                                                              else

    (SemiDAViL, Basak and Yin, CVPR 2025.) The residuals and the zero-initialised outputs ``O`` are ours: without training the
    module is the identity, so a fresh segmenter equals zero-shot CLIP. No parameter depends on the number of classes, and the
    result is equivariant to their order.

    Parameters
    ----------
    embed_dim
        D, the width of the shared vision-language space.
    key_dim
        c, the width in which the two modalities are compared.
    mutual
        Whether features guide the class embeddings as well. A class then means something else in every image.
    """

    def __init__(self, *, embed_dim: int, key_dim: int, mutual: bool) -> None:
        super().__init__()
        self.key_dim = key_dim
        self.mutual = mutual
        self.visual_norm = nn.LayerNorm(embed_dim)
        self.language_norm = nn.LayerNorm(embed_dim)
        self.visual_key = nn.Linear(embed_dim, key_dim)
        self.language_key = nn.Linear(embed_dim, key_dim)
        self.language_value = nn.Linear(embed_dim, key_dim)
        self.visual_out = _zero_linear(key_dim, embed_dim)
        if mutual:
            self.visual_value = nn.Linear(embed_dim, key_dim)
            self.language_out = _zero_linear(key_dim, embed_dim)

    def forward(
        self, visual: Tensor, language: Tensor, *, valid: Tensor | None = None, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Guide features by language and language by features.

        Parameters
        ----------
        visual
            (B, N, D) float, unit vectors of N image locations.
        language
            (K, D) float, unit vectors of K classes.
        valid
            (B, N) bool, False at padding; None means all valid.
        context
            (M, D) float, further language tokens (captions) that join as keys and values but are no class.

        Returns
        -------
        tuple of Tensor
            Guided features (B, N, D) and guided class embeddings (B, K, D), not normalised.
        """
        tokens = language if context is None else torch.cat([language, context])
        visual_in, language_in = self.visual_norm(visual), self.language_norm(tokens)
        affinity = (
            self.visual_key(visual_in) @ self.language_key(language_in).T / self.key_dim**0.5
        )  # (B, N, K + M)
        guided = visual + self.visual_out(affinity.softmax(-1) @ self.language_value(language_in))
        words = language.expand(visual.shape[0], -1, -1)
        if self.mutual:
            from_visual = _over_locations(affinity[..., : len(language)], valid) @ self.visual_value(
                visual_in
            )
            words = words + self.language_out(from_visual)
        return guided, words


def _over_locations(affinity: Tensor, valid: Tensor | None) -> Tensor:
    """(B, K, N), each class's attention to the valid locations, from affinities (B, N, K)."""
    if valid is not None:
        affinity = affinity.masked_fill(~valid.unsqueeze(-1), torch.finfo(affinity.dtype).min)
    return affinity.softmax(1).transpose(1, 2)


def _zero_linear(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def unit(features: Tensor, dim: int = -1) -> Tensor:
    """`features` scaled to length 1 along `dim`; a zero vector stays zero."""
    return functional.normalize(features, dim=dim)
