"""The session: what stays between rounds — images, strokes, classes, student and teacher, and the way back."""

from __future__ import annotations

import copy
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semidavil_core.adaptation.editable_domain import EditableDomain, RelabelledDomain
from semidavil_core.adaptation.ema_teacher import EmaTeacher
from semidavil_core.adaptation.loop import LoopEnd
from semidavil_core.adaptation.round import Learner, Round, preview
from semidavil_core.adaptation.step import Guides
from semidavil_core.adaptation.stroke_agreement import StrokeAgreement, stroke_agreement
from semidavil_core.classes import ClassSet
from semidavil_core.control import RunControl
from semidavil_core.data.domains import Domain, check_scribbles, class_counts
from semidavil_core.errors import InvalidInput
from semidavil_core.events import Event, FinishReason, Notice, PreviewReady, RoundFinished
from semidavil_core.export.bundle import Bundle
from semidavil_core.inference.predict import Prediction, Predictor
from semidavil_core.model.from_language import segmenter_from_language
from semidavil_core.settings import AdaptSettings, Budget, PredictSettings
from semidavil_core.vlm.loading import Vlm, load_vlm
from semidavil_core.vlm.text_embeddings import embed_classes


@dataclass(frozen=True)
class RoundRecord:
    """A finished round, and the state it left."""

    round: int
    """Number from 1; 0 is the state before the first round."""
    reason: FinishReason
    steps: int
    seconds: float
    _state: tuple[dict[str, Tensor], dict[str, Tensor], int] = field(repr=False)


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
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        target: Domain | None = None,
        source: Domain | None = None,
        settings: AdaptSettings | None = None,
    ) -> None:
        self._bundle = bundle
        self._classes = bundle.classes
        self._source = source
        self._settings = settings or AdaptSettings()
        self._vlm: Vlm | None = None
        self._learnt = set(bundle.classes.names)
        self.target = EditableDomain(target)
        student = copy.deepcopy(bundle.segmenter)
        self._learner = Learner(student, EmaTeacher(student), Guides())
        self._history = [self._record(0, LoopEnd(FinishReason.BUDGET, 0, 0.0))]

    @property
    def classes(self) -> ClassSet:
        """The present classes."""
        return self._classes

    @property
    def history(self) -> tuple[RoundRecord, ...]:
        """Records of the rounds so far, the state before the first one first."""
        return tuple(self._history)

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

        Source labels follow their class; strokes are indices into the present classes, so set them again if the order changes.

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
        self._learner.guides = Guides()
        self._classes = classes

    def adapt(
        self, budget: Budget, control: RunControl | None = None, *, preview_every: float | None = None
    ) -> Generator[Event, None, LoopEnd]:
        """Run one round on the labels that stand now.

        A round that fails leaves the state from before it; a stopped one keeps what it has learnt.

        Parameters
        ----------
        budget
            Seconds or steps.
        control
            Stop and pause requests.
        preview_every
            Seconds between previews of single images; None gives none.

        Yields
        ------
        Event
            Steps, previews, notices, and last a :class:`RoundFinished`.

        Raises
        ------
        InvalidLabels
            There are no strokes, or strokes of one class only.
        AdaptationFailed
            A step failed.
        """
        target = self.target.snapshot()
        check_scribbles(target, self._classes)
        yield from self._prepare_guides()
        painted = self._painted_names(target)
        agreement = stroke_agreement(self._learner.teacher.model, target)
        boldness = agreement.boldness if painted <= self._learnt else 1.0
        yield Notice(_boldness_in_words(agreement, boldness, sorted(painted - self._learnt)))
        before = self._state()
        training = Round(
            self._learner,
            target=target,
            source=self._labelled_source(),
            settings=self._settings,
            index=len(self._history) - 1,
            boldness=boldness,
        )
        finished = False
        try:
            end = yield from training.run(
                budget=budget, control=control or RunControl(), preview_every=preview_every
            )
            after = stroke_agreement(self._learner.teacher.model, target)
            finished = True
        finally:
            if not finished:  # failed, or whoever listened went away
                self._load_state(before)
        record = self._record(len(self._history), end)
        self._history.append(record)
        self._learnt |= painted
        scores = {
            "stroke_accuracy_before": agreement.class_accuracy,
            "stroke_accuracy_after": after.class_accuracy,
        }
        yield RoundFinished(record.round, end.reason, end.steps, end.seconds, scores)
        return end

    def predict(self, name: str, settings: PredictSettings | None = None) -> Prediction:
        """The teacher's prediction of one target image."""
        return Predictor(self._learner.teacher.model, settings).predict(self.target.sample(name).image)

    def preview(self, name: str) -> PreviewReady:
        """The teacher's prediction of one target image as an event, pseudo-labels included."""
        self.target.sample(name)
        index = self.target.names.index(name)
        return preview(self._learner.teacher.model, self.target, index, self._settings.threshold)

    def bundle(self) -> Bundle:
        """The teacher as a bundle of its own."""
        segmenter = copy.deepcopy(self._learner.teacher.model).eval()
        settings = {**self._bundle.settings, "adapt": self._settings.to_json()}
        return Bundle(segmenter, self._classes, self._bundle.vlm, self._bundle.metrics, settings)

    def restore(self, round_number: int) -> None:
        """Go back to the state after round `round_number` (0: before the first); later rounds stay in the history.

        Raises
        ------
        InvalidInput
            There is no such round.
        """
        found = [r for r in self._history if r.round == round_number]
        if not found:
            known = ", ".join(str(r.round) for r in self._history)
            raise InvalidInput(f"There is no round {round_number}; the rounds are {known}.")
        self._load_state(found[0]._state)

    def _record(self, number: int, end: LoopEnd) -> RoundRecord:
        return RoundRecord(number, end.reason, end.steps, end.seconds, self._state())

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Tensor], int]:
        """Weights of student and teacher without the text matrix, which follows the classes, and the teacher's age."""
        student, teacher = self._learner.student, self._learner.teacher
        return _weights(student), _weights(teacher.model), teacher.updates

    @torch.no_grad()
    def _load_state(self, state: tuple[dict[str, Tensor], dict[str, Tensor], int]) -> None:
        student, teacher, updates = state
        self._learner.student.load_state_dict(student, strict=False)
        self._learner.teacher.model.load_state_dict(teacher, strict=False)
        self._learner.teacher.updates = updates

    def _labelled_source(self) -> Domain | None:
        """The source with its labels, which are indices into the bundle's classes, translated to the present ones."""
        if self._source is None or self._classes.names == self._bundle.classes.names:
            return self._source
        return RelabelledDomain(self._source, self._bundle.classes, self._classes)

    def _painted_names(self, target: Domain) -> set[str]:
        counts = class_counts(target, len(self._classes))
        return {name for name, count in zip(self._classes.names, counts, strict=True) if count}

    def _prepare_guides(self) -> Generator[Event, None, None]:
        """Load the frozen companions that the settings ask for and that still have influence."""
        settings = self._settings
        guides = self._learner.guides
        zero_shot = guides.zero_shot
        if zero_shot is None and (settings.clip_guidance or settings.clip_prior):
            try:
                zero_shot = (
                    segmenter_from_language(self._load_vlm(), self._classes).eval().requires_grad_(False)
                )
            except InvalidInput as error:  # not here, moved, or another model by now
                yield Notice(f"This round runs without zero-shot guidance: {error}")
        source = guides.source
        if source is None and self._source is None and settings.anchor:
            source = copy.deepcopy(self._bundle.segmenter).eval().requires_grad_(False)
            if self._bundle.classes.names != self._classes.names:
                source = None  # it knows other classes
        self._learner.guides = Guides(zero_shot=zero_shot, source=source)

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


def _boldness_in_words(agreement: StrokeAgreement, boldness: float, new: Sequence[str]) -> str:
    found = (
        f"The model agrees with the strokes on {agreement.accuracy:.0%} of their pixels "
        f"({agreement.class_accuracy:.0%} as a mean over the classes)"
    )
    reason = f" and {', '.join(new)} is new to it" if new else ""
    return f"{found}{reason}, so it is changed at {boldness:.0%} of the full learning rate."


def _weights(model: torch.nn.Module) -> dict[str, Tensor]:
    # In main memory: a long history must not fill an accelerator's.
    return {name: t.detach().to("cpu", copy=True) for name, t in model.state_dict().items() if name != "text"}
