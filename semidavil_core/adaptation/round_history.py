"""The rounds of a session: what each left, and the way back to any of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor

from semidavil_core.adaptation.ema_teacher import EmaTeacher
from semidavil_core.adaptation.loop import LoopEnd
from semidavil_core.adaptation.round import Learner
from semidavil_core.errors import InvalidInput
from semidavil_core.events import FinishReason
from semidavil_core.model.readout import Readout
from semidavil_core.model.segmenter import Segmenter

_LANGUAGE: Final = ("text", "context")  # buffers of a segmenter


@dataclass(frozen=True)
class LearnerState:
    """Weights of student and teacher without what language gives, which follows classes and words, and the teacher's age."""

    student: Mapping[str, Tensor]
    teacher: Mapping[str, Tensor]
    updates: int
    readout: Readout
    """Of the teacher."""

    @classmethod
    def of(cls, learner: Learner, like: LearnerState | None = None) -> LearnerState:
        """A copy of the present state; what equals `like`, such as a frozen tower, is shared with it."""
        teacher: EmaTeacher = learner.teacher
        student_before = {} if like is None else like.student
        teacher_before = {} if like is None else like.teacher
        return cls(
            _weights(learner.student, student_before),
            _weights(teacher.model, teacher_before),
            teacher.updates,
            teacher.model.readout,
        )

    @torch.no_grad()
    def load_into(self, learner: Learner) -> None:
        """Give `learner` this state."""
        learner.student.load_state_dict(dict(self.student), strict=False)
        learner.teacher.model.load_state_dict(dict(self.teacher), strict=False)
        learner.teacher.updates = self.updates
        learner.teacher.model.readout = self.readout

    def average_into(self, learner: Learner, share: float) -> None:
        """Leave `learner` at ``this + share (present - this)``, weight by weight, student and teacher.

        Halfway between a model and its fine-tuned self lies one that knows what both know: it is more robust than either (WiSE-FT,
        Wortsman et al., CVPR 2022), and the step of a short round is mostly noise in the directions that its few labels say
        nothing of.

        Parameters
        ----------
        learner
            Trained on from this state.
        share
            0 goes back to this state, 1 keeps what was learnt as it is.
        """
        for network, begun in ((learner.student, self.student), (learner.teacher.model, self.teacher)):
            _move_back(network, begun, share)

    def averaged(self, teacher: Segmenter, share: float) -> Segmenter:
        """A copy of `teacher` as :meth:`average_into` would leave it."""
        model = copy.deepcopy(teacher)
        _move_back(model, self.teacher, share)
        return model


@dataclass(frozen=True)
class RoundRecord:
    """A finished round, and the state it left."""

    round: int
    """Number from 1; 0 is the state before the first round."""
    reason: FinishReason
    steps: int
    seconds: float
    state: LearnerState = field(repr=False)
    scores: Mapping[str, float] = field(default_factory=dict)
    """As in :class:`~semidavil_core.events.RoundFinished`."""
    parent: int = 0
    """Number of the round that this one went on from."""

    def to_json(self) -> dict[str, Any]:
        """The record without the state, as a JSON object."""
        return {
            "round": self.round,
            "reason": str(self.reason),
            "steps": self.steps,
            "seconds": self.seconds,
            "scores": dict(self.scores),
            "parent": self.parent,
        }


class RoundHistory:
    """Records in the order of the rounds, and which state stands.

    Parameters
    ----------
    learner
        The networks; their present state is that before the first round.
    """

    def __init__(self, learner: Learner) -> None:
        self._learner = learner
        self._records = [RoundRecord(0, FinishReason.BUDGET, 0, 0.0, LearnerState.of(learner))]
        self.current = 0
        """Number of the round whose state stands."""

    @property
    def records(self) -> tuple[RoundRecord, ...]:
        """All rounds, the state before the first one first."""
        return tuple(self._records)

    def state(self) -> LearnerState:
        """A copy of the present state."""
        return LearnerState.of(self._learner, self._records[-1].state)

    def add(self, end: LoopEnd, scores: Mapping[str, float]) -> RoundRecord:
        """Record a round that went on from the current state; its own becomes current unless it was restored."""
        record = RoundRecord(
            len(self._records), end.reason, end.steps, end.seconds, self.state(), scores, self.current
        )
        self._records.append(record)
        if end.reason is not FinishReason.RESTORED:
            self.current = record.round
        return record

    def restore(self, number: int) -> None:
        """Go back, or forward again, to the state that round `number` left.

        Raises
        ------
        InvalidInput
            There is no such round.
        """
        found = next((r for r in self._records if r.round == number), None)
        if found is None:
            known = ", ".join(str(r.round) for r in self._records)
            raise InvalidInput(f"There is no round {number}; the rounds are {known}.")
        found.state.load_into(self._learner)
        self.current = number

    def to_json(self) -> dict[str, Any]:
        """The records without their states, and which stands."""
        return {"rounds": [r.to_json() for r in self._records], "current": self.current}


@torch.no_grad()
def _move_back(network: Segmenter, begun: Mapping[str, Tensor], share: float) -> None:
    if share == 1:
        return
    for name, parameter in network.named_parameters():
        if parameter.is_floating_point():
            start = begun[name].to(parameter.device, parameter.dtype)
            parameter.copy_(start.lerp(parameter, share))


def _weights(model: Segmenter, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # In main memory: a long history must not fill an accelerator's.
    weights = {}
    for name, tensor in model.state_dict().items():
        if name not in _LANGUAGE:
            here, before = tensor.detach().to("cpu"), like.get(name)
            same = before is not None and before.shape == here.shape and torch.equal(before, here)
            weights[name] = before if same and before is not None else here.clone()
    return weights
