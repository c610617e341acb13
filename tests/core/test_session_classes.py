"""Classes come, go, move and are renamed while a session lives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from semidavil_core.classes import ClassSet
from semidavil_core.events import (
    Notice,
)
from semidavil_core.export.bundle import Bundle
from semidavil_core.inference.evaluate import drain
from semidavil_core.settings import Budget
from tests.core.tiny_sessions import STROKES_ONLY, TWO_STEPS, session_of
from tests.core.tiny_tower import CLASSES, scene, source_domain, strokes


def test_a_class_is_added_by_name_without_a_new_parameter_and_without_touching_the_others(
    bundle: Bundle,
) -> None:
    session = session_of(bundle)
    student = session._learner.student
    shapes = {n: p.shape for n, p in student.named_parameters()}
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        before = student(image)
    session.set_classes(CLASSES.with_class("fence"))
    with torch.no_grad():
        after = student(image)
    assert after.shape[1] == 4
    torch.testing.assert_close(after[:, :3], before)
    assert {n: p.shape for n, p in student.named_parameters()} == shapes
    assert session.predict("night0").probabilities.shape[0] == 4


def test_an_added_class_can_be_painted_and_learnt(bundle: Bundle) -> None:
    session = session_of(bundle, mode="cached", **STROKES_ONLY)
    drain(session.adapt(TWO_STEPS))
    session.set_classes(CLASSES.with_class("fence"))
    image, labels = scene(10, dark=True)
    image[20:40, 8:30], labels[20:40, 8:30] = (220, 20, 40), 3
    session.set_image("night0", image)
    session.set_scribbles("night0", strokes(labels, every=6))
    drain(session.adapt(Budget(steps=150)))
    fence = session.predict("night0").labels == 3
    assert (fence & (labels == 3)).sum() / (fence | (labels == 3)).sum() > 0.5


def test_source_labels_follow_their_class_when_the_order_changes(bundle: Bundle) -> None:
    session = session_of(bundle)
    session.set_classes(ClassSet((CLASSES[2], CLASSES[0])).with_class("fence"))  # on the value of "tree"
    seen = session._source.seen_with(session.classes)
    assert seen is not None
    old, new = source_domain()[0].labels, seen[0].labels
    assert old is not None
    assert new is not None
    np.testing.assert_array_equal(new, np.array([1, 255, 0], np.uint8)[old])


def test_a_round_after_a_class_was_removed_does_without_its_source_labels(bundle: Bundle) -> None:
    session = session_of(bundle)
    session.set_classes(ClassSet((CLASSES[2], CLASSES[0])))
    assert drain(session.adapt(TWO_STEPS)).steps == 2


def test_strokes_follow_their_class_when_it_moves_or_is_renamed_and_go_with_it(bundle: Bundle) -> None:
    session = session_of(bundle)
    before = session.target.sample("night0").labels
    assert before is not None
    moved = CLASSES.with_moved(2, 0)  # sky, ground, tree
    session.set_classes(moved.with_changed(1, replace(moved[1], name="soil")).without(2))
    after = session.target.sample("night0").labels
    np.testing.assert_array_equal(
        after, np.where(before == 255, 255, np.array([1, 255, 0] + 253 * [255])[before])
    )
    session.set_classes(session.classes.with_class("tree"))
    back = session.target.sample("night0").labels
    assert back is not None
    assert set(np.unique(back)) == {0, 1, 255}
    assert drain(session.adapt(TWO_STEPS)).steps == 2


def test_rounds_from_before_the_classes_were_moved_and_removed_are_restored(bundle: Bundle) -> None:
    session = session_of(bundle)
    drain(session.adapt(TWO_STEPS))
    first = session.predict("night0").probabilities
    session.set_classes(CLASSES.with_moved(2, 0).without(1))  # sky, tree
    drain(session.adapt(TWO_STEPS))
    session.set_classes(session.classes.with_class("ground").with_moved(2, 0).with_moved(1, 2))
    session.restore(1)
    assert session.classes.names == CLASSES.names
    np.testing.assert_allclose(session.predict("night0").probabilities, first, atol=1e-5)


def test_a_renamed_class_is_not_new_to_the_model(bundle: Bundle) -> None:
    session = session_of(bundle)
    session.set_classes(CLASSES.with_changed(1, replace(CLASSES[1], name="bush", prompts=("bush",))))
    told_words = [e.message for e in session.adapt(TWO_STEPS) if isinstance(e, Notice)]
    assert not any("new to it" in words for words in told_words)


def test_going_back_to_an_earlier_round_keeps_the_present_classes(bundle: Bundle) -> None:
    session = session_of(bundle)
    drain(session.adapt(TWO_STEPS))
    session.set_classes(CLASSES.with_class("fence"))
    session.restore(0)
    assert session.predict("night0").probabilities.shape[0] == 4


# language and source as guides
