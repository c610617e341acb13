"""The class-agnostic decoder: cosine maps, refined by fine image detail, become logits for any number of classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from torch import Tensor, nn
from torch.nn import functional

_FINE_ENOUGH: Final = 4  # pixels per cell


class ClassAgnosticDecoder(nn.Module):
    """A feature pyramid whose pixel embeddings are compared with a query made from each class's text.

    The pyramid starts from the guided features and adds finer maps of the tower down to its finest stride, and last a small
    path over the raw image, so that a structure narrower than a cell can be drawn. A tower whose finest map is coarse, as a transformer's
    patches are, gets one level more, of the image alone. Class ``k`` scores ``<E(p), Q(L_k)>`` at
    location ``p``: all weights are shared by all classes, so a new class needs a new row of text and no new parameter. The pixel
    embedding's last layer is zero-initialised, hence the decoder adds nothing before it is trained.

    Parameters
    ----------
    embed_dim
        D, width of the guided features and of the class embeddings.
    fine_channels
        Channels of the tower's finer maps, finest first.
    finest_stride
        Pixels per cell of the finest of them; above 4 the pyramid goes on to stride 4.
    width
        Channels of the pyramid's coarse levels.
    fine_width
        Channels from the second finest level on, where pixels are many.
    query_dim
        Width in which pixels and classes are compared.
    """

    def __init__(
        self,
        *,
        embed_dim: int,
        fine_channels: Sequence[int],
        finest_stride: int,
        width: int,
        fine_width: int,
        query_dim: int,
    ) -> None:
        super().__init__()
        widths = [fine_width if level < 2 else width for level in range(len(fine_channels))]
        self.top = _conv_block(embed_dim, width, 1)
        self.laterals = nn.ModuleList(
            _conv_block(c, w, 1) for c, w in zip(fine_channels, widths, strict=True)
        )
        coarser = [*widths[1:], width]
        self.reduces = nn.ModuleList(
            nn.Conv2d(above, here, 1) if above != here else nn.Identity()
            for above, here in zip(coarser, widths, strict=True)
        )
        self.merges = nn.ModuleList(_conv_block(w, w, 3) for w in widths)
        self.image_detail = _conv_block(3, widths[0], 3, stride=2)
        self.beyond_the_tower = finest_stride > _FINE_ENOUGH
        if self.beyond_the_tower:
            self.image_reduce = _conv_block(widths[0], widths[0], 3, stride=2)
            self.image_merge = _conv_block(widths[0], widths[0], 3)
        self.pixel_embedding = nn.Conv2d(widths[0], query_dim, 1)
        for parameter in self.pixel_embedding.parameters():
            nn.init.zeros_(parameter)
        self.query = nn.Linear(embed_dim, query_dim)

    def forward(self, guided: Tensor, fine: Sequence[Tensor], image: Tensor, language: Tensor) -> Tensor:
        """Score every class at every location of the finest map.

        Parameters
        ----------
        guided
            (B, D, h, w) float, guided features.
        fine
            Finer maps (B, C_i, h_i, w_i), finest first.
        image
            (B, 3, H, W) float in [0, 1], padded as the tower saw it.
        language
            (B, K, D) float, guided class embeddings, unit vectors.

        Returns
        -------
        Tensor
            (B, K, h_0, w_0) float; at stride 4 if the finest map is coarser.
        """
        pyramid = self.pixel_features(guided, fine, image)
        # <W f + b, q> = <f, W^T q> + <b, q>: classes are few and pixels many, so the embedding goes into the classes.
        query, embedding = self.query(language), self.pixel_embedding
        classes = query @ embedding.weight.flatten(1)  # (B, K, fine_width)
        # (B, h_0 w_0, fine_width), a view of channels-last features
        pixels = pyramid.movedim(1, -1).flatten(1, 2)
        scores = pixels @ classes.transpose(1, 2) + (query @ embedding.bias).unsqueeze(1)
        maps: Tensor = scores.unflatten(1, pyramid.shape[-2:]).movedim(-1, 1)
        return maps

    def pixel_features(self, guided: Tensor, fine: Sequence[Tensor], image: Tensor) -> Tensor:
        """The pyramid's finest level, (B, fine_width, h_0, w_0); at stride 4 if the finest map is coarser."""
        detail = self.image_detail(image * 2 - 1)
        level: Tensor = self.top(guided)
        for index in reversed(range(len(fine))):
            level = _resize(self.reduces[index](level), fine[index]) + self.laterals[index](fine[index])
            if index == 0 and not self.beyond_the_tower:
                level = level + _resize(detail, level)
            level = self.merges[index](level)
        if self.beyond_the_tower:
            detail = self.image_reduce(detail)
            level = self.image_merge(_resize(level, detail) + detail)
        return level


def _conv_block(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    # GroupNorm, not BatchNorm: batches are small and of two domains, and an averaged teacher shares no batch statistics.
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, bias=False),
        nn.GroupNorm(min(8, outputs // 2), outputs),  # a group of one channel at one location has no variance
        nn.ReLU(),
    )


def _resize(features: Tensor, like: Tensor) -> Tensor:
    if features.shape[-2:] == like.shape[-2:]:
        return features
    return functional.interpolate(features, size=like.shape[-2:], mode="bilinear", align_corners=False)
