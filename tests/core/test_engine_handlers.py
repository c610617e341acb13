"""The real model behind the requests, on tiny data and two steps; at the end once through the real process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from semidavil_core.classes import ClassSet
from semidavil_core.control import RunControl
from semidavil_core.data.label_files import read_labels
from semidavil_core.engine.client import EngineClient
from semidavil_core.engine.handlers import EngineSession
from semidavil_core.engine.requests import (
    Adapt,
    ArrayMap,
    DownloadVlm,
    Evaluate,
    ExportPredictions,
    FindVlm,
    ListDevices,
    ListRounds,
    LoadBundle,
    OpenSession,
    Predict,
    PrepareFromSource,
    RemoveImage,
    Request,
    RestoreRound,
    SaveBundle,
    SetClasses,
    SetImage,
    SetScribbles,
    SetSource,
    Suggest,
    ZeroShot,
)
from semidavil_core.errors import InvalidBundle, InvalidImage, InvalidInput, InvalidLabels, UnknownModel
from semidavil_core.events import (
    DevicesFound,
    Done,
    Event,
    HeldOutMeasured,
    Notice,
    PreviewReady,
    RoundFinished,
    RoundRestored,
    StepFinished,
    SuggestionsReady,
    VlmFound,
)
from semidavil_core.export.bundle import load_bundle
from semidavil_core.export.formats import FORMATS, Needs
from semidavil_core.settings import Budget

CLASSES = ClassSet.from_names(["road", "sky"])
SMALL = {"crop": 64, "seed": 0}
PREPARE = PrepareFromSource(CLASSES, "mini", Budget(steps=1), {**SMALL, "batch": 2}, device="cpu")
OPEN = OpenSession({**SMALL, "source_batch": 1, "labelled_batch": 1, "unlabelled_batch": 1})


def picture(seed: int) -> np.ndarray:
    image = np.random.default_rng(seed).integers(0, 80, (72, 80, 3), np.uint8)
    image[:36] += 120
    return image


def truth() -> np.ndarray:
    labels = np.zeros((72, 80), np.uint8)
    labels[:36] = 1
    return labels


def strokes() -> np.ndarray:
    labels = np.full((72, 80), 255, np.uint8)
    labels[5:8, 10:60], labels[60:63, 10:60] = 1, 0
    return labels


SOURCE = SetSource(
    images=ArrayMap({"a": picture(0), "b": picture(1)}), labels=ArrayMap({"a": truth(), "b": truth()})
)


def ask(engine: EngineSession, request: Request) -> tuple[list[Event], Mapping[str, Any]]:
    events, work = [], engine.handle(request, RunControl())
    while True:
        try:
            events.append(next(work))
        except StopIteration as end:
            return events, end.value


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared model as a bundle."""
    folder = tmp_path_factory.mktemp("engine") / "bundle"
    engine = EngineSession()
    ask(engine, SOURCE)
    events, _ = ask(engine, PREPARE)
    assert isinstance(events[-1], RoundFinished)
    assert events[-1].round == 0
    ask(engine, SaveBundle(str(folder)))
    return folder


def test_a_class_that_the_source_never_shows_counts_as_typed(tmp_path: Path) -> None:
    engine = EngineSession()
    ask(engine, SOURCE)
    events, _ = ask(engine, replace(PREPARE, classes=CLASSES.with_class("fence")))
    assert any("no label of fence" in e.message for e in events if isinstance(e, Notice))
    ask(engine, SaveBundle(str(tmp_path / "bundle")))
    assert load_bundle(tmp_path / "bundle").unlearnt == ("fence",)


def open_engine(bundle: Path) -> EngineSession:
    session = EngineSession()
    ask(session, LoadBundle(str(bundle), "cpu"))
    ask(session, SetImage("x", picture(2)))
    ask(session, SetScribbles("x", strokes()))
    ask(session, OPEN)
    return session


@pytest.fixture
def engine(bundle: Path) -> EngineSession:
    return open_engine(bundle)


@pytest.fixture(scope="module")
def untouched_engine(bundle: Path) -> EngineSession:
    """One engine for the tests that leave it as it was."""
    return open_engine(bundle)


def prediction(engine: EngineSession, request: Request) -> PreviewReady:
    (event,), _ = ask(engine, request)
    assert isinstance(event, PreviewReady)
    return event


def test_a_round_gives_steps_then_its_end_and_changes_the_prediction(engine: EngineSession) -> None:
    before = prediction(engine, Predict("x"))
    assert before.prediction.shape == (72, 80)
    events, result = ask(engine, Adapt(Budget(steps=2)))
    assert [e.step for e in events if isinstance(e, StepFinished)] == [1, 2]
    assert isinstance(events[-1], RoundFinished)
    assert result["steps"] == 2
    after = prediction(engine, Predict("x"))
    assert not np.array_equal(before.confidence, after.confidence)
    ask(engine, RestoreRound(0))
    np.testing.assert_allclose(prediction(engine, Predict("x")).confidence, before.confidence, atol=1e-5)


def test_the_rounds_are_listed_and_going_back_shows_the_images_and_says_where_it_is(
    engine: EngineSession,
) -> None:
    assert ask(engine, ListRounds())[1]["current"] == 0
    before = prediction(engine, Predict("x"))
    for _ in range(2):
        events, _ = ask(engine, Adapt(Budget(steps=1), hold_out=0.15))
    last = events[-1]
    assert isinstance(last, RoundFinished)
    assert "held_out_accuracy_after" in last.scores
    assert any(isinstance(e, HeldOutMeasured) for e in events)
    events, listed = ask(engine, RestoreRound(0, ("x",)))
    assert events[0] == RoundRestored(0)
    assert isinstance(events[1], PreviewReady)
    np.testing.assert_allclose(events[1].confidence, before.confidence, atol=1e-5)
    assert listed["current"] == 0
    assert [row["round"] for row in listed["rounds"]] == [0, 1, 2]
    assert listed["rounds"][2]["scores"] == last.scores
    assert listed == ask(engine, ListRounds())[1]
    assert json.loads(json.dumps(listed)) == listed


def test_a_stop_ends_the_images_after_going_back(engine: EngineSession) -> None:
    control = RunControl()
    control.stop()
    assert list(engine.handle(RestoreRound(0, ("x", "x")), control)) == [RoundRestored(0)]


def test_places_to_paint_next_are_suggested_from_what_the_model_sees_now(engine: EngineSession) -> None:
    ask(engine, SetImage("y", picture(3)))
    ask(engine, Predict("x"))
    kept = dict(engine._seen)
    (event,), _ = ask(engine, Suggest(5))
    assert isinstance(event, SuggestionsReady)
    assert {place.image for place in event.suggestions} == {"x", "y"}
    assert engine._seen["x"] is kept["x"], "what was predicted is not predicted again"
    for place in event.suggestions:
        if place.image == "x":
            assert strokes()[round(place.y), round(place.x)] == 255
    ask(engine, Adapt(Budget(steps=1)))
    assert not engine._seen


def test_a_class_typed_in_is_predicted_from_at_once_and_saved(engine: EngineSession, tmp_path: Path) -> None:
    more = CLASSES.with_class("puddle")
    ask(engine, SetClasses(more))
    assert prediction(engine, ZeroShot("x")).prediction.max() <= 2
    ask(engine, SaveBundle(str(tmp_path / "b")))
    _, result = ask(EngineSession(), LoadBundle(str(tmp_path / "b"), "cpu"))
    assert [c["name"] for c in result["classes"]] == ["road", "sky", "puddle"]


def test_a_map_of_typed_classes_needs_no_model_and_changes_nothing(bundle: Path) -> None:
    engine = EngineSession()
    ask(engine, SetImage("x", picture(2)))
    look = ZeroShot("x", "mini", CLASSES.with_class("puddle"), "cpu")
    seen = prediction(engine, look)
    assert seen.prediction.shape == (72, 80)
    assert seen.prediction.max() <= 2
    kept = engine._kept_vlm
    np.testing.assert_array_equal(prediction(engine, look).prediction, seen.prediction)
    assert engine._kept_vlm is kept
    with pytest.raises(InvalidInput, match="There is no model yet"):
        ask(engine, ZeroShot("x"))
    with pytest.raises(InvalidInput, match="nobody"):
        ask(engine, ZeroShot("nobody", "mini", CLASSES, "cpu"))
    ask(engine, LoadBundle(str(bundle), "cpu"))
    before = prediction(engine, Predict("x"))
    ask(engine, look)
    after = prediction(engine, Predict("x"))
    np.testing.assert_array_equal(after.prediction, before.prediction)


def test_the_strokes_follow_the_classes_and_rounds_go_on(engine: EngineSession) -> None:
    ask(engine, SetClasses(CLASSES.with_moved(1, 0)))
    pseudo = prediction(engine, Predict("x")).pseudo_labels
    assert pseudo is not None
    assert (pseudo[5:8, 10:60] == 0).all()
    assert (pseudo[60:63, 10:60] == 1).all()
    ask(engine, Adapt(Budget(steps=1)))
    ask(engine, SetClasses(CLASSES.with_class("puddle")))
    ask(engine, RestoreRound(1))
    assert prediction(engine, Predict("x")).prediction.max() <= 2


def test_the_engine_tells_which_models_and_devices_are_here() -> None:
    engine = EngineSession()
    assert ask(engine, FindVlm("mini"))[0] == [VlmFound("mini", here=True)]
    assert ask(engine, DownloadVlm("mini"))[0][-1] == VlmFound("mini", here=True)
    (found,), _ = ask(engine, FindVlm("ViT-B-16:metaclip_400m"))
    assert isinstance(found, VlmFound)
    assert not found.here
    with pytest.raises(UnknownModel):
        ask(engine, FindVlm("minni"))
    (devices,), _ = ask(engine, ListDevices())
    assert isinstance(devices, DevicesFound)
    assert "cpu" in devices.devices


def test_images_and_strokes_outlive_a_new_model(engine: EngineSession, bundle: Path) -> None:
    ask(engine, LoadBundle(str(bundle), "cpu"))
    ask(engine, OPEN)
    events, _ = ask(engine, Adapt(Budget(steps=1)))
    assert isinstance(events[-1], RoundFinished)


def test_strokes_of_a_region_join_those_that_stand(engine: EngineSession) -> None:
    ask(engine, SetScribbles("x", np.zeros((2, 3), np.uint8), (70, 0, 72, 3)))
    pseudo = prediction(engine, Predict("x")).pseudo_labels
    assert pseudo is not None
    assert (pseudo[70:72, :3] == 0).all()
    assert (pseudo[5:8, 10:60] == 1).all()
    with pytest.raises(InvalidLabels, match="region"):
        ask(engine, SetScribbles("x", np.zeros((2, 3), np.uint8), (71, 0, 73, 3)))


def test_a_multichannel_16_bit_image_is_seen_through_its_channels(engine: EngineSession) -> None:
    ask(
        engine,
        SetImage("y", np.random.default_rng(0).integers(0, 60_000, (40, 50, 5), np.uint16), (0, 1, None)),
    )
    assert prediction(engine, Predict("y")).prediction.shape == (40, 50)


def test_measuring_gives_the_scores_of_the_command_line(engine: EngineSession, tmp_path: Path) -> None:
    from semidavil_core.data.image_files import write_image, write_label_map

    write_image(tmp_path / "images" / "a.png", picture(5))
    write_label_map(tmp_path / "labels" / "a.png", truth(), CLASSES)
    _, scores = ask(engine, Evaluate(str(tmp_path / "images"), str(tmp_path / "labels")))
    assert set(scores["iou"]) == {"road", "sky"}
    assert 0 <= scores["miou"] <= 1


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        (Predict("nobody"), InvalidInput, "nobody"),
        (RemoveImage("nobody"), InvalidInput, "nobody"),
        (RestoreRound(7), InvalidInput, "7"),
        (LoadBundle("/no/such/folder"), InvalidBundle, "/no/such/folder"),
        (SetImage("z", np.zeros((0, 4, 3))), InvalidImage, "z"),
        (SetImage("z", np.full((4, 4), np.nan)), InvalidImage, "z"),
        (SetScribbles("x", np.zeros((3, 3), np.uint8)), InvalidLabels, "x"),
        (SetSource(images=ArrayMap({"a": picture(0)})), InvalidLabels, "a"),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_a_bad_request_is_refused_in_a_sentence_and_nothing_is_lost(
    untouched_engine: EngineSession, request_: Request, error: type[Exception], words: str
) -> None:
    before = prediction(untouched_engine, Predict("x"))
    with pytest.raises(error, match=words):
        ask(untouched_engine, request_)
    np.testing.assert_array_equal(prediction(untouched_engine, Predict("x")).prediction, before.prediction)


@pytest.mark.parametrize("request_", [Adapt(), Predict("x"), SaveBundle("x"), PREPARE], ids=lambda r: r.kind)
def test_an_engine_without_a_model_says_what_to_do(request_: Request) -> None:
    with pytest.raises(InvalidInput, match=r"[Ll]oad a bundle|choose a source"):
        ask(EngineSession(), request_)


def test_predictions_are_exported_as_files_of_every_kind(
    untouched_engine: EngineSession, tmp_path: Path
) -> None:
    formats = tuple(f.key for f in FORMATS if f.needs is Needs.IMAGES)
    before = prediction(untouched_engine, Predict("x"))
    events, result = ask(untouched_engine, ExportPredictions(str(tmp_path), formats, ("x",)))
    assert result == {"images": 1}
    assert [event.kind for event in events] == ["StageStarted", "StageProgress"]
    made = tmp_path / "predictions"
    labels = [read_labels(made / name, CLASSES) for name in ("x.png", "x.tiff")]
    np.testing.assert_array_equal(*labels)
    assert (labels[0] == before.prediction).mean() > 0.9  # previews take fewer views
    confidence, pages = (tifffile.imread(made / name / "x.tiff") for name in ("confidence", "probabilities"))
    assert confidence.dtype == pages.dtype == np.float32
    np.testing.assert_allclose(pages.sum(0), 1, atol=1e-4)
    np.testing.assert_allclose(pages.max(0), confidence, atol=1e-6)
    np.testing.assert_array_equal(tifffile.imread(made / "probabilities" / "sky" / "x.tiff"), pages[1])
    assert ClassSet.read(made) == CLASSES


def test_a_stopped_export_ends_after_the_present_image(
    untouched_engine: EngineSession, tmp_path: Path
) -> None:
    control = RunControl()
    control.stop()
    work = untouched_engine.handle(ExportPredictions(str(tmp_path), ("labels_png",)), control)
    assert [event.kind for event in work] == ["StageStarted"]
    assert not (tmp_path / "predictions" / "x.png").exists()


def test_a_round_in_the_real_process_gives_what_it_gives_in_this_one(
    untouched_engine: EngineSession, bundle: Path
) -> None:
    here = prediction(untouched_engine, Predict("x"))
    with EngineClient() as client:
        for request in (
            LoadBundle(str(bundle), "cpu"),
            SetImage("x", picture(2)),
            SetScribbles("x", strokes()),
            OPEN,
        ):
            client.call(request)
        there, _ = client.request(Predict("x"))
        assert isinstance(there, PreviewReady)
        assert (there.prediction == here.prediction).mean() > 0.99
        *_, finished, done = client.request(Adapt(Budget(steps=2)))
        assert isinstance(finished, RoundFinished)
        assert isinstance(done, Done)
        with pytest.raises(InvalidInput, match="nobody"):
            client.call(Predict("nobody"))
        client.call(SetScribbles("x", None))
        with pytest.raises(InvalidLabels):
            client.call(Adapt(Budget(steps=1)))
