"""Suggestions lie where the model is unsure and classes meet, away from paint, apart and spread; each says why."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.engine.protocol import Frame
from semidavil_core.engine.requests import Suggest, request_from_frame
from semidavil_core.errors import InvalidSettings
from semidavil_core.events import Suggestion, SuggestionsReady, event_from_json
from semidavil_core.inference.suggest import PaintedImage, SuggestSettings, coarse_map, suggest

NAMES = ("road", "sidewalk", "pole")
SIZE = (200, 300)
FEW = (1000, 1000, 1000)


def sure(size: tuple[int, int] = SIZE) -> np.ndarray:
    """A map that says road, and means it."""
    probabilities = np.full((3, *size), 0.0005, np.float32)
    probabilities[0] = 0.999
    return probabilities


def torn(
    probabilities: np.ndarray, box: tuple[int, int, int, int], classes: tuple[int, int] = (0, 1)
) -> np.ndarray:
    """In `box` (top, left, bottom, right) two classes are almost equally likely, in a chequered pattern."""
    top, left, bottom, right = box
    chequers = (np.indices((bottom - top, right - left)) // 4).sum(0) % 2
    first, second = classes
    probabilities[:, top:bottom, left:right] = 0.001
    probabilities[first, top:bottom, left:right] = np.where(chequers, 0.52, 0.479)
    probabilities[second, top:bottom, left:right] = 1 - 0.001 - probabilities[first, top:bottom, left:right]
    return probabilities


def image(name: str, probabilities: np.ndarray, strokes: np.ndarray | None = None) -> PaintedImage:
    return PaintedImage(name, coarse_map(probabilities), strokes)


def coloured(
    name: str, probabilities: np.ndarray, pixels: np.ndarray, strokes: np.ndarray | None = None
) -> PaintedImage:
    return PaintedImage(name, coarse_map(probabilities, pixels), strokes)


def no_strokes() -> np.ndarray:
    return np.full(SIZE, IGNORE_INDEX, np.uint8)


def test_the_one_torn_place_of_a_hand_built_map_is_found_and_explained() -> None:
    found = suggest([image("a", torn(sure(), (80, 180, 110, 210)))], NAMES, FEW, 1)
    place = found[0]
    assert place.image == "a"
    assert (place.y, place.x) == pytest.approx((95, 195), abs=6)
    assert place.radius == pytest.approx(0.04 * 200)
    assert place.class_name == NAMES[place.class_index]
    assert place.class_name in ("road", "sidewalk")
    assert place.reason.startswith("unsure between ")
    assert "road" in place.reason
    assert "sidewalk" in place.reason
    assert "several classes meet" in place.reason


def test_the_score_is_about_one_where_two_classes_are_equally_likely_and_fill_half_each() -> None:
    settings = SuggestSettings(rare_bonus=0)
    place = suggest([image("a", torn(sure(), (60, 60, 140, 240)))], NAMES, FEW, 1, settings)[0]
    assert place.score == pytest.approx(1, abs=0.05)


def test_where_the_model_is_sure_nothing_is_suggested() -> None:
    certain = np.zeros((3, *SIZE), np.float32)
    certain[0] = 1
    assert suggest([image("a", certain)], NAMES, FEW, 5) == ()


def test_an_unsure_place_counts_more_where_classes_meet_than_inside_one_class() -> None:
    probabilities = torn(sure(), (20, 20, 60, 60))
    probabilities[:, 120:160, 200:240] = np.array([0.52, 0.479, 0.001], np.float32)[:, None, None]
    found = suggest([image("a", probabilities)], NAMES, FEW, 9)
    meeting, pure = (next(p for p in found if (p.y > 100) is below) for below in (False, True))
    inside = suggest([image("a", probabilities[:, 124:156, 204:236])], NAMES, FEW, 1)[0]
    assert found[0] == meeting
    assert 0 < pure.score < meeting.score
    assert inside.score < 0.2 * meeting.score
    assert "several classes" not in inside.reason


def test_painted_places_and_their_surroundings_are_never_suggested() -> None:
    strokes = no_strokes()
    strokes[95, 150:200] = 1
    probabilities = torn(sure(), (40, 60, 150, 260))
    found = suggest([image("a", probabilities, strokes)], NAMES, FEW, 30, SuggestSettings(separation=1))
    assert len(found) > 5
    rows, columns = np.nonzero(strokes != IGNORE_INDEX)
    for place in found:
        away = np.hypot(rows - place.y, columns - place.x).min()
        assert away >= place.radius


def test_an_image_that_is_painted_all_over_gives_nothing() -> None:
    assert suggest([image("a", torn(sure(), (0, 0, *SIZE)), np.zeros(SIZE, np.uint8))], NAMES, FEW, 3) == ()


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (37, 41), (700, 513)])
def test_places_lie_inside_images_of_any_size(size: tuple[int, int]) -> None:
    probabilities = torn(sure(size), (0, 0, *size))
    for place in suggest([image("a", probabilities)], NAMES, FEW, 12):
        assert 0 <= place.y <= size[0] - 1
        assert 0 <= place.x <= size[1] - 1


def test_places_in_one_image_are_apart() -> None:
    found = suggest([image("a", torn(sure(), (0, 0, *SIZE)))], NAMES, FEW, 8)
    assert len(found) == 8
    for index, place in enumerate(found):
        for other in found[:index]:
            assert np.hypot(place.y - other.y, place.x - other.x) >= 3.5 * place.radius


def test_places_are_spread_over_images_that_are_about_as_unsure() -> None:
    images = [image(name, torn(sure(), (0, 0, *SIZE))) for name in "abc"]
    assert {place.image for place in suggest(images, NAMES, FEW, 3)} == {"a", "b", "c"}


def test_places_are_spread_over_classes() -> None:
    probabilities = torn(torn(sure(), (0, 0, 200, 140)), (80, 220, 150, 290), (2, 1))
    found = suggest([image("a", probabilities)], NAMES, FEW, 3)
    assert any("pole" in place.reason for place in found)


def test_places_that_look_different_come_before_one_more_of_the_same() -> None:
    pixels = np.full((*SIZE, 3), 60, np.uint8)
    pixels[120:, 200:] = (200, 30, 30)
    found = suggest([coloured("a", torn(sure(), (0, 0, *SIZE)), pixels)], NAMES, FEW, 2)
    assert sum(place.y > 110 and place.x > 190 for place in found) == 1, (
        "its rim looks like nothing else either"
    )


def test_places_that_look_like_what_is_painted_come_last() -> None:
    pixels = np.full((*SIZE, 3), 60, np.uint8)
    pixels[:, 150:] = (200, 30, 30)
    unsure = torn(sure(), (0, 0, *SIZE))
    strokes = no_strokes()
    strokes[90:110, 20:60] = 0
    for images in (
        [coloured("a", unsure, pixels, strokes)],
        [coloured("a", unsure, pixels), coloured("b", unsure[:, :, :150], pixels[:, :150], strokes[:, :150])],
    ):
        first = suggest(images, NAMES, FEW, 1)[0]
        assert first.image == "a"
        assert first.x > 150


def test_many_places_that_look_alike_are_suggested_all_the_same() -> None:
    pixels = np.full((*SIZE, 3), 60, np.uint8)
    flat = np.broadcast_to(np.array([0.4, 0.3, 0.3], np.float32)[:, None, None], (3, *SIZE))
    found = suggest([coloured("a", np.ascontiguousarray(flat), pixels)], NAMES, FEW, 6)
    assert len(found) == len({(p.y, p.x) for p in found}) == 6


def test_a_class_without_strokes_comes_first_and_the_reason_says_so() -> None:
    probabilities = torn(torn(sure(), (20, 20, 60, 60), (0, 1)), (120, 200, 160, 240), (0, 2))
    few = suggest([image("a", probabilities)], NAMES, (5000, 5000, 0), 1)[0]
    assert few.y > 100
    assert few.reason.endswith("; no stroke of pole yet")


def test_the_same_question_has_the_same_answer() -> None:
    noise = np.random.default_rng(0).dirichlet((1, 1, 1), SIZE).transpose(2, 0, 1).astype(np.float32)
    answers = [
        suggest([image("a", noise), image("b", noise[:, ::-1])], NAMES, (9, 5, 0), 10) for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert [place.score for place in answers[0]] != []


def test_the_map_is_coarse_however_large_the_image_is_and_keeps_probabilities() -> None:
    probabilities = torn(sure((1000, 301)), (0, 0, 500, 301))
    seen = coarse_map(probabilities, settings=SuggestSettings(grid=64))
    assert max(seen.probabilities.shape[1:]) <= 64
    np.testing.assert_allclose(seen.probabilities.sum(0), 1, atol=1e-5)
    cells = probabilities[:, : seen.cell, : seen.cell].mean((1, 2))
    np.testing.assert_allclose(seen.probabilities[:, 0, 0], cells, rtol=1e-5)


@pytest.mark.parametrize("count", [0, 1, 100])
def test_never_more_places_than_asked_for(count: int) -> None:
    assert len(suggest([image("a", torn(sure(), (0, 0, *SIZE)))], NAMES, FEW, count)) <= count


def test_one_class_is_no_reason_to_fail() -> None:
    assert suggest([image("a", np.ones((1, 20, 20), np.float32))], ("cell",), (5,), 3) == ()


@pytest.mark.parametrize("wrong", [{"radius": 0}, {"grid": 4}, {"image_repeat": 2}, {"rare_bonus": -1}])
def test_settings_out_of_range_are_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidSettings, match=next(iter(wrong))):
        SuggestSettings(**wrong)  # type: ignore[arg-type]


PLACE = Suggestion("a", 3.5, 4.0, 8.0, 0.9, 1, "sidewalk", "unsure between road and sidewalk")


def test_the_event_comes_back_from_json_with_its_places() -> None:
    event = SuggestionsReady((PLACE, replace(PLACE, image="b")))
    assert event_from_json(json.loads(json.dumps(event.to_json()))) == event
    with pytest.raises(FrozenInstanceError):
        event.suggestions[0].y = 1.0  # type: ignore[misc]


@pytest.mark.parametrize("request_", [Suggest(), Suggest(3, ("a", "b"))])
def test_the_request_survives_its_frame(request_: Suggest) -> None:
    frame = request_.to_frame(7)
    assert request_from_frame(Frame(json.loads(json.dumps(frame.body)), frame.arrays)) == (7, request_)
