"""Sentences about the target images join a session's guidance and travel with its bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semidavil_core.adaptation.session import AdaptationSession
from semidavil_core.control import RunControl
from semidavil_core.events import FinishReason
from semidavil_core.export.bundle import Bundle, load_bundle, save_bundle
from semidavil_core.inference.evaluate import drain
from semidavil_core.settings import AdaptSettings, Budget
from semidavil_core.vlm.language_source import ClassPrompts, UserText
from tests.core.tiny_tower import target_domain

WORDS = UserText(("a street by night", "fog"))


def session_of(bundle: Bundle) -> AdaptationSession:
    settings = AdaptSettings(crop=32, head_rate=1e-2)
    return AdaptationSession(bundle, target=target_domain(), settings=settings)


def probabilities(session: AdaptationSession) -> NDArray[np.float32]:
    return session.predict(session.target.names[0]).probabilities


def test_a_trained_model_hears_what_is_said_until_it_is_taken_back(bundle: Bundle) -> None:
    session = session_of(bundle)
    assert session.set_language(WORDS) == ("a street by night", "fog")
    drain(session.adapt(Budget(steps=2)))
    with_words = probabilities(session)
    assert session.set_language(ClassPrompts()) == ()
    assert not np.array_equal(probabilities(session), with_words)


def test_a_bundle_holds_the_words_and_predicts_with_them(bundle: Bundle, tmp_path: Path) -> None:
    session = session_of(bundle)
    session.set_language(WORDS)
    assert drain(session.adapt(Budget(steps=2), RunControl())).reason is FinishReason.BUDGET
    save_bundle(session.bundle(), tmp_path / "adapted")
    again = load_bundle(tmp_path / "adapted")
    assert again.settings["sentences"] == ["a street by night", "fog"]
    np.testing.assert_allclose(
        probabilities(AdaptationSession(again, target=target_domain())), probabilities(session), atol=1e-6
    )


def test_a_captioner_is_asked_about_the_target_images(bundle: Bundle) -> None:
    class Counting:
        seen = 0

        def sentences(self, image: NDArray[np.uint8]) -> tuple[str, ...]:
            self.seen += 1
            return (f"an image of {image.shape[0]} rows",)

    session, captioner = session_of(bundle), Counting()
    said = session.set_language(captioner)
    assert captioner.seen == len(session.target.names)
    assert said
