"""A round between two looks at the strokes: the first one plans it, the second one says what it was worth and how sure to be."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Final

from semidavil_core.adaptation.calibration import fitted_temperature
from semidavil_core.adaptation.forest_lead import ForestLead, forest_lead, is_worth_growing
from semidavil_core.adaptation.held_out import HeldOutStrokes
from semidavil_core.adaptation.held_out_check import Comparison, HeldOutWatch, compare
from semidavil_core.adaptation.labelled_source import labels_by_name
from semidavil_core.adaptation.loop import LoopEnd
from semidavil_core.adaptation.name_hints import NamesSeen, see_names
from semidavil_core.adaptation.round import Learner, Round
from semidavil_core.adaptation.round_history import LearnerState
from semidavil_core.adaptation.round_plan import RoundPlan, plan_round
from semidavil_core.adaptation.round_words import (
    GROWING,
    misnamed_in_words,
    named_in_source_in_words,
    plan_in_words,
)
from semidavil_core.adaptation.schedule import Clock
from semidavil_core.adaptation.step import Kept
from semidavil_core.adaptation.stroke_looks import StrokeLook, look_at_strokes
from semidavil_core.control import GoOn, RunControl
from semidavil_core.data.domains import Domain
from semidavil_core.data.label_maps import Labels, with_more_labels
from semidavil_core.events import Event, FinishReason, HeldOutMeasured, Notice, StepFinished
from semidavil_core.inference.predict import JUDGED
from semidavil_core.model.readout import Readout
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.settings import AdaptSettings, Budget

CHECKED_AT: Final = 2 / 3
"""Share of a round after which the strokes kept aside are measured and then learnt too, where that is wanted."""
SURE: Final = 0.6
"""Confidence of the model before a round from which on its word stays, where the strokes do not tell what it is worth."""
LEARNT: Final = 0.1
"""Share of its own strokes that a round has to get right of a class that was new, or the class counts as not learnt yet."""
_LOOK_SHARE: Final = 0.1  # of the seconds of a round, for each look
_LOOK_AFTER_STOP: Final = 1.0  # seconds
_FOREST_SHARE: Final = 0.25  # of the seconds of a round, for a forest, its trial and its labels


@dataclass(frozen=True)
class RoundResult:
    """What a round did."""

    end: LoopEnd
    before: StrokeLook
    after: StrokeLook
    """Its figures of held-out strokes are from before these were learnt too."""
    learnt_held_out: bool
    """Whether they were, in the end."""
    plan: RoundPlan
    named: Mapping[str, Labels]
    """By source image, the labels that names of new classes gave it."""
    missed: tuple[str, ...]
    """Classes that were new and are not learnt yet, strokes or not."""

    @property
    def compared(self) -> Comparison | None:
        """The figures on held-out strokes; None without any."""
        return compare(self.before.held_out, self.after.held_out, self.after.agreement.by_class)


@dataclass(frozen=True)
class RoundInput:
    """What a round works on."""

    target: Domain
    """Images with all their strokes."""
    source: Domain | None
    held: HeldOutStrokes
    """The strokes that it does not see, or sees last."""
    classes: Sequence[str]
    """Names of all classes."""
    new: Sequence[str] = ()
    """Painted classes that the model has never learnt."""
    unpainted: tuple[int, ...] = ()
    """Indices of the classes that it has learnt and that have no strokes."""
    forest_led: float = 0.0
    """How far a forest on the strokes led the round that the model comes from."""

    @property
    def seen(self) -> Domain:
        """The images with the strokes that the round trains on."""
        return self.held.removed_from(self.target)


class JudgedRound:
    """One round.

    Parameters
    ----------
    learner
        Its networks are trained in place.
    state
        What they were before.
    given
        What it works on.
    settings
        How to train.
    index
        Rounds before this one.
    now
        Tells the seconds.
    """

    def __init__(
        self,
        learner: Learner,
        state: LearnerState,
        given: RoundInput,
        *,
        settings: AdaptSettings,
        index: int,
        now: Clock = time.monotonic,
    ) -> None:
        self._learner = learner
        self._state = state
        self._given = given
        self._settings = settings
        self._index = index
        self._now = now

    def run(
        self,
        budget: Budget,
        control: RunControl,
        *,
        preview_every: float | None = None,
        learn_held_out: bool = False,
    ) -> Generator[Event, None, RoundResult]:
        """Train, and leave the learner where the round ends.

        Parameters
        ----------
        budget
            Seconds or steps; seconds hold the looks at the strokes.
        control
            Stop and pause requests.
        preview_every
            Seconds between previews; None gives none.
        learn_held_out
            Whether the last third of the round learns from the strokes kept aside too, after they were measured.
        """
        began = self._now()
        seconds = budget.seconds if budget.steps is None else inf
        limit = _LOOK_SHARE * seconds
        look = partial(look_at_strokes, target=self._given.target, held=self._given.held, now=self._now)
        before = look(self._teacher, seconds=limit, stopped=lambda: control.stop_requested)
        go_on = self._until(control, began + _FOREST_SHARE * seconds)
        lead = yield from self._lead(before, go_on)
        plan = plan_round(
            self._settings,
            before.agreement,
            new_classes=bool(self._given.new),
            lead=lead.share if lead else 0.0,
        )
        yield Notice(plan_in_words(before.agreement, plan, self._given.new, self._given.classes, lead))
        forest = {} if lead is None or control.stop_requested else lead.labels(self._given.seen, go_on)
        names = yield from self._names(plan, self._until(control, self._now() + limit))
        named = yield from self._in_source(names, self._until(control, self._now() + limit))
        spent = self._now() - began
        yield from _held_out_figure(before, 0, spent)
        training = self._training(plan, forest, names, named)
        watch = HeldOutWatch(before.held_out, self._given.target) if self._given.held.strokes else None
        steps = training.run(
            budget=_rest(budget, spent + before.seconds),
            control=control,
            preview_every=preview_every,
            shown=self._given.target,
            watch=watch,
            spent=spent,
            now=self._now,
        )
        check: StrokeLook | None = None
        if watch is not None and learn_held_out:
            end, check = yield from self._checked(steps, training, watch, plan, partial(look, seconds=limit))
        else:
            end = yield from steps
        self._state.average_into(self._learner, plan.share)
        stopped = end.reason is FinishReason.STOPPED
        after = (
            look(self._teacher, seconds=min(limit, _LOOK_AFTER_STOP) if stopped else limit)
            if end.steps
            else before
        )
        if check is not None:
            after = replace(after, held_out=check.held_out, evidence=check.evidence)
        self._calibrate(end, after, plan)
        yield from _held_out_figure(after, end.steps, end.seconds)
        return RoundResult(end, before, after, check is not None, plan, named, self._missed(after))

    @property
    def _teacher(self) -> Segmenter:
        return self._learner.teacher.model

    def _missed(self, after: StrokeLook) -> tuple[str, ...]:
        """New classes whose own strokes are next to all wrong; one that the look did not come to counts as learnt."""
        right = {self._given.classes[k]: share for k, share in after.agreement.by_class.items()}
        return tuple(name for name in self._given.new if right.get(name, 1.0) < LEARNT)

    def _kept(self, plan: RoundPlan) -> Kept | None:
        """What the model that stands now is to teach the one that comes; None where the strokes speak for all."""
        unpainted = self._given.unpainted
        if not unpainted and not plan.keeps:
            return None
        model = copy.deepcopy(self._teacher).eval().requires_grad_(False)
        return Kept(model, unpainted, SURE if plan.keeps else inf)

    def _lead(self, before: StrokeLook, go_on: GoOn) -> Generator[Event, None, ForestLead | None]:
        """A forest that reads the strokes better than the model, if there is one and it may lead; it is told before it is grown."""
        if not self._settings.forest_lead or not self._settings.labelled_batch:
            return None
        if is_worth_growing(before.agreement, self._given.forest_led):
            yield Notice(GROWING)
        return forest_lead(self._given.seen, before.agreement, self._given.forest_led, go_on)

    def _names(self, plan: RoundPlan, go_on: GoOn) -> Generator[Event, None, NamesSeen | None]:
        """What names say of classes that have nothing else; a person is told whose names fit too much of the others' strokes.

        Nothing is asked where no name is to teach.
        """
        guides, classes = self._learner.guides, self._given.classes
        if not guides.unlearnt or guides.zero_shot is None or not any(phase.names for phase in plan.phases):
            return None
        predictor = self._learner.predictor(JUDGED)
        seen = see_names(predictor, self._given.seen, guides.unlearnt, len(classes), go_on)
        if seen.misnamed:
            yield Notice(misnamed_in_words({k: seen.alarms[k] for k in seen.misnamed}, classes))
        return seen

    def _in_source(
        self, names: NamesSeen | None, go_on: GoOn
    ) -> Generator[Event, None, Mapping[str, Labels]]:
        """Labels of painted new classes in source images that have none of them; a person is told."""
        source = self._given.source
        if names is None or not names.fitting or source is None or not self._settings.source_batch:
            return {}
        found = labels_by_name(
            self._learner.predictor(JUDGED), source, names.fitting, seed=self._settings.seed, go_on=go_on
        )
        if found:
            yield Notice(named_in_source_in_words(found, self._given.classes))
        return found

    def _until(self, control: RunControl, moment: float) -> GoOn:
        return lambda: not control.stop_requested and self._now() < moment

    def _training(
        self,
        plan: RoundPlan,
        forest: Mapping[str, Labels],
        names: NamesSeen | None,
        named: Mapping[str, Labels],
    ) -> Round:
        """The round's training, which does not see the held-out strokes."""
        source = self._given.source
        return Round(
            self._learner,
            target=self._given.seen,
            source=None if source is None else with_more_labels(source, named),
            settings=self._settings,
            index=self._index,
            phases=plan.phases,
            kept=self._kept(plan),
            names=names,
            forest=forest,
        )

    def _checked(
        self,
        steps: Generator[Event, None, LoopEnd],
        training: Round,
        watch: HeldOutWatch,
        plan: RoundPlan,
        look: Callable[[Segmenter], StrokeLook],
    ) -> Generator[Event, None, tuple[LoopEnd, StrokeLook | None]]:
        """Pass the steps on; two thirds through, measure the held-out strokes and give them to the training."""
        check: StrokeLook | None = None
        while True:
            try:
                event = next(steps)
            except StopIteration as stop:
                return stop.value, check
            yield event
            if check is None and isinstance(event, StepFinished) and CHECKED_AT <= event.fraction < 1:
                check = look(self._state.averaged(self._teacher, plan.share))
                yield from _held_out_figure(check, event.step, event.seconds)
                watch.close()
                training.go_on_with(self._given.target)

    def _calibrate(self, end: LoopEnd, after: StrokeLook, plan: RoundPlan) -> None:
        """How to read the model's logits, from how they fit the strokes: it was looked at as sure as the one before."""
        if end.steps:
            temperature = fitted_temperature(after.evidence, self._teacher.readout.temperature)
            unfair = 1 - after.agreement.proportional
            # A forest's labels cover what the classes cover: nothing was learnt as if all were alike.
            prior = plan.representative * unfair * self._settings.image_prior * (1 - plan.forest)
            self._teacher.readout = Readout(temperature, prior)


def _held_out_figure(look: StrokeLook, step: int, seconds: float) -> Iterator[Event]:
    accuracy = look.held_out.accuracy
    if accuracy is not None:
        yield HeldOutMeasured(step, seconds, accuracy)


def _rest(budget: Budget, spent: float) -> Budget:
    """What is left of a budget in seconds for training: at least half."""
    if budget.steps is not None:
        return budget
    return replace(budget, seconds=max(budget.seconds / 2, budget.seconds - spent))
