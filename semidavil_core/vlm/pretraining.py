"""``semidavil pretrain``: align a vision-language model to a modality, from captioned images or from a labelled dataset."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semidavil_core.classes import ClassSet
from semidavil_core.control import RunControl
from semidavil_core.data.domains import Domain
from semidavil_core.errors import AdaptationFailed, InvalidSettings
from semidavil_core.events import (
    Event,
    FinishReason,
    Paused,
    Resumed,
    RoundFinished,
    StageStarted,
    StepFinished,
)
from semidavil_core.settings import Budget, Settings
from semidavil_core.vlm.captioned_images import CaptionedImages
from semidavil_core.vlm.library_errors import short
from semidavil_core.vlm.loading import Vlm
from semidavil_core.vlm.local_folder import check_output, save_local_folder
from semidavil_core.vlm.pretraining_batches import CaptionBatches, RegionBatches
from semidavil_core.vlm.tuned_stages import last_stages


@dataclass(frozen=True)
class PretrainSettings(Settings):
    """Hyper-parameters of contrastive pre-training."""

    batch: int = 16
    """Images per step."""
    learning_rate: float = 1e-4
    """AdamW's, after a short warm-up."""
    weight_decay: float = 0.01
    """AdamW's, on weight matrices only."""
    warm_up: int = 20
    """Steps in which the learning rate rises from 0."""
    pixel_weight: float = 1.0
    """Weight of the dense pixel-text term, where there are labels."""
    region_weight: float = 0.5
    """Weight of the region-text term, where there are labels."""
    whole_tower: bool = False
    """Whether every image parameter is trained, not only the projection and the last stages; the text side never is."""
    seed: int = 0
    """Seeds batches and crops."""

    def __post_init__(self) -> None:
        self._require("batch", 2, 4096)
        self._require("learning_rate", 1e-8, 1)
        self._require("weight_decay", 0, 1)
        self._require("warm_up", 0, 10**5)
        self._require("pixel_weight", 0, 100)
        self._require("region_weight", 0, 100)
        self._require("seed", 0, 2**31)


@dataclass(frozen=True)
class PretrainTask:
    """What to align, with what, and where to put it."""

    vlm: Vlm
    """The model to start from; its image weights are changed in place."""
    out: Path
    """Folder of the new model, for ``local-dir:``."""
    pairs: CaptionedImages | None = None
    """Captioned images."""
    source: Domain | None = None
    """Labelled images; needs `classes`."""
    classes: ClassSet | None = None
    """What the labels mean."""
    settings: PretrainSettings = field(default_factory=PretrainSettings)
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        if self.pairs is None and (self.source is None or self.classes is None):
            raise InvalidSettings(
                "There is nothing to learn from; give captioned images, or labelled images with their classes."
            )


def iter_pretraining(task: PretrainTask, control: RunControl) -> Generator[Event, None, Path]:
    """Train, then write the model's folder; a stop keeps what was learnt so far.

    The loss is the sum of a symmetric InfoNCE over image-caption pairs and, over labelled images, a cross-entropy of every cell and
    of every region's mean against the class prompts.

    Returns
    -------
    Path
        The folder, loadable as ``local-dir:FOLDER``.

    Raises
    ------
    OutputNotWritable
        The folder holds other files, or cannot be written.
    AdaptationFailed
        The memory did not suffice, or the loss is no longer a number; nothing is written.
    """
    check_output(task.out)
    yield StageStarted("aligning images and words", task.budget.steps or task.budget.seconds,
                       "steps" if task.budget.steps else "seconds")  # fmt: skip
    last = yield from _train(task, control)
    save_local_folder(task.vlm, task.out)
    yield last
    return task.out


def _train(task: PretrainTask, control: RunControl) -> Generator[Event, None, RoundFinished]:
    parameters = _tuned(task)
    optimiser = _optimiser(parameters, task.settings)
    sources = _sources(task)
    seconds, step = 0.0, 0
    while not (reason := _reason_to_end(task.budget, control, step, seconds)):
        yield from _hold(control)
        begun = time.monotonic()
        try:
            terms = _step(sources, optimiser, parameters, task.settings, step)
        except (MemoryError, RuntimeError) as error:
            raise AdaptationFailed(
                f"Step {step + 1} with {task.settings.batch} images failed ({short(str(error))}); lower batch."
            ) from error
        step, seconds = step + 1, seconds + time.monotonic() - begun
        fraction = step / task.budget.steps if task.budget.steps else seconds / task.budget.seconds
        yield StepFinished(step, seconds, min(1.0, fraction), sum(terms.values()), terms)
    for parameter in parameters:
        parameter.grad = None
    return RoundFinished(0, reason, step, seconds)


def _reason_to_end(budget: Budget, control: RunControl, step: int, seconds: float) -> str:
    if control.stop_requested:
        return FinishReason.STOPPED.value
    used = step >= budget.steps if budget.steps else seconds >= budget.seconds
    return FinishReason.BUDGET.value if used else ""


def _hold(control: RunControl) -> Iterator[Event]:
    if control.paused:
        yield Paused()
        control.wait_if_paused()
        yield Resumed()


def _step(
    sources: list[CaptionBatches | RegionBatches],
    optimiser: torch.optim.Optimizer,
    parameters: list[nn.Parameter],
    settings: PretrainSettings,
    step: int,
) -> dict[str, float]:
    for group in optimiser.param_groups:
        group["lr"] = settings.learning_rate * min(1.0, (step + 1) / max(1, settings.warm_up))
    optimiser.zero_grad(set_to_none=True)
    terms: dict[str, Tensor] = {}
    for source in sources:
        terms |= source.losses()
    total: Any = torch.stack([*terms.values()]).sum()
    if not torch.isfinite(total):
        raise AdaptationFailed(
            f"The loss became {float(total.detach())} in step {step + 1}, so nothing was saved; lower learning_rate."
        )
    total.backward()
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimiser.step()
    return {name: float(term.detach()) for name, term in terms.items()}


def _sources(task: PretrainTask) -> list[CaptionBatches | RegionBatches]:
    settings = task.settings
    sources: list[CaptionBatches | RegionBatches] = []
    if task.pairs is not None:
        sources.append(CaptionBatches(task.vlm, task.pairs, batch=settings.batch, seed=settings.seed))
    if task.source is not None and task.classes is not None:
        weights = (settings.pixel_weight, settings.region_weight)
        sources.append(
            RegionBatches(
                task.vlm, task.source, task.classes, batch=settings.batch, seed=settings.seed, weights=weights
            )
        )
    return sources


def _tuned(task: PretrainTask) -> list[nn.Parameter]:
    visual = task.vlm.tower.visual
    visual.requires_grad_(False)
    chosen: list[nn.Parameter] = (
        list(visual.parameters()) if task.settings.whole_tower else last_stages(visual)
    )
    for parameter in chosen:
        parameter.requires_grad_(True)
    return chosen


def _optimiser(parameters: list[nn.Parameter], settings: PretrainSettings) -> torch.optim.Optimizer:
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=settings.learning_rate)
