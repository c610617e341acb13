"""The list of classes: what a person does to it, and that nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from qtpy.QtCore import Qt

from semidavil_core.classes import ClassSet
from semidavil_napari._panels.class_table import COLOUR, NAME, PAINTED, SCORE, SYNONYMS
from semidavil_napari._panels.classes import ClassesPanel
from tests.napari.conftest import child

pytestmark = pytest.mark.gui

CITY = ClassSet.from_json(
    [
        {"name": "road", "prompts": ["road", "street"], "value": 7},
        {"name": "tree", "value": 3},
        {"name": "sky", "value": 1},
    ]
)


@pytest.fixture
def panel(qtbot) -> ClassesPanel:
    panel = ClassesPanel()
    qtbot.addWidget(panel)
    panel.setValue(CITY)
    panel.setPainted([120, 0, 1500])
    panel.show()
    return panel


def click(qtbot, panel: ClassesPanel, name: str) -> None:
    qtbot.mouseClick(child(panel, name), Qt.MouseButton.LeftButton)


def text(panel: ClassesPanel, row: int, column: int) -> str:
    return child(panel, "semidavil_classes").item(row, column).text()


def names(panel: ClassesPanel) -> tuple[str, ...]:
    classes = panel.value()
    return classes.names if classes is not None else ()


def choose(panel: ClassesPanel, row: int) -> None:
    child(panel, "semidavil_classes").selectRow(row)


def test_every_class_shows_its_key_name_synonyms_painted_pixels_and_score(panel: ClassesPanel) -> None:
    panel.setScores({"sky": 0.834, "gone": 1.0})
    assert [text(panel, 0, c) for c in (NAME, SYNONYMS, PAINTED, SCORE)] == ["road", "street", "120", "–"]
    assert [text(panel, 2, c) for c in (NAME, SYNONYMS, PAINTED, SCORE)] == ["sky", "", "1,500", "83%"]
    table = child(panel, "semidavil_classes")
    assert [table.verticalHeaderItem(row).text() for row in range(3)] == ["1", "2", "3"]
    assert table.horizontalHeader().visualIndex(COLOUR) == 0


def test_a_typed_name_becomes_a_class_at_once(panel: ClassesPanel, qtbot) -> None:
    name = child(panel, "semidavil_class_name")
    name.setText(" puddle ")
    with qtbot.waitSignal(panel.changed):
        qtbot.keyClick(name, Qt.Key.Key_Return)
    assert names(panel) == ("road", "tree", "sky", "puddle")
    assert panel.value()[3].value not in CITY.values
    assert name.text() == ""


def test_a_name_that_is_taken_is_refused_in_a_sentence_and_the_list_stays(panel: ClassesPanel, qtbot) -> None:
    child(panel, "semidavil_class_name").setText("Road")
    click(qtbot, panel, "semidavil_add_class")
    assert "occurs more than once" in panel.words()
    assert panel.value() == CITY
    assert panel.validation_error() is None
    child(panel, "semidavil_classes").item(1, NAME).setText("road")
    assert "occurs more than once" in panel.words()
    assert text(panel, 1, NAME) == "tree"


def test_renaming_keeps_value_colour_and_synonyms(panel: ClassesPanel) -> None:
    child(panel, "semidavil_classes").item(0, NAME).setText("asphalt")
    info = panel.value()[0]
    assert (info.name, info.prompts, info.value, info.color) == (
        "asphalt",
        ("asphalt", "street"),
        7,
        CITY[0].color,
    )
    assert panel.words() == ""


def test_a_score_follows_its_class_through_a_new_name_and_another_place(panel: ClassesPanel, qtbot) -> None:
    panel.setScores({"road": 0.5})
    child(panel, "semidavil_classes").item(0, NAME).setText("asphalt")
    choose(panel, 0)
    click(qtbot, panel, "semidavil_class_down")
    assert [text(panel, row, SCORE) for row in range(3)] == ["–", "50%", "–"]


def test_synonyms_are_typed_with_commas(panel: ClassesPanel) -> None:
    child(panel, "semidavil_classes").item(2, SYNONYMS).setText("clouds,  blue sky,,sky")
    assert panel.value()[2].prompts == ("sky", "clouds", "blue sky")
    child(panel, "semidavil_classes").item(2, SYNONYMS).setText("")
    assert panel.value()[2].prompts == ("sky",)


def test_a_click_on_the_colour_asks_for_another_and_a_click_elsewhere_paints(
    panel: ClassesPanel, qtbot, monkeypatch
) -> None:
    monkeypatch.setattr(panel, "ask_colour", lambda present: "#123456" if present == CITY[1].color else None)
    table = child(panel, "semidavil_classes")
    table.cellClicked.emit(1, COLOUR)
    assert [c.color for c in panel.value()] == [CITY[0].color, "#123456", CITY[2].color]
    table.cellClicked.emit(0, COLOUR)
    assert panel.value()[0].color == CITY[0].color
    with qtbot.waitSignal(panel.class_selected) as chosen:
        table.cellClicked.emit(2, NAME)
    assert chosen.args == [2]


def test_the_colour_of_the_chosen_class_is_not_tinted_by_the_highlight(panel: ClassesPanel) -> None:
    choose(panel, 1)
    table = child(panel, "semidavil_classes")
    for row in range(3):
        cell = table.visualRect(table.model().index(row, COLOUR))
        seen = table.viewport().grab(cell).toImage().pixelColor(cell.width() // 2, cell.height() // 2)
        assert seen.name() == CITY[row].color


def test_classes_move_with_buttons_and_by_dragging_their_number(panel: ClassesPanel, qtbot) -> None:
    up, down = child(panel, "semidavil_class_up"), child(panel, "semidavil_class_down")
    assert not up.isEnabled()
    choose(panel, 2)
    assert not down.isEnabled()
    click(qtbot, panel, "semidavil_class_up")
    assert names(panel) == ("road", "sky", "tree")
    assert child(panel, "semidavil_classes").currentRow() == 1
    click(qtbot, panel, "semidavil_class_up")
    assert names(panel) == ("sky", "road", "tree")
    header = child(panel, "semidavil_classes").verticalHeader()
    with qtbot.waitSignal(panel.changed):
        header.moveSection(0, 2)
    assert names(panel) == ("road", "tree", "sky")
    assert [header.visualIndex(row) for row in range(3)] == [0, 1, 2]
    assert panel.value().values == (7, 3, 1)


def test_removal_asks_with_the_painted_pixels_and_is_undone(panel: ClassesPanel, qtbot, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(
        panel, "ask_removal", lambda name, pixels: asked.append((name, pixels)) or len(asked) > 1
    )
    choose(panel, 0)
    click(qtbot, panel, "semidavil_class_remove")
    assert panel.value() == CITY
    click(qtbot, panel, "semidavil_class_remove")
    assert asked == [("road", 120)] * 2
    assert names(panel) == ("tree", "sky")
    undo = child(panel, "semidavil_undo_removal")
    assert undo.isVisible()
    assert panel.value().with_class("x")[2].value != 7
    choose(panel, 0)
    click(qtbot, panel, "semidavil_class_remove")
    for expected in (("tree", "sky"), ("road", "tree", "sky")):
        click(qtbot, panel, "semidavil_undo_removal")
        assert names(panel) == expected
    assert panel.value() == CITY
    assert not undo.isVisible()


def test_a_removed_class_that_is_typed_again_comes_back_as_it_was(
    panel: ClassesPanel, qtbot, monkeypatch
) -> None:
    monkeypatch.setattr(panel, "ask_removal", lambda *_: True)
    choose(panel, 0)
    click(qtbot, panel, "semidavil_class_remove")
    child(panel, "semidavil_class_name").setText("Road")
    click(qtbot, panel, "semidavil_add_class")
    assert panel.value()[2] == CITY[0]
    assert not child(panel, "semidavil_undo_removal").isVisible()


def test_the_last_class_stays(panel: ClassesPanel, qtbot) -> None:
    panel.setValue(ClassSet(CITY.classes[:1]))
    choose(panel, 0)
    click(qtbot, panel, "semidavil_class_remove")
    assert "only class" in panel.words()
    assert names(panel) == ("road",)
    assert panel.validation_error() == "Add at least two classes."


def test_classes_are_exported_and_imported(panel: ClassesPanel, qtbot, monkeypatch, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    monkeypatch.setattr(panel, "ask_file", lambda *, save: path)
    click(qtbot, panel, "semidavil_class_export")
    assert str(path) in panel.words()
    assert ClassSet.read(path) == CITY
    path.write_text(json.dumps(["cell", "background"]), encoding="utf-8")
    click(qtbot, panel, "semidavil_class_import")
    assert names(panel) == ("cell", "background")
    path.write_text("{", encoding="utf-8")
    click(qtbot, panel, "semidavil_class_import")
    assert "mine.json" in panel.words()
    assert names(panel) == ("cell", "background")


def test_a_folder_that_cannot_be_written_is_told(
    panel: ClassesPanel, qtbot, monkeypatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(panel, "ask_file", lambda *, save: tmp_path / "file" / "x.json")
    click(qtbot, panel, "semidavil_class_export")
    assert "x.json" in panel.words() or "file" in panel.words()


def test_everything_in_the_panel_explains_itself(panel: ClassesPanel) -> None:
    for part in ("classes", "class_name", "add_class", "class_up", "class_down", "class_remove", "class_look", "class_import", "class_export"):  # fmt: skip
        assert child(panel, f"semidavil_{part}").toolTip()
