"""What the window is doing, as a state machine that knows nothing of Qt: events and clicks in, a status for people out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from semidavil_core.events import (
    Event,
    ModelChanged,
    Notice,
    Paused,
    Resumed,
    RoundFinished,
    RoundRestored,
    StageProgress,
    StageStarted,
    StepFinished,
)
from semidavil_napari._outcome_words import outcome_in_words


class State(StrEnum):
    """What the window is doing."""

    IDLE = "idle"
    STARTING = "starting"
    PREPARING = "preparing"
    ADAPTING = "adapting"
    PAUSED = "paused"
    STOPPING = "stopping"
    PREDICTING = "predicting"
    SAVING = "saving"
    DOWNLOADING = "downloading"


class Stage(StrEnum):
    """The stages of a job that have a state of their own; other stages only change the sentence."""

    START = "starting the engine"
    PREPARE = "learning from the source"
    ADAPT = "adapting"
    PREDICT = "predicting the images"
    SAVE = "saving the bundle"
    EXPORT = "exporting the predictions"
    COPY = "copying images and strokes"
    DOWNLOAD = "downloading the language model"


_STATE_OF_STAGE: Final = {
    Stage.START: State.STARTING,
    Stage.PREPARE: State.PREPARING,
    Stage.ADAPT: State.ADAPTING,
    Stage.PREDICT: State.PREDICTING,
    Stage.SAVE: State.SAVING,
    Stage.EXPORT: State.PREDICTING,
    Stage.COPY: State.PREDICTING,
    Stage.DOWNLOAD: State.DOWNLOADING,
}
_TRAINING: Final = (State.PREPARING, State.ADAPTING)
_TELLS_THE_REST_AFTER: Final = 3.0  # seconds: before, the guess would jump about


@dataclass(frozen=True)
class Status:
    """A snapshot for the panels."""

    state: State = State.IDLE
    sentence: str = ""
    fraction: float | None = 0.0
    """Share of the present stage, 0 to 1; None where nobody knows."""
    failed: bool = False
    """Whether `sentence` tells of an error."""
    rounds: int = 0
    """Number of the round that finished last; 0 before the first."""
    seconds_left: float | None = None
    """Seconds until the present stage ends, where that can be told."""
    told: tuple[str, ...] = ()
    """What the last round said on its way, and what was said before it in its job; until another begins or another model stands."""

    @property
    def busy(self) -> bool:
        """Whether a job runs; a new one must wait."""
        return self.state is not State.IDLE

    @property
    def can_pause(self) -> bool:
        """Whether Pause (or Resume) does something now."""
        return self.state in (*_TRAINING, State.PAUSED)

    @property
    def can_stop(self) -> bool:
        """Whether Stop does something now."""
        return self.state in (
            State.STARTING, *_TRAINING, State.PAUSED, State.PREDICTING, State.DOWNLOADING
        )  # fmt: skip


@dataclass
class Session:
    """The state machine.

    ::

        IDLE -> STARTING -> [PREPARING] -> ADAPTING <-> PAUSED
                                |             |           |
                                +---------> STOPPING <----+
        ADAPTING, STOPPING -> PREDICTING -> IDLE        IDLE -> STARTING -> SAVING -> IDLE
        any state -> IDLE, when the job ends or fails

    Each method is one thing that happens and returns the new status.
    """

    status: Status = field(default_factory=Status)
    _budget: float = 0.0
    _round: int = 0
    _counts_steps: bool = False
    _training: State = State.PREPARING
    _stage: str = ""
    _total: float = 0.0
    _unit: str = ""
    _before_pause: Status | None = None
    _outcome: str = ""
    _said: tuple[str, ...] = ()
    _in_round: bool = False
    _clock: Callable[[], float] = time.monotonic
    _stage_began: float = 0.0

    def begin(self, sentence: str = "Starting the engine …") -> Status:
        """A job was started."""
        self._outcome, self._said, self._in_round = "", (), False
        return self._set(State.STARTING, sentence, None)

    def happened(self, event: Event) -> Status:
        """The job told of something."""
        match event:
            case StageStarted():
                return self._stage_started(event)
            case StageProgress() if self._total:
                return self._progressed(event)
            case StepFinished():
                left = self._left(event)
                return self._keep(self._step_sentence(event, left), min(1.0, event.fraction), left)
            case Paused() if self.status.state is not State.STOPPING:
                self._before_pause = self.status
                return self._set(State.PAUSED, "Paused. Press Resume to go on, or Stop to end here.")
            case Resumed() if self.status.state is State.PAUSED and self._before_pause is not None:
                return self._set(self._before_pause.state, self._before_pause.sentence)
            case RoundFinished() if event.round > 0:
                return self._round_finished(event)
            case RoundRestored() | ModelChanged():
                self._another_model_stands(event)
            case Notice():
                self._outcome = self._outcome or event.message
                self._note(event.message)
                return self._keep(event.message, self.status.fraction)
        return self.status

    def stop_requested(self) -> Status:
        """A person pressed Stop."""
        if self.status.can_stop:
            return self._set(State.STOPPING, "Stopping at the next step …", None)
        return self.status

    def ended(self, sentence: str = "") -> Status:
        """The job is over and went well; `sentence` where no round told its outcome."""
        return self._set(State.IDLE, sentence or self._outcome or "Stopped.", 0.0)

    def failed(self, sentence: str) -> Status:
        """The job is over with an error."""
        self._set(State.IDLE, sentence, 0.0)
        self.status = replace(self.status, failed=True)
        return self.status

    def _stage_started(self, event: StageStarted) -> Status:
        self._stage, self._total, self._unit = event.stage, event.total, event.unit
        self._stage_began = self._clock()
        state = _STATE_OF_STAGE.get(Stage(event.stage)) if event.stage in set(Stage) else None
        if state is State.ADAPTING:
            self._begin_telling()
        if state in _TRAINING:
            self._budget, self._training, self._counts_steps = event.total, state, event.unit == "steps"
            self._round = event.round
        if self.status.state is State.STOPPING and state is not State.PREDICTING:
            return self.status
        return self._set(
            state or self.status.state, f"{_capital(event.stage)} …", None if event.total == 0 else 0.0
        )

    def _progressed(self, event: StageProgress) -> Status:
        share = min(1.0, event.done / self._total)
        words = f"{_capital(self._stage)}: {event.done:g} of {self._total:g} {self._unit}"
        taken = self._clock() - self._stage_began
        left = taken * (1 - share) / share if share else None
        if left is not None and taken >= _TELLS_THE_REST_AFTER and share < 1:
            words += f", about {in_words(left)} left"
        return self._keep(words, share, left)

    def _left(self, event: StepFinished) -> float:
        """Seconds that training goes on; where steps are counted, as long as they take so far."""
        if not self._counts_steps:
            return max(0.0, self._budget - event.seconds)
        return event.seconds * (1 - event.fraction) / event.fraction if event.fraction else 0.0

    def _step_sentence(self, event: StepFinished, left: float) -> str:
        what = f"Round {self._round}" if self._training is State.ADAPTING else f"First, {Stage.PREPARE}"
        parts = [f"{what}: {in_words(left)} left", f"{event.step} steps"]
        if event.mean_confidence is not None:
            parts.append(f"mean confidence {event.mean_confidence:.2f}")
        return ", ".join(parts)

    def _round_finished(self, event: RoundFinished) -> Status:
        self._outcome = outcome_in_words(event)
        self.status = replace(self.status, rounds=event.round)
        return self._keep(self._outcome, 1.0)

    def _another_model_stands(self, event: RoundRestored | ModelChanged) -> None:
        self.status = replace(self.status, told=())
        if isinstance(event, RoundRestored):
            where = f"after round {event.round}" if event.round else "before the first round"
            self._outcome = f"The model is the one {where} again."
        elif event.goes_on_from:
            self._outcome = f"The model is the one after round {event.goes_on_from} again."

    def _begin_telling(self) -> None:
        """A round begins: what was said before it in its job belongs to it."""
        self._in_round = True
        self.status = replace(self.status, told=self._said)

    def _note(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said = (*self._said, sentence)
        if self._in_round:
            self.status = replace(self.status, told=self._said)

    def _keep(self, sentence: str, fraction: float | None, left: float | None = None) -> Status:
        """New words within the state; while stopping, only the words of stopping stand."""
        if self.status.state is State.STOPPING:
            return self.status
        return self._set(self.status.state, sentence, fraction, left)

    def _set(
        self, state: State, sentence: str, fraction: float | None = -1.0, left: float | None = None
    ) -> Status:
        share = self.status.fraction if fraction == -1.0 else fraction
        self.status = replace(
            self.status, state=state, sentence=sentence, fraction=share, failed=False, seconds_left=left
        )
        return self.status


def in_words(seconds: float) -> str:
    """A duration as people say it: "41 s", "12 min", "3 h 20 min"."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
