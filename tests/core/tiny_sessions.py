"""Sessions on tiny images, and what can be asked of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from semidavil_core.adaptation.session import AdaptationSession
from semidavil_core.data.domains import Domain, MemoryDomain
from semidavil_core.events import (
    Event,
    Notice,
)
from semidavil_core.export.bundle import Bundle
from semidavil_core.settings import AdaptSettings, Budget
from tests.core.tiny_tower import source_domain, target_domain

TWO_STEPS = Budget(steps=2)
STROKES_ONLY: dict[str, Any] = {"consistency": 0.0, "unlabelled_batch": 0}


def session_of(
    bundle: Bundle, *, source: Domain | bool = True, target: MemoryDomain | None = None, **settings: Any
) -> AdaptationSession:
    chosen = AdaptSettings(
        **{"crop": 32, "head_rate": 1e-2, "pseudo_labels_after": 0, "forest_lead": 0.0, **settings}
    )
    given = None if isinstance(source, bool) else source
    return AdaptationSession(
        bundle,
        target=target or target_domain(),
        source=source_domain() if source is True else given,
        settings=chosen,
    )


def state_of(session: AdaptationSession) -> dict[str, Tensor]:
    """Weights of student and teacher."""
    networks = {"student": session._learner.student, "teacher": session._learner.teacher.model}
    return {
        f"{who}.{n}": t.clone() for who, network in networks.items() for n, t in network.state_dict().items()
    }


def alike(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def told(events: Iterable[Event]) -> Iterator[Event]:
    """What a round tells, apart from sentences for a person."""
    return (event for event in events if not isinstance(event, Notice))


def kinds(events: Iterable[Event]) -> list[type[Event]]:
    return [type(event) for event in told(events)]
