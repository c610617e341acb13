"""Predictions of earlier rounds, kept small."""

from __future__ import annotations

import numpy as np

from semidavil_core.classes import ClassSet
from semidavil_core.events import (
    Event,
    ModelChanged,
    PreviewReady,
    RoundFinished,
    RoundRestored,
    StageStarted,
)
from semidavil_napari._archive import PredictionArchive
from semidavil_napari._session import Stage

CLASSES = ClassSet.from_names(["road", "sky"])
PREDICT, ADAPT = StageStarted(Stage.PREDICT, 1, "images"), StageStarted(Stage.ADAPT, 1, "seconds")


def seen(value: int, image: str = "a", size: int = 8) -> PreviewReady:
    shape = (size, size)
    return PreviewReady(image, np.full(shape, value, np.uint8), np.ones(shape, np.float32))


def record(archive: PredictionArchive, *events: Event) -> None:
    assert list(archive.recorded(iter(events), CLASSES)) == list(events)


def value(archive: PredictionArchive, number: int, image: str = "a") -> int | None:
    kept = archive.get(number, image)
    return None if kept is None else int(kept[0][0, 0])


def test_each_round_keeps_what_it_saw_and_the_looks_while_training_are_nobodys() -> None:
    archive = PredictionArchive()
    record(
        archive, ModelChanged(), seen(0), ADAPT, seen(9), RoundFinished(1, "budget", 1, 1.0), PREDICT, seen(1)
    )
    record(archive, ADAPT, seen(8), RoundFinished(2, "budget", 1, 1.0), PREDICT, seen(2))
    assert [value(archive, n) for n in range(4)] == [0, 1, 2, None]
    assert archive.get(1, "a")[1] is CLASSES
    assert value(archive, 1, "b") is None


def test_after_going_back_predictions_belong_to_the_round_gone_to() -> None:
    archive = PredictionArchive()
    record(
        archive, ADAPT, RoundFinished(1, "budget", 1, 1.0), seen(1), ADAPT, RoundFinished(2, "budget", 1, 1.0)
    )
    record(archive, RoundRestored(1), seen(5))
    assert value(archive, 1) == 5
    record(archive, ADAPT, RoundFinished(3, "restored", 1, 1.0), PREDICT, seen(6))
    assert value(archive, 1) == 6, "a round that was taken back leaves the model as it was"


def test_a_round_that_failed_leaves_its_looks_behind() -> None:
    archive = PredictionArchive()
    record(archive, ModelChanged(), seen(0), ADAPT, seen(9))
    record(archive, seen(1, "b"))
    assert (value(archive, 0), value(archive, 0, "b")) == (0, 1)


def test_another_model_forgets_all() -> None:
    archive = PredictionArchive()
    record(
        archive, ModelChanged(), seen(0), ADAPT, RoundFinished(1, "budget", 1, 1.0), seen(1), ModelChanged()
    )
    assert not archive.has(0)
    assert not archive.has(1)


def test_the_predictions_of_rounds_stay_when_an_earlier_one_is_gone_on_from() -> None:
    archive = PredictionArchive()
    record(archive, ModelChanged(), seen(0), RoundFinished(1, "budget", 1, 1.0), seen(1))
    record(archive, RoundFinished(2, "budget", 1, 1.0), seen(2), ModelChanged(1), seen(5))
    assert [value(archive, n) for n in range(3)] == [None, 5, 2]


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    rng = np.random.default_rng(0)
    archive = PredictionArchive(limit=30_000)
    for n in range(10):
        noise = rng.integers(0, 255, (100, 100), np.uint8)
        record(archive, PreviewReady(f"i{n}", noise, np.ones((100, 100), np.float32)))
    assert archive._bytes <= 30_000
    assert archive.get(0, "i0") is None
    kept = archive.get(0, "i9")
    assert kept is not None
    np.testing.assert_array_equal(kept[0], noise)


def test_label_maps_are_kept_small() -> None:
    archive = PredictionArchive()
    record(archive, seen(1, size=2000))
    assert archive._bytes < 2000 * 2000 / 100
