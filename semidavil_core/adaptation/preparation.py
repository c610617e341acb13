"""Source preparation: a segmenter is trained on the labelled source domain, expecting other light."""

from __future__ import annotations

import copy
import time
from collections.abc import Generator

import numpy as np
import torch

from semidavil_core.adaptation.ema_teacher import EmaTeacher, decay_for
from semidavil_core.adaptation.loop import run_steps
from semidavil_core.adaptation.optimisation import Optimisation, mixed_precision, resolve_mode
from semidavil_core.adaptation.schedule import Clock
from semidavil_core.adaptation.step import StepLosses
from semidavil_core.classes import ClassSet
from semidavil_core.control import RunControl
from semidavil_core.data.augmentation import other_light, strong_view
from semidavil_core.data.batches import Crop, CropGeometry, CropStream, crop_side
from semidavil_core.data.domains import Domain, class_counts, labelled_names
from semidavil_core.errors import InvalidLabels
from semidavil_core.events import Event, Notice, RoundFinished
from semidavil_core.losses.contrastive import labels_on_grid, prototype_info_nce
from semidavil_core.losses.dynamic_cross_entropy import dynamic_cross_entropy
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.settings import Budget, Mode, PrepareSettings


def iter_prepare(
    segmenter: Segmenter,
    source: Domain,
    *,
    settings: PrepareSettings,
    budget: Budget,
    control: RunControl | None = None,
    now: Clock = time.monotonic,
) -> Generator[Event, None, Segmenter]:
    """Train `segmenter` on a labelled domain.

    Parameters
    ----------
    segmenter
        Where training starts; it is not changed.
    source
        Labelled images.
    settings, budget
        How and for how long.
    control
        Stop and pause requests.
    now
        Tells the seconds of the budget.

    Raises
    ------
    InvalidLabels
        Nothing in `source` is labelled, or a label is no class.

    Yields
    ------
    Event
        Steps, and last a :class:`RoundFinished` of round 0.

    Returns
    -------
    Segmenter
        The average of the trained weights, in evaluation mode.
    """
    _require_labels(source, segmenter.num_classes)
    trainer = _SourceTrainer(copy.deepcopy(segmenter), source, settings)
    expected = yield from run_steps(trainer.step, budget=budget, control=control or RunControl(), now=now)
    yield RoundFinished(0, expected.reason, expected.steps, expected.seconds)
    return trainer.teacher.model


class _SourceTrainer:
    """State of one preparation; :meth:`step` takes one optimiser step."""

    def __init__(self, student: Segmenter, source: Domain, settings: PrepareSettings) -> None:
        self._settings = settings
        self._student = student.train()
        self._device = student.text.device
        mode = resolve_mode(settings.mode, student, self._device)
        self._optimisation = Optimisation(
            student,
            mode=Mode(mode),
            head_rate=settings.head_rate,
            tower_rate=settings.tower_rate,
            weight_decay=settings.weight_decay,
        )
        self.teacher = EmaTeacher(student)
        self._stream = CropStream(
            source,
            CropGeometry.fitted(
                crop_side(settings.crop, source), source, settings.scale_low, settings.scale_high
            ),
            num_classes=student.num_classes,
            seed=settings.seed,
            rare_temperature=settings.rare_temperature,
        )
        self._rng = np.random.default_rng(settings.seed)

    def step(self, factor: float, _fraction: float, expected_steps: float) -> StepLosses:
        crops = self._stream.on_classes(self._settings.batch)
        images = torch.stack([self._view(crop) for crop in crops]).to(self._device)
        labels = torch.stack([crop.labels for crop in crops]).to(self._device)
        with mixed_precision(self._device):
            features = self._student.encode(images)
            logits = self._student.decode(features, images)
            parts = {
                "source": dynamic_cross_entropy(
                    logits,
                    labels,
                    hard_fraction=self._settings.dyce_hard,
                    balance=self._settings.dyce_balance,
                )
            }
            if self._settings.contrastive:
                guided, _ = self._student.guide(features)
                size = (guided.shape[-2], guided.shape[-1])
                on_grid = labels_on_grid(
                    labels, size, self._student.num_classes, padded_size=features.padded_size
                )
                parts["contrastive"] = self._settings.contrastive * prototype_info_nce(
                    guided, on_grid, self._student.text
                )
        losses = StepLosses(parts, None)
        self._optimisation.apply(losses.total, factor)
        self.teacher.update(self._student, decay_for(expected_steps, 0.999))
        return losses

    def _view(self, crop: Crop) -> torch.Tensor:
        if self._rng.random() >= self._settings.photometric:
            return crop.image
        return (other_light if self._rng.random() < 0.5 else strong_view)(crop.image, self._rng)


def iter_unlabelled(source: Domain, classes: ClassSet) -> Generator[Event, None, tuple[str, ...]]:
    """Tell, and return, the names of the `classes` of which `source` has no label, while it has of others.

    Raises
    ------
    InvalidLabels
        A label is no class.
    """
    labelled = labelled_names(source, classes)
    names = tuple(name for name in classes.names if labelled and name not in labelled)
    if names:
        yield Notice(
            f"The source has no label of {', '.join(names)}: until you paint it, only the language model says where it is."
        )
    return names


def _require_labels(source: Domain, num_classes: int) -> None:
    if not len(source) or not class_counts(source, num_classes).any():
        raise InvalidLabels(
            f"The source domain's {len(source)} images hold no labelled pixel; give a folder with images/ and labels/."
        )
