"""Where a source has no labels, names of new classes speak; what they said stays for the rounds to come."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from semidavil_core.adaptation.labelled_source import LabelledSource, labels_by_name
from semidavil_core.adaptation.round import Round
from semidavil_core.classes import IGNORE_INDEX, ClassSet
from semidavil_core.data.domains import Domain, MemoryDomain, Sample
from semidavil_core.events import Notice
from semidavil_core.export.bundle import Bundle
from semidavil_core.inference.evaluate import drain
from semidavil_core.inference.predict import Predictor
from tests.core.tiny_names import ByBrightness, row_of_pixels
from tests.core.tiny_sessions import TWO_STEPS, session_of
from tests.core.tiny_tower import CLASSES, scene, source_domain, strokes


def found(*samples: Sample, predictor: ByBrightness | None = None, go_on: bool = True) -> dict[str, Any]:
    labels = labels_by_name(
        cast("Predictor", predictor or ByBrightness()),
        MemoryDomain(samples),
        [2],
        seed=0,
        go_on=lambda: go_on,
    )
    return {name: each.tolist() for name, each in labels.items()}


def test_a_name_labels_what_the_source_leaves_open_and_it_is_sure_of() -> None:
    assert found(row_of_pixels("a", [90, 90, 60, 40, 10], [0, 255, 255, 255, 1])) == {
        "a": [[255, 2, 2, 255, 255]]
    }
    assert found(row_of_pixels("a", [10, 10], [0, 255])) == {}, (
        "an image where nothing is found has nothing to add"
    )


@pytest.mark.parametrize(
    "labels", [None, [255] * 20, [0] + [255] * 19, [0] * 20], ids=["none", "empty", "sparse", "complete"]
)
def test_images_that_say_nothing_by_what_they_leave_open_cost_no_look(labels: list[int] | None) -> None:
    predictor = ByBrightness()
    assert found(row_of_pixels("a", [90] * 20, labels), predictor=predictor) == {}
    assert predictor.looks == 0


def test_looks_end_after_some_images_and_when_there_is_no_time() -> None:
    many = [row_of_pixels(f"i{n}", [90, 90], [0, 255]) for n in range(40)]
    some, none = ByBrightness(), ByBrightness()
    assert len(found(*many, predictor=some)) == some.looks == 8
    assert found(*many, predictor=none, go_on=False) == {}
    assert none.looks == 0


def labels_of(source: LabelledSource, classes: ClassSet) -> list[int]:
    domain = source.seen_with(classes)
    assert domain is not None
    labels = domain[0].labels
    assert labels is not None
    return [int(k) for k in labels[0]]


@pytest.fixture
def opened() -> LabelledSource:
    """Its own labels are of the classes 0 and 2 of three; pixel 1 was found to be of a fourth, pixel 3 is still open."""
    source = LabelledSource(MemoryDomain([row_of_pixels("a", [9, 9, 9, 9], [0, 255, 2, 255])]), CLASSES)
    source.add({"a": np.array([[3, 3, 3, 255]], np.uint8)}, CLASSES.with_class("fence"))
    return source


def test_what_names_said_stays_and_follows_its_class(opened: LabelledSource) -> None:
    assert labels_of(opened, CLASSES.with_class("fence")) == [0, 3, 2, 255]
    assert labels_of(opened, CLASSES) == [0, 255, 2, 255], "without the class nothing is of it"
    moved = ClassSet((CLASSES.with_class("fence")[3], *CLASSES))
    assert labels_of(opened, moved) == [1, 0, 3, 255]


def test_a_class_that_is_worded_anew_is_asked_for_anew(opened: LabelledSource) -> None:
    fence = CLASSES.with_class("fence")[3]
    other = ClassSet((*CLASSES, replace(fence, prompts=("a hedge",))))
    assert labels_of(opened, other) == [0, 255, 2, 255]
    assert labels_of(opened, CLASSES.with_class("fence")) == [0, 255, 2, 255], "the former word is forgotten"


def test_a_class_of_the_source_that_has_no_label_is_asked_for_anew_too() -> None:
    listed = CLASSES.with_class("fence")
    source = LabelledSource(MemoryDomain([row_of_pixels("a", [9, 9], [0, 255])]), listed)
    source.add({"a": np.array([[255, 3]], np.uint8)}, listed)
    assert labels_of(source, listed) == [0, 3]
    hedge = ClassSet((*CLASSES, replace(listed[3], prompts=("a hedge",))))
    assert labels_of(source, hedge) == [0, 255]


def test_other_words_for_a_class_that_the_source_labels_change_nothing(opened: LabelledSource) -> None:
    first, *others = CLASSES.with_class("fence")
    assert labels_of(opened, ClassSet((replace(first, prompts=("another word",)), *others))) == [0, 3, 2, 255]


def test_no_source_is_none() -> None:
    source = LabelledSource(None, CLASSES)
    source.add({"a": np.zeros((1, 1), np.uint8)}, CLASSES)
    assert not source
    assert source.seen_with(CLASSES.with_class("fence")) is None


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> list[Domain]:
    """The sources of the rounds."""
    seen: list[Domain] = []

    class Noted(Round):
        def __init__(self, *of: Any, **more: Any) -> None:
            seen.append(more["source"])
            super().__init__(*of, **more)

    monkeypatch.setattr("semidavil_core.adaptation.judged_round.Round", Noted)
    return seen


def half_open(count: int = 2) -> MemoryDomain:
    """Source images whose lower half has no labels."""
    whole = source_domain(count)
    samples = []
    for n in range(count):
        labels = np.array(whole[n].labels)
        labels[len(labels) // 2 :] = IGNORE_INDEX
        samples.append(replace(whole[n], labels=labels))
    return MemoryDomain(samples)


def teaches(source: Domain, index: int) -> bool:
    return any(
        (labels == index).any() for n in range(len(source)) if (labels := source[n].labels) is not None
    )


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("painted", [True, False])
def test_the_source_teaches_a_new_class_once_it_is_painted(
    bundle: Bundle, sources: list[Domain], monkeypatch: pytest.MonkeyPatch, *, painted: bool
) -> None:
    monkeypatch.setattr("semidavil_core.adaptation.name_hints.MISNAMED", 1.0)  # the model says so everywhere
    session = session_of(bundle, source=half_open())
    session.set_classes(CLASSES.with_class("fence"))
    if painted:
        _, labels = scene(10, dark=True)
        labels[20:40, 8:30] = 3
        session.set_scribbles("night0", strokes(labels, every=6))
    said = " ".join(event.message for event in session.adapt(TWO_STEPS) if isinstance(event, Notice))
    assert teaches(sources[0], 3) is painted
    assert ("fence in 2 of the source's images" in said) is painted
    drain(session.adapt(TWO_STEPS))
    assert teaches(sources[1], 3) is painted, "the round after that goes on with it"
    source = half_open()
    for seen in sources:
        for n, own in enumerate(source):
            kept = own.labels != IGNORE_INDEX  # type: ignore[operator]
            np.testing.assert_array_equal(seen[n].labels[kept], own.labels[kept])  # type: ignore[index]
