"""Variants of the network that the product does not have, composed from its modules: what each part of it is worth."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum

import numpy as np
import torch
from data_sets import DataSet
from torch import Tensor, nn
from torch.nn import functional

from semidavil_core.model.decoder import ClassAgnosticDecoder
from semidavil_core.model.from_language import segmenter_from_language
from semidavil_core.model.model_settings import ModelSettings
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.vlm.clip_towers import ClipTower
from semidavil_core.vlm.loading import Vlm
from semidavil_core.vlm.rebuild import tower_from_reference
from semidavil_core.vlm.towers.convolutional import ConvolutionalTower


class Network(StrEnum):
    """Which network a row trains."""

    FULL = "full"
    """The product's."""
    NO_GUIDANCE = "no guidance"
    """Features and class embeddings meet only in the cosine and in the decoder."""
    MUTUAL = "mutual guidance"
    """Features guide class embeddings too, as the paper has it."""
    K_WAY = "K-way head"
    """The decoder's pyramid ends in one convolution with an output for each class, in place of a comparison with the text."""
    RANDOM_TRUNK = "random trunk"
    """No pre-training of the image tower at all; every convolution of it is trained."""
    IMAGENET_TRUNK = "ImageNet trunk"
    """The tower's trunk with a new head: pre-trained on images, not aligned with language. Its head is trained too."""
    RANDOM_WORDS = "random words"
    """A random direction in place of each class's text embedding: the names mean nothing."""


def build_network(network: Network, vlm: Vlm, data: DataSet, seed: int) -> Segmenter:
    """An untrained network over the classes of `data`; `seed` decides all that is random."""
    if network is Network.RANDOM_TRUNK:
        vlm = replace(vlm, tower=_random_tower(vlm, data, seed))
    elif network is Network.IMAGENET_TRUNK:
        vlm = replace(vlm, tower=_unaligned_tower(vlm, seed))
    settings = ModelSettings(mutual=network is Network.MUTUAL)
    segmenter = segmenter_from_language(vlm, data.classes, settings=settings, seed=seed)
    if network is Network.NO_GUIDANCE:
        segmenter.add_module("guidance", NoGuidance())
    elif network is Network.K_WAY:
        segmenter.add_module("decoder", KWayDecoder(segmenter.decoder, segmenter.num_classes))
    elif network is Network.RANDOM_WORDS:
        segmenter.set_text(_random_directions(segmenter.text, seed))
    return segmenter


class NoGuidance(nn.Module):
    """Gives features and class embeddings back as they are."""

    def forward(
        self,
        visual: Tensor,
        language: Tensor,
        *,
        valid: Tensor | None = None,  # noqa: ARG002 - the signature is the product's
        context: Tensor | None = None,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        return visual, language.expand(len(visual), *language.shape)


class KWayDecoder(nn.Module):
    """The pyramid of the class-agnostic decoder under a usual segmentation head; zero-initialised like the original."""

    def __init__(self, agnostic: ClassAgnosticDecoder, num_classes: int) -> None:
        super().__init__()
        self.pyramid = agnostic
        self.head = nn.Conv2d(agnostic.pixel_embedding.in_channels, num_classes, 1)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)
        for unused in (agnostic.pixel_embedding, agnostic.query):
            unused.requires_grad_(False)

    def forward(self, guided: Tensor, fine: Sequence[Tensor], image: Tensor, language: Tensor) -> Tensor:  # noqa: ARG002
        scores: Tensor = self.head(self.pyramid.pixel_features(guided, fine, image))
        return scores


class _HeadTower(ConvolutionalTower):
    """A convolutional tower whose new head is trained too."""

    def tuned_names(self) -> Iterator[str]:
        yield from super().tuned_names()
        yield from (f"head.{name}" for name, _ in self.visual.head.named_parameters())


class _WholeTower(ConvolutionalTower):
    """A convolutional tower of which everything but the batch statistics is trained: there is nothing to keep."""

    def tuned_names(self) -> Iterator[str]:
        for name, module in self.visual.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                yield from (f"{name}.{p}" for p, _ in module.named_parameters(recurse=False))


def _random_tower(vlm: Vlm, data: DataSet, seed: int) -> ClipTower:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        visual = tower_from_reference(vlm.reference).visual
    tower = _rewrapped(_WholeTower, vlm.tower, visual)
    _measure_statistics(tower, data, seed)
    return tower


def _unaligned_tower(vlm: Vlm, seed: int) -> ClipTower:
    visual = copy.deepcopy(vlm.tower.visual)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in visual.head.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.reset_parameters()
    return _rewrapped(_HeadTower, vlm.tower, visual)


def _rewrapped(kind: type[ConvolutionalTower], like: ClipTower, visual: nn.Module) -> ClipTower:
    if not isinstance(like, ConvolutionalTower):
        raise SystemExit("The rows about the tower's start need a convolutional tower such as mini's.")
    return kind(
        visual, mode=like.dense_mode, mean=like.mean.flatten().tolist(), std=like.std.flatten().tolist()
    )


@torch.no_grad()
def _measure_statistics(tower: ClipTower, data: DataSet, seed: int, images: int = 16) -> None:
    """Let an untrained trunk's batch norms see source images, or its maps would fade away from layer to layer."""
    norms = [m for m in tower.visual.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all images
        norm.train()
    for index in np.random.default_rng(seed).integers(len(data.source), size=images):
        image = torch.from_numpy(np.array(data.source[int(index)].image)).movedim(-1, 0)[None].float() / 255
        tower(image)
    tower.eval()


def _random_directions(like: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(like.shape, generator=generator), dim=1).to(like)
