"""Dense, text-aligned features and finer maps of any open_clip image tower, at any image size."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from semidavil_core.errors import InvalidSettings, UnknownModel


class DenseMode(StrEnum):
    """How the last attention block of a vision transformer becomes a map that text can be compared with, without training."""

    VANILLA = "vanilla"
    """The block as it is; the tokens that the class token attends to."""
    MASKCLIP = "maskclip"
    """Every token attends to itself: only the value path (Zhou et al., ECCV 2022)."""
    SCLIP = "sclip"
    """Query-query plus key-key attention (Wang et al., ECCV 2024)."""
    CLEARCLIP = "clearclip"
    """Query-query attention without residual and feed-forward (Lan et al., ECCV 2024)."""
    NACLIP = "naclip"
    """Key-key attention with a Gaussian neighbourhood, without residual and feed-forward (Hajimiri et al., WACV 2025)."""
    VALUE = "value"
    """The pooling head applied to every location alone; what attention-pooled and convolutional towers use."""


@dataclass(frozen=True)
class DenseFeatures:
    """What a tower sees in a batch of images."""

    aligned: Tensor
    """(B, D, h, w) float, comparable with text embeddings by cosine; not normalised."""
    fine: tuple[Tensor, ...]
    """Maps (B, C_i, h_i, w_i) with more spatial detail, finest first; not text-aligned."""
    padded_size: tuple[int, int]
    """Height and width in pixels that the grids cover: the image's, rounded up to the tower's stride."""


class ClipTower(nn.Module, ABC):
    """An open_clip image tower that answers with maps in place of one vector.

    Images are padded at the right and the bottom by replication to a multiple of `aligned_stride`, and normalised with the tower's
    own mean and standard deviation. The tower stays in evaluation mode for ever: batch statistics and dropout are those of the
    pre-training even while its weights are tuned.

    Parameters
    ----------
    visual
        The ``visual`` module of an open_clip model.
    mean, std
        Channel statistics of the tower's preprocessing, in the range [0, 1].

    Attributes
    ----------
    embed_dim
        D, the width of the shared vision-language space.
    aligned_stride
        Pixels per cell of the aligned map.
    fine_channels, fine_strides
        Channels and pixels per cell of the finer maps, finest first.
    dense_mode
        How tokens were made comparable with text.
    """

    visual: Any  # open_clip's modules carry no types
    embed_dim: int
    aligned_stride: int
    fine_channels: tuple[int, ...]
    fine_strides: tuple[int, ...]
    dense_mode: DenseMode
    largest_scale: ClassVar[float] = 40.0
    """The inverse temperature of training, up to 100, is too sharp for maps of a transformer (SCLIP, NACLIP use 40)."""
    rate_factor: ClassVar[float] = 1.0
    """Factor of the learning rate of the tuned part. What a convolutional tower bears ruins a transformer (SemiVL tunes it at a
    hundredth of the head's rate)."""
    mean: Tensor
    std: Tensor

    def __init__(self, visual: nn.Module, *, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.visual = visual
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.eval()

    @abstractmethod
    def dense(self, images: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Aligned map and finer maps of normalised images whose size is a multiple of the stride."""

    @abstractmethod
    def tuned_names(self) -> Iterator[str]:
        """Names, within ``visual``, of the parameters that are trained in full mode."""

    def forward(self, images: Tensor) -> DenseFeatures:
        """Dense features of images of any size.

        Parameters
        ----------
        images
            (B, 3, H, W) float in [0, 1], RGB.
        """
        padded = pad_to_multiple(images, self.aligned_stride)
        aligned, fine = self.dense((padded - self.mean) / self.std)
        return DenseFeatures(aligned.float(), tuple(fine), (padded.shape[-2], padded.shape[-1]))

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002 - the signature is torch's
        """Stay in evaluation mode, whatever `mode` says; gradients flow all the same."""
        return super().train(False)

    def tuned_parameters(self) -> list[nn.Parameter]:
        """Parameters that full mode trains: a transformer's attention and positional embedding, or convolutions; no batch statistics."""
        named = dict(self.visual.named_parameters())
        return [named[name] for name in self.tuned_names()]

    def set_tuned(self, enabled: bool) -> None:
        """Freeze the whole tower, then let gradients reach :meth:`tuned_parameters` if `enabled`."""
        self.requires_grad_(False)
        for parameter in self.tuned_parameters():
            parameter.requires_grad_(enabled)

    @torch.no_grad()
    def _measure(self, stride: int) -> None:
        """Learn widths and strides by looking at one small black image."""
        side = 2 * stride
        probe = torch.zeros(1, 3, side, side, device=self.mean.device)
        aligned, fine = self.dense((probe - self.mean) / self.std)
        self.embed_dim = aligned.shape[1]
        self.aligned_stride = side // aligned.shape[-1]
        self.fine_channels = tuple(f.shape[1] for f in fine)
        self.fine_strides = tuple(side // f.shape[-1] for f in fine)


def pad_to_multiple(images: Tensor, stride: int) -> Tensor:
    """Images (B, 3, H, W) extended right and below, by repeating the border, to multiples of `stride`."""
    below, right = -images.shape[-2] % stride, -images.shape[-1] % stride
    return functional.pad(images, (0, right, 0, below), mode="replicate") if below or right else images


def build_tower(visual: nn.Module, preprocess: Mapping[str, Any], dense_mode: str | None = None) -> ClipTower:
    """Wrap an open_clip ``visual`` module in the tower of its family.

    Parameters
    ----------
    visual
        ``model.visual``; it is used in place, not copied.
    preprocess
        open_clip's ``preprocess_cfg``: ``mean`` and ``std`` are read.
    dense_mode
        A :class:`DenseMode`; None for the family's default.

    Raises
    ------
    UnknownModel
        The family is not one of those that give dense features.
    InvalidSettings
        The mode does not exist or does not fit the family.
    """
    from semidavil_core.vlm.towers import families  # here: the families import this module's base class

    family = families.family_of(visual)
    if family is None:
        raise UnknownModel(
            f"The image tower {_describe(visual)} gives no dense features; use a vision transformer, a ResNet or a convolutional model."
        )
    mode = _resolve_mode(dense_mode, family.modes, type(visual).__name__)
    return family.tower(visual, mode=mode, mean=preprocess["mean"], std=preprocess["std"])


def _resolve_mode(wanted: str | None, allowed: Sequence[DenseMode], where: str) -> DenseMode:
    if wanted is None:
        return allowed[0]
    if wanted not in [*allowed]:
        raise InvalidSettings(
            f"The dense mode {wanted!r} does not fit a {where} tower; allowed are {', '.join(allowed)}."
        )
    return DenseMode(wanted)


def _describe(visual: nn.Module) -> str:
    trunk = getattr(visual, "trunk", None)
    return type(visual if trunk is None else trunk).__name__
