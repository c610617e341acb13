"""The session: what stays between rounds — images, strokes, classes, student and teacher, and the way back."""

from __future__ import annotations

import copy
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.adaptation.editable_domain import EditableDomain, RelabelledDomain
from semidavil_core.adaptation.ema_teacher import EmaTeacher
from semidavil_core.adaptation.held_out import HoldOut
from semidavil_core.adaptation.judged_round import JudgedRound, RoundInput, RoundResult
from semidavil_core.adaptation.labelled_source import LabelledSource
from semidavil_core.adaptation.learnt_classes import LearntClasses
from semidavil_core.adaptation.loop import LoopEnd
from semidavil_core.adaptation.round import Learner, preview_of
from semidavil_core.adaptation.round_history import LearnerState, RoundHistory, RoundRecord
from semidavil_core.adaptation.round_words import (
    ALL_LEARNT,
    TOO_FEW,
    lost_in_words,
    missed_in_words,
    worse_in_words,
)
from semidavil_core.adaptation.schedule import Clock
from semidavil_core.adaptation.step import Guides
from semidavil_core.classes import ClassSet
from semidavil_core.control import RunControl
from semidavil_core.data.domains import Domain, check_scribbles
from semidavil_core.errors import InvalidInput
from semidavil_core.events import Event, FinishReason, Notice, PreviewReady, RoundFinished
from semidavil_core.export.bundle import Bundle
from semidavil_core.export.forest_led import ForestLed
from semidavil_core.inference.predict import PREVIEW, Prediction, Predictor
from semidavil_core.model.from_language import segmenter_from_language
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.settings import AdaptSettings, Budget, PredictSettings
from semidavil_core.vlm.language_source import LanguageSource, sentences_about
from semidavil_core.vlm.loading import Vlm, load_vlm
from semidavil_core.vlm.text_embeddings import embed_classes

_DESCRIBED: Final = 8  # images that sentences are asked about


class AdaptationSession:
    """Rounds of adaptation on one target domain.

    Parameters
    ----------
    bundle
        The model to start from; its weights are copied.
    target
        Target images, some with strokes; None starts empty.
    source
        Labelled source images, whose labels are indices into the bundle's classes; None adapts source-free.
    settings
        How rounds train.
    now
        Tells the seconds of a round; a comparison on a busy machine counts those of the processor.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        target: Domain | None = None,
        source: Domain | None = None,
        settings: AdaptSettings | None = None,
        now: Clock = time.monotonic,
    ) -> None:
        self._bundle = bundle
        self._classes = bundle.classes
        self._source = LabelledSource(source, bundle.classes)
        self._settings = settings or AdaptSettings()
        self._now = now
        self._vlm: Vlm | None = None
        self._sentences: tuple[str, ...] = ()
        self._learnt = LearntClasses(name for name in bundle.classes.names if name not in bundle.unlearnt)
        self.target = EditableDomain(target)
        student = copy.deepcopy(bundle.segmenter)
        self._learner = Learner(student, EmaTeacher(student), Guides())
        self._hold_out = HoldOut(self._settings.seed)
        self._history = RoundHistory(self._learner)
        if bundle.unlearnt:
            # Without the vision-language model on this machine the trained one speaks alone.
            with suppress(InvalidInput):
                self._note_unlearnt()

    @property
    def classes(self) -> ClassSet:
        """The present classes."""
        return self._classes

    @property
    def history(self) -> tuple[RoundRecord, ...]:
        """Records of the rounds so far, the state before the first one first."""
        return self._history.records

    @property
    def current(self) -> int:
        """Number of the round whose state stands."""
        return self._history.current

    def history_to_json(self) -> dict[str, Any]:
        """The rounds without their states, and which stands: ``{rounds, current}``."""
        return self._history.to_json()

    def set_image(self, name: str, image: NDArray[np.uint8]) -> None:
        """Add or replace a target image (H, W, 3) uint8."""
        self.target.set_image(name, image)

    def remove_image(self, name: str) -> None:
        """Forget a target image and its strokes."""
        self.target.remove(name)

    def set_scribbles(self, name: str, labels: NDArray[np.uint8] | None) -> None:
        """Replace the strokes (H, W) uint8 class indices, 255 = unlabelled, of one target image."""
        self.target.set_labels(name, labels)

    def set_classes(self, classes: ClassSet) -> None:
        """Replace the class set: only rows of the text matrix change, so a new class is predicted at once.

        Source labels and strokes follow their class, moved or renamed (:meth:`~semidavil_core.classes.ClassSet.positions_in`);
        strokes of a class that is no more are forgotten, so set them again if it comes back. Earlier rounds can still be restored.

        Raises
        ------
        WeightsUnavailable
            The vision-language model is not on this machine.
        InvalidBundle
            The model of that name is another one than the bundle was made with.
        """
        if classes == self._classes:
            return
        text = embed_classes(self._load_vlm().text, classes)
        self._learner.student.set_text(text)
        self._learner.teacher.model.set_text(text)
        places = self._classes.positions_in(classes)
        self._learnt.follow(self._classes, classes)
        if places != tuple(range(len(places))):  # else every stroke stands for the class that it stood for
            self.target = EditableDomain(RelabelledDomain(self.target.snapshot(), self._classes, classes))
        self._classes = classes
        self._learner.guides = Guides()
        self._note_unlearnt()

    def set_language(self, source: LanguageSource) -> tuple[str, ...]:
        """Let sentences about the target join the guidance, as keys and values beside the classes; they follow from now on.

        Parameters
        ----------
        source
            Is asked about some 8 target images, evenly chosen; what it says of them stands for the whole domain. One that says
            nothing leaves the class names alone.

        Returns
        -------
        tuple of str
            The sentences.

        Raises
        ------
        WeightsUnavailable
            The vision-language model is not on this machine.
        """
        target = self.target.snapshot()
        chosen = range(0, len(target), max(1, -(-len(target) // _DESCRIBED)))
        sentences = sentences_about(source, (target[i].image for i in chosen))
        context = self._load_vlm().text(sentences) if sentences else None
        for model in (self._learner.student, self._learner.teacher.model):
            model.set_context(context)
        self._sentences = sentences
        return sentences

    def adapt(
        self,
        budget: Budget,
        control: RunControl | None = None,
        *,
        preview_every: float | None = None,
        hold_out: float = 0.0,
        keep_better: bool = False,
        learn_held_out: bool = False,
    ) -> Generator[Event, None, LoopEnd]:
        """Run one round on the labels that stand now.

        A round that fails leaves the state from before it; a stopped one keeps what it has learnt.

        Parameters
        ----------
        budget
            Seconds or steps; seconds hold a look at the strokes before the first step and one after the last.
        control
            Stop and pause requests.
        preview_every
            Seconds between previews of single images; None gives none.
        hold_out
            Share of each class's painted pixels, 0 to 0.5, that the round does not see and is measured on. What was held out once is
            held out in later rounds too.
        learn_held_out
            Whether the last third of the round learns from these strokes too, after they were measured; for the last round of all.
        keep_better
            Whether to go back by itself if the round got worse on the held-out strokes.

        Yields
        ------
        Event
            Steps, previews, notices, and last a :class:`RoundFinished`.

        Raises
        ------
        InvalidInput
            `hold_out` is out of range.
        InvalidLabels
            There are no strokes, or strokes of one class only.
        AdaptationFailed
            A step failed.
        """
        if not 0 <= hold_out <= 0.5:
            raise InvalidInput(f"The share of strokes to hold out is {hold_out!r}; allowed are 0 to 0.5.")
        control = control or RunControl()
        target = self.target.snapshot()
        painted = set(check_scribbles(target, self._classes))
        held = self._hold_out.choose(target, hold_out)
        if hold_out and not held.strokes:
            yield Notice(ALL_LEARNT if self.current else TOO_FEW)
        known = self._learnt.after(self.current)
        yield from self._prepare_guides()
        given = RoundInput(
            target,
            self._source.seen_with(self._classes),
            held,
            self._classes.names,
            sorted(painted - known),
            tuple(k for k, name in enumerate(self._classes.names) if name in known - painted),
            self._forest_lead() if self.current else self._bundle.forest_led.on(target),
        )
        with self._undone_by_failure() as state:
            judged = JudgedRound(
                self._learner,
                state,
                given,
                settings=self._settings,
                index=len(self.history) - 1,
                now=self._now,
            )
            result = yield from judged.run(
                budget, control, preview_every=preview_every, learn_held_out=learn_held_out
            )
        self._hold_out.trained(all_of_it=result.learnt_held_out)
        return (yield from self._conclude(result, state, painted, keep_better=keep_better))

    @contextmanager
    def _undone_by_failure(self) -> Iterator[LearnerState]:
        """Give the present state, and go back to it if what follows fails or whoever listens goes away."""
        state = self._history.state()
        try:
            yield state
        except BaseException:
            state.load_into(self._learner)
            raise

    def _conclude(
        self, result: RoundResult, state: LearnerState, painted: set[str], *, keep_better: bool
    ) -> Generator[Event, None, LoopEnd]:
        """Judge a round by its held-out strokes, record it, and tell its end."""
        end, compared = result.end, result.compared
        worse = compared is not None and compared.worse
        if worse and keep_better:
            end = replace(end, reason=FinishReason.RESTORED)
        scores = {
            "stroke_accuracy_before": result.before.agreement.class_accuracy,
            "stroke_accuracy_after": result.after.agreement.class_accuracy,
            "strokes_first": result.plan.strokes_first,
            "forest_lead": result.plan.forest,
            "image_prior": self._learner.teacher.model.readout.image_prior,
            **(compared.scores(self._classes.names) if compared is not None else {"held_out_strokes": 0.0}),
        }
        record = self._history.add(end, scores)
        self._source.add(result.named, self._classes)
        if end.reason is FinishReason.RESTORED:
            state.load_into(self._learner)
        self._learnt.learn(record.round, record.parent, painted.difference(result.missed))
        self._note_unlearnt()
        if result.missed:
            yield Notice(missed_in_words(result.missed))
        if worse and compared is not None:
            yield Notice(worse_in_words(compared, record))
        elif compared is not None and compared.lost:
            yield Notice(lost_in_words(compared, record, self._classes.names))
        yield RoundFinished(record.round, end.reason, end.steps, end.seconds, scores)
        return end

    def predict(self, name: str, settings: PredictSettings | None = None) -> Prediction:
        """The teacher's prediction of one target image."""
        return self.predictor(settings).predict(self.target.sample(name).image)

    def predictor(self, settings: PredictSettings | None = None) -> Predictor:
        """Predicts any image as the teacher does; the untouched model speaks for classes that nothing taught yet.

        Such classes come from :meth:`set_classes`, and stop being so with the first round that learns them from strokes.
        """
        return self._learner.predictor(settings)

    def preview(self, name: str) -> PreviewReady:
        """The teacher's prediction of one target image as an event, pseudo-labels included."""
        return self.preview_of(name, self.predict(name, PREVIEW))

    def preview_of(self, name: str, predicted: Prediction) -> PreviewReady:
        """The event that shows what :meth:`predict` said of one target image."""
        temperature = self._learner.teacher.model.readout.temperature
        return preview_of(
            self.target.sample(name), predicted, self._settings.threshold, temperature=temperature
        )

    def bundle(self) -> Bundle:
        """The teacher as a bundle of its own."""
        segmenter = copy.deepcopy(self._learner.teacher.model).eval()
        settings = {**self._bundle.settings, "adapt": self._settings.to_json()}
        if self._sentences:
            settings["sentences"] = list(self._sentences)
        unlearnt = tuple(self._classes.names[k] for k in self._unlearnt())
        metrics, led = self._bundle.metrics, self._bundle.forest_led
        if self.current:
            led = ForestLed.of(self._forest_lead(), self.target)
        return Bundle(segmenter, self._classes, self._bundle.vlm, metrics, settings, unlearnt, led)

    def restore(self, round_number: int) -> None:
        """Go back to the state after round `round_number` (0: before the first); later rounds stay in the history.

        Raises
        ------
        InvalidInput
            There is no such round.
        """
        self._history.restore(round_number)
        self._note_unlearnt()

    def _unlearnt(self) -> tuple[int, ...]:
        """Classes that no round has learnt from strokes; in the first that has some, the untouched model still teaches them too."""
        return self._learnt.unlearnt(self.current, self._classes)

    def _forest_lead(self) -> float:
        """How far a forest on the strokes led the round that stands now."""
        return self._history.records[self.current].scores.get("forest_lead", 0.0)

    def _note_unlearnt(self) -> None:
        """Let the untouched model speak for the classes that the model that stands now never learnt."""
        guides, unlearnt = self._learner.guides, self._unlearnt()
        zero_shot = self._untouched() if unlearnt and guides.zero_shot is None else guides.zero_shot
        self._learner.guides = replace(guides, zero_shot=zero_shot, unlearnt=unlearnt)

    def _untouched(self) -> Segmenter:
        """The vision-language model alone over the present classes."""
        return segmenter_from_language(self._load_vlm(), self._classes).eval().requires_grad_(False)

    def _prepare_guides(self) -> Generator[Event, None, None]:
        """Load the frozen companions that the settings ask for and that still have influence."""
        settings = self._settings
        guides = self._learner.guides
        zero_shot = guides.zero_shot
        if zero_shot is None and (settings.clip_guidance or settings.clip_prior):
            try:
                zero_shot = self._untouched()
            except InvalidInput as error:  # not here, moved, or another model by now
                yield Notice(f"This round runs without zero-shot guidance: {error}")
        source = guides.source
        if source is None and not self._source and settings.anchor:
            source = copy.deepcopy(self._bundle.segmenter).eval().requires_grad_(False)
            if self._bundle.classes.names != self._classes.names:
                source = None  # it knows other classes
        self._learner.guides = Guides(zero_shot, source, self._unlearnt())

    def _load_vlm(self) -> Vlm:
        if self._vlm is None:
            device = self._learner.student.text.device
            reference = self._bundle.vlm
            vlm = load_vlm(
                reference.spec, device=device, dense_mode=reference.dense_mode, allow_download=False
            )
            reference.check_same_weights(vlm.reference)
            self._vlm = vlm
        return self._vlm
