"""A round on strokes that show few classes, or only where the model is unsure: what they say nothing of outlasts it."""

from __future__ import annotations

import numpy as np
import pytest

from semidavil_core.adaptation.judged_round import JudgedRound
from semidavil_core.export.bundle import Bundle
from semidavil_core.inference.evaluate import drain
from semidavil_core.settings import Budget
from tests.core.tiny_sessions import STROKES_ONLY, session_of


def test_classes_without_strokes_outlast_a_round_on_others(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*, kept: bool) -> float:
        """How much of the class without strokes, and of its probability, a round takes away."""
        if not kept:
            monkeypatch.setattr(JudgedRound, "_kept", lambda *_: None)
        session = session_of(bundle, averaging=1.0, **STROKES_ONLY)
        name = session.target.names[0]
        before = session.predict(name).probabilities
        rarest = int(before.mean((1, 2)).argmax())
        for each in session.target.names:
            labels = session.target.sample(each).labels
            if labels is not None:
                session.set_scribbles(each, np.where(labels == rarest, 255, labels).astype(np.uint8))
        drain(session.adapt(Budget(steps=8)))
        assert session._learner.guides.kept is None
        return float((before - session.predict(name).probabilities)[rarest].mean())

    assert lost(kept=True) < lost(kept=False) - 0.02
