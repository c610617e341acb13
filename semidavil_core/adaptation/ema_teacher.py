"""The EMA teacher: an exponential moving average of the student that makes pseudo-labels and predictions."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from semidavil_core.model.segmenter import Segmenter


class EmaTeacher:
    """A frozen average of a student's weights.

    ``theta_T <- a_t theta_T + (1 - a_t) theta_S`` with ``a_t = min(1 - 1 / (t + 1), a_max)`` (SemiDAViL eq. 6; the ramp is UniMatch V2's).

    Parameters
    ----------
    student
        The network to follow.
    updates
        How many updates lie behind, in earlier rounds; a new teacher starts as a copy of the student.
    """

    def __init__(self, student: Segmenter, *, updates: int = 0) -> None:
        self.model = copy.deepcopy(student)
        self.model.requires_grad_(False)
        self.model.eval()
        self.updates = updates

    @torch.no_grad()
    def update(self, student: Segmenter, decay_max: float) -> None:
        """Move the average towards `student`; buffers and frozen weights are shared values and need no averaging."""
        decay = min(1 - 1 / (self.updates + 2), decay_max)
        pairs = [
            (mine, theirs)
            for mine, theirs in zip(self.model.parameters(), student.parameters(), strict=True)
            if theirs.requires_grad
        ]
        averages: list[Tensor] = [mine for mine, _ in pairs]
        torch._foreach_lerp_(averages, [theirs for _, theirs in pairs], 1 - decay)
        self.updates += 1


def decay_for(steps: float, decay_max: float) -> float:
    """The decay whose memory spans a fifth of a round of `steps` updates, at most `decay_max`.

    With 0.999, a teacher would move less than a fifth of the way in 200 steps; a round of a minute has about that many.
    """
    return min(decay_max, max(0.9, 1 - 5 / max(steps, 1)))
