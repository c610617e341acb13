"""The export dialog with its real buttons, and the command lines that do the same."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QWidget

from semidavil_core.classes import ClassSet
from semidavil_core.cli import main
from semidavil_core.data.image_files import read_image
from semidavil_core.data.label_files import read_labels
from semidavil_core.project.references import ImageEntry
from semidavil_core.settings import Budget
from semidavil_napari._command_lines import Situation, command_lines
from semidavil_napari._panels.export import ExportDialog
from semidavil_napari._session import State
from semidavil_napari._sources import Source, SourceKind
from tests.napari.conftest import child
from tests.napari.driving import begin_round, finish_round
from tests.napari.test_project_window import save

gui = pytest.mark.gui
CLASSES = ClassSet.from_names(["road", "sky"])


def click(qtbot, widget: QWidget, name: str) -> None:
    qtbot.mouseClick(child(widget, name), Qt.MouseButton.LeftButton)


def finished(qtbot, widget) -> None:
    qtbot.waitUntil(lambda: widget._conductor.session.status.state is not State.IDLE)
    qtbot.waitUntil(lambda: widget._conductor.session.status.state is State.IDLE, timeout=20_000)


def dialog_after_a_round(qtbot, widget, folder: Path, *keys: str) -> QWidget:
    assert not child(widget, "semidavil_export").isEnabled()
    click(qtbot, widget, "semidavil_adapt")
    finished(qtbot, widget)
    click(qtbot, widget, "semidavil_export")
    dialog = child(widget, "semidavil_export_dialog")
    dialog.setFolder(folder)
    for key, box in dialog._boxes.items():
        box.setChecked(key in keys)
    return dialog


@gui
def test_what_is_ticked_is_exported_and_replacing_asks(open_widget, qtbot, tmp_path) -> None:
    widget, _ = open_widget()
    out = tmp_path / "out"
    keys = ("bundle", "bundle_zip", "labels_png", "confidence", "dataset")
    dialog = dialog_after_a_round(qtbot, widget, out, *keys)
    assert dialog.isVisible()
    click(qtbot, dialog, "semidavil_export_start")
    finished(qtbot, widget)
    assert f"Exported to {out}" in child(widget, "semidavil_status").text()
    assert child(dialog, "semidavil_export_words").text() == f"Exported to {out}."
    assert {p.name for p in out.iterdir()} == {"model", "model.zip", "predictions", "dataset"}
    assert (out / "predictions" / "asked").read_text() == "bundle bundle_zip labels_png confidence dataset"
    assert {p.name for p in (out / "dataset/images").iterdir()} == {"night_0000.tif", "night_0001.tif"}
    assert read_image(out / "dataset/images/night_0000.tif").shape == (32, 40, 3)
    strokes = read_labels(out / "dataset/scribbles/night_0000.png", CLASSES, unlisted_is_ignored=True)
    assert set(np.unique(strokes)) == {0, 1, 255}
    click(qtbot, dialog, "semidavil_export_start")
    assert "already" in child(dialog, "semidavil_export_words").text()
    assert widget._conductor.session.status.state is State.IDLE
    child(dialog, "semidavil_export_bundle_zip").setChecked(False)
    assert child(dialog, "semidavil_export_start").text() == "Export", "another choice asks again"
    click(qtbot, dialog, "semidavil_export_start")
    click(qtbot, dialog, "semidavil_export_start")
    finished(qtbot, widget)


@gui
def test_nothing_ticked_or_no_folder_cannot_be_exported(open_widget, qtbot, tmp_path) -> None:
    widget, _ = open_widget()
    dialog = dialog_after_a_round(qtbot, widget, tmp_path / "out")
    assert not child(dialog, "semidavil_export_start").isEnabled()
    assert "Tick at least" in child(dialog, "semidavil_export_words").text()
    child(dialog, "semidavil_export_bundle").setChecked(True)
    assert child(dialog, "semidavil_export_start").isEnabled()
    child(dialog, "semidavil_export_folder").setText("  ")
    assert not child(dialog, "semidavil_export_start").isEnabled()


@gui
def test_stop_ends_an_export_and_says_that_it_is_incomplete(open_widget, qtbot, tmp_path) -> None:
    widget, _ = open_widget("slow export")
    dialog = dialog_after_a_round(qtbot, widget, tmp_path / "out", "labels_png")
    click(qtbot, dialog, "semidavil_export_start")
    qtbot.waitUntil(lambda: "1 of 2" in child(widget, "semidavil_status").text(), timeout=20_000)
    click(qtbot, widget, "semidavil_stop")
    qtbot.waitUntil(lambda: widget._conductor.session.status.state is State.IDLE, timeout=20_000)
    assert "incomplete" in child(widget, "semidavil_status").text()
    assert "incomplete" in child(dialog, "semidavil_export_words").text()


@gui
def test_an_export_that_has_to_wait_is_told_and_the_outcome_of_another_job_is_not_its_own(
    open_widget, qtbot, tmp_path
) -> None:
    widget, _ = open_widget()
    dialog = dialog_after_a_round(qtbot, widget, tmp_path / "out", "labels_png")
    begin_round(qtbot, widget)
    click(qtbot, dialog, "semidavil_export_start")
    told = child(dialog, "semidavil_export_words").text()
    assert "Stop" in told
    finish_round(qtbot, widget)
    assert child(dialog, "semidavil_export_words").text() == told
    assert not (tmp_path / "out").exists()


@gui
def test_the_dialog_grows_for_long_sentences_and_cuts_none_off(qtbot, tmp_path) -> None:
    dialog = ExportDialog()
    qtbot.addWidget(dialog)
    dialog.show()
    words = child(dialog, "semidavil_export_words")
    for sentence in ("", "A sentence of many words that needs several lines. " * 6):
        dialog.say(sentence)
        qtbot.wait(50)
        assert words.height() >= words.heightForWidth(words.width())
    height = dialog.height()
    dialog.hide()
    dialog.say("A sentence of many words that needs several lines. " * 12)
    dialog.show()
    qtbot.wait(50)
    assert dialog.height() > height
    assert words.height() >= words.heightForWidth(words.width())


@gui
def test_a_place_that_cannot_be_written_is_told_in_a_sentence(open_widget, qtbot, tmp_path) -> None:
    widget, _ = open_widget()
    (tmp_path / "file").write_text("")
    dialog = dialog_after_a_round(qtbot, widget, tmp_path / "file", "dataset")
    click(qtbot, dialog, "semidavil_export_start")
    finished(qtbot, widget)
    assert "cannot be written" in child(widget, "semidavil_status").text()
    assert "cannot be written" in child(dialog, "semidavil_export_words").text()
    assert child(widget, "semidavil_adapt").isEnabled()


@gui
def test_the_equivalent_command_is_copied_beside_adapt(open_widget, qtbot, source_folder) -> None:
    widget, _ = open_widget()
    click(qtbot, widget, "semidavil_copy_command")
    text = QApplication.clipboard().text()
    assert f"semidavil prepare --source {source_folder}" in text
    assert "semidavil adapt" in text
    assert "semidavil predict" in text
    assert "First export “Images and strokes as files”" in text


# the command lines themselves


def situation(tmp_path: Path, **more) -> Situation:
    source = tmp_path / "source"
    source.mkdir(exist_ok=True)
    (source / "classes.json").write_text('["road", "sky"]')
    made = Situation(
        Source(SourceKind.LABELLED, source),
        CLASSES,
        Budget(seconds=30),
        Budget(seconds=60),
        "mini",
        "auto",
        (),
    )
    return replace(made, **more)


def commands(text: str) -> list[list[str]]:
    return [shlex.split(line) for line in text.splitlines() if not line.startswith("#")]


def options(words: list[str]) -> dict[str, str]:
    return dict(zip(words[2::2], words[3::2], strict=False))


def test_files_of_one_folder_are_named_as_they_are(tmp_path: Path) -> None:
    entries = tuple(ImageEntry(k, k, (4, 5), path=str(tmp_path / "night" / f"{k}.png")) for k in "ab")
    text = command_lines(
        situation(tmp_path, images=entries, project=tmp_path / "job"), tmp_path / "out", ["confidence"]
    )
    assert "#" not in text
    prepare, adapt, predict = commands(text)
    assert options(adapt)["--target"] == str(tmp_path / "night")
    assert options(adapt)["--scribbles"] == str(tmp_path / "job" / "scribbles")
    assert options(adapt)["--model"] == options(prepare)["--out"]
    assert options(adapt)["--source"] == str(tmp_path / "source")
    assert options(predict)["--model"] == options(adapt)["--out"] == str(tmp_path / "out" / "model")
    assert "--confidence" in predict


def test_images_that_the_project_holds_copies_of_are_named_there(tmp_path: Path) -> None:
    entries = (ImageEntry("night", "night", (2, 4, 5), embedded=True),)
    text = command_lines(situation(tmp_path, images=entries, project=tmp_path / "job"))
    assert "#" not in text
    _, adapt, _, suggest, by_name = commands(text)
    assert options(suggest)["--model"] == options(adapt)["--out"]
    assert options(suggest)["--scribbles"] == str(tmp_path / "job" / "scribbles")
    assert options(by_name)["--classes"] == str(tmp_path / "job" / "classes.json")
    assert options(adapt)["--target"] == str(tmp_path / "job" / "images")


@pytest.mark.parametrize(
    "entry",
    [
        ImageEntry("a", "a", (2, 4, 5), path="/x/a.tif"),
        ImageEntry("a", "a", (2, 4, 5), path="/x", parts=("1.png", "2.png")),
        ImageEntry("a", "a", (4, 5), path="/x/b.tif"),
    ],
)
def test_stacks_and_renamed_files_need_the_exported_dataset(tmp_path: Path, entry: ImageEntry) -> None:
    text = command_lines(situation(tmp_path, images=(entry,), project=tmp_path / "job"))
    assert text.startswith("# First export")
    assert str(tmp_path / "job" / "commands" / "dataset" / "images") in text


def test_a_bundle_needs_no_preparation_and_a_later_round_starts_from_its_model(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "classes.json").write_text('["road", "sky"]')
    source = Source(SourceKind.BUNDLE, tmp_path / "b", beside=tmp_path / "source")
    text = command_lines(situation(tmp_path, source=source, channels=(1, None, 0)))
    adapt, predict, _, by_name = commands(text)
    assert options(by_name)["--classes"] == "road,sky"
    assert options(adapt)["--model"] == str(tmp_path / "b")
    assert options(adapt)["--source"] == str(tmp_path / "source")
    assert options(predict)["--channels"] == options(adapt)["--channels"] == "1,-,0"
    later = command_lines(situation(tmp_path, bundle=tmp_path / "job/rounds/0002/bundle"))
    adapt, *_ = commands(later)
    assert options(adapt)["--model"] == str(tmp_path / "job/rounds/0002/bundle")


def test_an_export_of_a_model_that_the_project_keeps_predicts_with_it_and_adapts_no_further(
    tmp_path: Path,
) -> None:
    bundle = tmp_path / "job/rounds/0002/bundle"
    entries = (ImageEntry("night", "night", (2, 4, 5), embedded=True),)
    stands = situation(tmp_path, images=entries, project=tmp_path / "job", bundle=bundle)
    text = command_lines(stands, tmp_path / "out", ["bundle", "labels_png", "confidence"])
    (predict,) = commands(text)
    assert predict[1] == "predict"
    assert "--confidence" in predict
    assert options(predict)["--model"] == str(bundle)
    assert options(predict)["--images"] == str(tmp_path / "job/images")
    assert options(predict)["--out"] == str(tmp_path / "out/predictions")
    assert f"# The model is a folder already: {bundle}" in text
    assert "#" not in command_lines(stands, tmp_path / "out", ["labels_png"])


@gui
def test_the_dialog_says_that_the_command_takes_the_model_of_the_project(
    open_widget, qtbot, tmp_path
) -> None:
    widget, _ = open_widget()
    save(qtbot, widget, tmp_path / "job")
    dialog = dialog_after_a_round(qtbot, widget, tmp_path / "out", "labels_png")
    click(qtbot, dialog, "semidavil_export_command")
    (predict,) = commands(QApplication.clipboard().text())
    assert options(predict)["--model"] == str(tmp_path / "job/rounds/0001/bundle")
    assert "predict with the model that the project keeps" in child(dialog, "semidavil_export_words").text()
    widget._history.go_to(widget._history.rounds.entries[0].key)
    finished(qtbot, widget)
    click(qtbot, dialog, "semidavil_export_command")
    kinds = [words[1] for words in commands(QApplication.clipboard().text())]
    assert kinds == ["prepare", "adapt", "predict"], "the project does not keep the start"


def test_changed_classes_are_given_to_the_preparation_or_told(tmp_path: Path) -> None:
    more = CLASSES.with_class("puddle")
    text = command_lines(situation(tmp_path, classes=more, project=tmp_path / "job"))
    assert options(commands(text)[0])["--classes"] == str(tmp_path / "job" / "classes.json")
    bundle = Source(SourceKind.BUNDLE, tmp_path / "source")
    assert "classes were changed" in command_lines(situation(tmp_path, classes=more, source=bundle))


def test_the_command_line_knows_every_option_that_is_written(tmp_path: Path, capsys) -> None:
    text = command_lines(
        situation(tmp_path, classes=CLASSES.with_class("x"), project=tmp_path / "job", channels=(0, 1, 2)),
        tmp_path / "out",
        ["confidence", "probabilities", "labels_tiff", "bundle_zip"],
    )
    every = command_lines(situation(tmp_path))
    for words in (*commands(text), *commands(every)):
        assert main(words[1:]) == 2, (
            words
        )  # the folders are missing; an unknown option would say "No such option"
        assert "No such option" not in capsys.readouterr().err
