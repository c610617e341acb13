"""Turn features of an ImageNet trunk into the joint space: every place of an image lands near its class's name.

Two teachers, neither of them a photograph: rendered scenes whose every pixel has a name, and the trunk's own
classifier, whose thousand rows have names too. The second keeps the first from forgetting everything but streets.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from semidavil_core.vlm.mini.rendered_features import LabelledFeatures

log = logging.getLogger(__name__)

_LARGEST_FEATURE = 6.0  # the trunk ends in ReLU6
_POOL = 60_000
_MOST_SYNONYMS = 4


@dataclass(frozen=True)
class AlignmentSettings:
    """How the image head is trained.

    Attributes
    ----------
    steps : int
        Optimiser steps.
    batch_size : int
        Places per data set and step.
    learning_rate : float
        Peak of a one-cycle schedule (AdamW).
    scale : float
        Factor of the cosines inside the softmax; also what `mini` stores as its logit scale.
    distractors : int
        Names of other things among which a place must find its own.
    too_like : float
        A distractor whose cosine with any name of the scene exceeds this is left out: it might be right.
    balance : float
        Classes are drawn as frequency ** (1 - balance).
    push : float
        How far, at most, a feature is moved towards a classifier row before the classifier is asked.
    distillation : float
        Weight of the classifier's say.
    jitter : float
        Length of a random step that moves every name before it is used, so that near names work as well.
    seed : int
        Seed of everything drawn.
    """

    steps: int = 1200
    batch_size: int = 768
    learning_rate: float = 1e-3
    scale: float = 30.0
    distractors: int = 128
    too_like: float = 0.5
    balance: float = 0.7
    push: float = 16.0
    distillation: float = 20.0
    jitter: float = 0.2
    seed: int = 0


@dataclass(frozen=True)
class Classifier:
    """The trunk's ImageNet classifier and the names of its classes.

    Attributes
    ----------
    weight, bias : torch.Tensor
        (1000, C) and (1000,) float32.
    names : torch.Tensor
        (1000, D) float32 unit embeddings of the class names.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    names: torch.Tensor

    def expected_names(self, features: torch.Tensor) -> torch.Tensor:
        """Return (N, D): the mean name under the classifier's belief (ConSE, Norouzi et al. 2014), centred."""
        belief = F.linear(features, self.weight, self.bias).softmax(-1)
        return belief @ (self.names - self.names.mean(0))

    def directions(self) -> torch.Tensor:
        """Return (1000, C) unit rows: where to go for more of a class than of all others."""
        return F.normalize(self.weight - self.weight.mean(0), dim=-1)


@dataclass(frozen=True)
class NamedFeatures:
    """Rendered places together with the embedded names of their classes.

    Attributes
    ----------
    scenes : LabelledFeatures
        The places.
    names : tuple[tuple[torch.Tensor, ...], ...]
        For each class and each of its own names, (P, D) unit rows: the name in P prompts.
    other_names : tuple[tuple[torch.Tensor, ...], ...]
        The same for further names of each class; they are drawn half of the time.
    """

    scenes: LabelledFeatures
    names: tuple[tuple[torch.Tensor, ...], ...]
    other_names: tuple[tuple[torch.Tensor, ...], ...]

    def draw_names(self, rng: random.Random) -> torch.Tensor:
        """Return (K, D) unit rows: the mean of some synonyms of each class, each in two of its prompts.

        Single names alone would not do: a mean of unlike synonyms, made a unit vector again, is longer than each of
        them in the direction of a feature that has to please all, and so outdoes classes with one name.
        """
        rows = [
            _some_mean(names if rng.random() < 0.5 else names + others, rng)
            for names, others in zip(self.names, self.other_names, strict=True)
        ]
        return F.normalize(torch.stack(rows), dim=-1)

    def all_names(self) -> torch.Tensor:
        """Return (M, D): every name in every prompt."""
        return torch.cat(
            [rows for group in (self.names, self.other_names) for names in group for rows in names]
        )

    def draw_weights(self, balance: float) -> torch.Tensor:
        """Return (N,) weights with which places are drawn, so that rare classes are seen."""
        frequency = self.scenes.shares.mean(0).clamp(min=1e-3)
        return (self.scenes.shares / frequency**balance).sum(1)


def align(
    head: nn.Module,
    first: nn.Linear,
    data: Sequence[NamedFeatures],
    classifier: Classifier,
    distractors: torch.Tensor,
    settings: AlignmentSettings,
) -> None:
    """Train `head` in place.

    Parameters
    ----------
    head : nn.Module
        (N, C) features to (N, D), any length.
    first : nn.Linear
        Its first layer, which is started so that it sees features about their mean.
    data : Sequence[NamedFeatures]
        Rendered places.
    classifier : Classifier
        What keeps the rest of the world.
    distractors : torch.Tensor
        (M, D) unit embeddings of many nouns.
    settings : AlignmentSettings
        See there.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    pool = _pool([named.scenes.features for named in data], generator)
    _centre(first, pool.float())
    losses = _Losses(data, classifier, distractors, pool, settings, generator)
    optimiser = torch.optim.AdamW(head.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.steps, pct_start=0.05
    )
    for step in range(settings.steps):
        rendered, distilled = losses.rendered(head), losses.distilled(head)
        optimiser.zero_grad(set_to_none=True)
        (rendered + settings.distillation * distilled).backward()
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            log.info("image step %d: scenes %.3f, classifier %.3f", step, rendered.item(), distilled.item())


class _Losses:
    """The two terms, with what they draw from."""

    def __init__(
        self,
        data: Sequence[NamedFeatures],
        classifier: Classifier,
        distractors: torch.Tensor,
        pool: torch.Tensor,
        settings: AlignmentSettings,
        generator: torch.Generator,
    ) -> None:
        self._data = [
            (
                named,
                named.draw_weights(settings.balance),
                _unlike(distractors, named.all_names(), settings.too_like),
            )
            for named in data
        ]
        self._classifier, self._directions = classifier, classifier.directions()
        self._pool, self._settings, self._generator = pool, settings, generator
        self._rng = random.Random(settings.seed)

    def rendered(self, head: nn.Module) -> torch.Tensor:
        """Cross-entropy between the classes in a cell and the softmax over their names and distractors."""
        return torch.stack([self._scene_term(head, *entry) for entry in self._data]).sum()

    def _scene_term(
        self, head: nn.Module, named: NamedFeatures, weights: torch.Tensor, others: torch.Tensor
    ) -> torch.Tensor:
        settings = self._settings
        places = torch.multinomial(weights, settings.batch_size, replacement=True, generator=self._generator)
        embedded = F.normalize(head(named.scenes.features[places].float()), dim=-1)
        chosen = others[torch.randint(len(others), (settings.distractors,), generator=self._generator)]
        names = named.draw_names(self._rng)
        texts = self._near(torch.cat([names, chosen]))
        logits = settings.scale * embedded @ texts.T
        return -(named.scenes.shares[places] * logits.log_softmax(-1)[:, : len(names)]).sum(1).mean()

    def _near(self, texts: torch.Tensor) -> torch.Tensor:
        step = F.normalize(torch.randn(texts.shape, generator=self._generator), dim=-1)
        return F.normalize(texts + self._settings.jitter * step, dim=-1)

    def distilled(self, head: nn.Module) -> torch.Tensor:
        """Cosine distance to the classifier's expected name at features pushed towards random classes."""
        count = self._settings.batch_size
        start = self._pool[torch.randint(len(self._pool), (count,), generator=self._generator)].float()
        rows = torch.randint(len(self._directions), (count,), generator=self._generator)
        keep, push = torch.rand(2, count, 1, generator=self._generator)
        moved = start * keep + self._settings.push * push * self._directions[rows]
        moved = moved.clamp(0, _LARGEST_FEATURE)
        return 1 - F.cosine_similarity(head(moved), self._classifier.expected_names(moved), dim=-1).mean()


def _some_mean(synonyms: Sequence[torch.Tensor], rng: random.Random) -> torch.Tensor:
    chosen = rng.sample(synonyms, k=rng.randint(1, min(_MOST_SYNONYMS, len(synonyms))))
    rows = [F.normalize(rows[rng.choices(range(len(rows)), k=2)].mean(0), dim=0) for rows in chosen]
    return torch.stack(rows).mean(0)


def _pool(features: Sequence[torch.Tensor], generator: torch.Generator) -> torch.Tensor:
    shares = [
        rows[torch.randperm(len(rows), generator=generator)[: _POOL // len(features)]] for rows in features
    ]
    return torch.cat(shares)


@torch.no_grad()
def _centre(first: nn.Linear, features: torch.Tensor) -> None:
    """Start the first layer with unit-size outputs about the mean feature."""
    mean = features.mean(0)
    spread = (features - mean).norm(dim=1).mean()
    first.weight.normal_(std=1 / float(spread))
    first.bias.copy_(-(first.weight @ mean))


def _unlike(distractors: torch.Tensor, names: torch.Tensor, limit: float) -> torch.Tensor:
    return distractors[(distractors @ names.T).amax(1) < limit]
