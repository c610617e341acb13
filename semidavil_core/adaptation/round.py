"""One round of adaptation, read as prose: draw a batch, step the student, let the teacher follow, show what it sees."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from semidavil_core.adaptation.ema_teacher import EmaTeacher, decay_for
from semidavil_core.adaptation.features import FeatureCache
from semidavil_core.adaptation.held_out_check import HeldOutWatch
from semidavil_core.adaptation.loop import LoopEnd, run_steps
from semidavil_core.adaptation.name_hints import NamesSeen, with_hints
from semidavil_core.adaptation.optimisation import Optimisation, mixed_precision, resolve_mode
from semidavil_core.adaptation.round_plan import PhasePlan
from semidavil_core.adaptation.schedule import Clock, annealed
from semidavil_core.adaptation.step import AdaptationStep, Guides, Kept, StepLosses
from semidavil_core.adaptation.step_batch import BatchMaker
from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.control import RunControl
from semidavil_core.data.batches import CropGeometry, CropStream, crop_side
from semidavil_core.data.domains import Domain, Sample
from semidavil_core.data.label_maps import Labels, with_more_labels
from semidavil_core.events import Event, PreviewReady, StepFinished
from semidavil_core.inference.predict import PREVIEW, Prediction, Predictor
from semidavil_core.inference.unlearnt import UnlearntPredictor
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.settings import AdaptSettings, Budget, Mode, PredictSettings


@dataclass
class Learner:
    """The networks of a session."""

    student: Segmenter
    teacher: EmaTeacher
    guides: Guides

    def predictor(self, settings: PredictSettings | None = None) -> Predictor:
        """Predicts as the teacher does; the untouched model speaks for classes that nothing taught yet."""
        zero_shot, unlearnt = self.guides.zero_shot, self.guides.unlearnt
        if zero_shot is None or not unlearnt:
            return Predictor(self.teacher.model, settings)
        return UnlearntPredictor(self.teacher.model, settings, zero_shot=zero_shot, unlearnt=unlearnt)


@dataclass(frozen=True)
class _Phase:
    """What steps are taken on, and how."""

    plan: PhasePlan
    batches: BatchMaker
    step: AdaptationStep


class Round:
    """One round on the labels that stand when it begins.

    Parameters
    ----------
    learner
        Its networks are trained in place.
    target
        Target images, some with strokes; must not change while the round runs.
    source
        Labelled source images; None adapts source-free.
    settings
        How to train.
    index
        Rounds before this one.
    phases
        When it trains how; all the same with `settings` by default.
    kept
        What the model before is to teach where no stroke does.
    names
        What the names of classes that nothing taught yet say of the images.
    forest
        By image, (H, W) labels that stand beside the strokes in phases that ask for them.
    """

    def __init__(
        self,
        learner: Learner,
        *,
        target: Domain,
        source: Domain | None,
        settings: AdaptSettings,
        index: int,
        phases: Sequence[PhasePlan] = (),
        kept: Kept | None = None,
        names: NamesSeen | None = None,
        forest: Mapping[str, Labels] | None = None,
    ) -> None:
        student = learner.student.train()
        device = student.text.device
        mode = resolve_mode(settings.mode, student, device)
        self._learner = learner
        self._target = target
        self._source = source
        self._settings = settings
        self._index = index
        self._plans = tuple(phases) or (PhasePlan(0.0, settings, names=settings.consistency > 0),)
        self._guides = replace(learner.guides, kept=kept)
        self._hints = {} if names is None else names.hints
        self._proven = () if names is None else names.proven
        self._forest = forest or {}
        self._device = device
        self._optimisation = Optimisation(
            student,
            mode=mode,
            head_rate=settings.head_rate,
            tower_rate=settings.tower_rate,
            weight_decay=settings.weight_decay,
        )
        self._views = settings.cached_views if mode is Mode.CACHED else None
        self._crop = crop_side(settings.crop, target)  # source and target crops share a batch
        self._phases = self._make_phases(target, 0)
        self._taken = 0

    def _make_phases(self, target: Domain, number: int) -> list[_Phase]:
        """All phases on these labels; `number` tells those of one round apart, so that no crop is drawn twice.

        Where crops lie depends on the labels, so features that are kept are kept for these labels only.
        """
        source = None if self._source is None else self._stream(self._source, 1, number)
        hinted = with_hints(target, self._hints)
        seen = {False: hinted, True: with_more_labels(target, self._forest)}
        drawn = {forest: self._stream(domain, 2, number) for forest, domain in seen.items()}
        caches = {
            forest: None if self._views is None else FeatureCache(self._learner.student) for forest in seen
        }
        return [
            _Phase(
                plan,
                BatchMaker(
                    source=source, target=drawn[plan.forest], settings=plan.settings, device=self._device
                ),
                AdaptationStep(
                    student=self._learner.student,
                    teacher=self._learner.teacher.model,
                    guides=self._guides,
                    settings=plan.settings,
                    cache=caches[plan.forest],
                    rng=np.random.default_rng((plan.settings.seed, self._index, 3 + number)),
                    proven=self._proven if plan.names else (),
                ),
            )
            for plan in self._plans
        ]

    def go_on_with(self, target: Domain) -> None:
        """Train on these labels of the same images from the next step on."""
        self._target = target
        self._phases = self._make_phases(target, 1)

    def run(
        self,
        *,
        budget: Budget,
        control: RunControl,
        preview_every: float | None = None,
        shown: Domain | None = None,
        watch: HeldOutWatch | None = None,
        spent: float = 0.0,
        now: Clock = time.monotonic,
    ) -> Generator[Event, None, LoopEnd]:
        """Train for `budget`.

        Parameters
        ----------
        budget
            Seconds or steps.
        control
            Stop and pause requests.
        preview_every
            Seconds between two looks of the teacher at one image after another; None shows none.
        shown
            The target images with all strokes, for these looks.
        watch
            Measures the teacher on held-out strokes while it learns.
        spent
            Seconds that the round took before its first step.
        now
            Tells the seconds of the budget.
        """
        previews = self._previews(shown or self._target)
        last = time.monotonic()
        steps = run_steps(self._take_step, budget=budget, control=control, spent=spent, now=now)
        while True:
            try:
                event = next(steps)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            yield event
            if preview_every is not None and time.monotonic() - last >= preview_every:
                seen = next(previews)
                if watch is not None:
                    watch.saw(seen.image, seen.prediction)
                yield seen
                last = time.monotonic()
            if watch is not None and isinstance(event, StepFinished):
                yield from watch.look(self._learner.teacher.model, event.step, event.seconds)

    def _take_step(self, factor: float, fraction: float, expected_steps: float) -> StepLosses:
        fade = annealed(self._index, fraction)
        phase = next(
            p for p in reversed(self._phases) if p.plan.begins <= fraction and p.plan.after <= self._taken
        )
        self._taken += 1
        with mixed_precision(self._device):
            losses = phase.step.losses(phase.batches.draw(), fade=fade)
        self._optimisation.apply(losses.total, factor)
        teacher, student = self._learner.teacher, self._learner.student
        teacher.update(student, decay_for(expected_steps, self._settings.decay_max))
        return losses

    def _previews(self, target: Domain) -> Iterator[PreviewReady]:
        """The target images over and over, those with strokes first: they are what a person looks at."""
        painted = [i for i in range(len(target)) if target[i].labels is not None]
        order = painted + sorted(set(range(len(target))) - set(painted))
        while True:
            for index in order:
                yield preview(self._learner, target, index, self._settings.threshold)

    def _stream(self, domain: Domain, salt: int, number: int) -> CropStream:
        settings = self._settings
        fresh = 10 * self._index + 1_000_000 * number
        return CropStream(
            domain,
            CropGeometry.fitted(self._crop, domain, settings.scale_low, settings.scale_high),
            num_classes=self._learner.student.num_classes,
            # Kept views are the same in every round; fresh crops should not repeat those of the round before.
            seed=settings.seed * 1000 + salt + (0 if self._views is not None else fresh),
            views=self._views,
            rare_temperature=settings.rare_temperature,
        )


def preview(learner: Learner, target: Domain, index: int, threshold: float) -> PreviewReady:
    """What the teacher sees in one target image, with the pseudo-labels that it is sure of, and a person's strokes."""
    sample = target[index]
    predicted = learner.predictor(PREVIEW).predict(sample.image)
    return preview_of(sample, predicted, threshold, temperature=learner.teacher.model.readout.temperature)


def preview_of(
    sample: Sample, predicted: Prediction, threshold: float, *, temperature: float = 1.0
) -> PreviewReady:
    """The event that shows a prediction of `sample`, made through `temperature`.

    The teacher teaches as sure as it is without, and without regard to what else the image shows.
    """
    taught = (predicted.probabilities / predicted.class_weights[:, None, None]) ** temperature
    sure = taught.max(0) >= threshold * taught.sum(0)
    pseudo = np.where(sure, taught.argmax(0), IGNORE_INDEX).astype(np.uint8)
    if sample.labels is not None:
        pseudo = np.where(sample.labels != IGNORE_INDEX, sample.labels, pseudo)
    return PreviewReady(sample.name, predicted.labels, predicted.confidence, pseudo)
