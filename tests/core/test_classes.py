"""The class set: its rules, its values in files, and its JSON."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semidavil_core.class_colours import DEFAULT_COLORS
from semidavil_core.classes import IGNORE_INDEX, ClassInfo, ClassSet
from semidavil_core.errors import InvalidClasses, InvalidLabels

CITY = ClassSet.from_json(
    [
        {"name": "road", "prompts": ["road", "street"], "color": "#804080", "value": 7},
        {"name": "pole", "value": 17},
    ]
)


def test_names_alone_make_a_class_set_with_values_colours_and_prompts() -> None:
    classes = ClassSet.from_names(["cell ", "", "background"])
    assert classes.names == ("cell", "background")
    assert classes.values == (0, 1)
    assert [c.prompts for c in classes] == [("cell",), ("background",)]
    assert [c.color for c in classes] == list(DEFAULT_COLORS[:2])


def test_a_class_without_prompts_is_prompted_by_its_name() -> None:
    assert ClassInfo("pole", (), "#000000", 0).prompts == ("pole",)


def test_the_json_of_a_class_set_reads_back_equal(tmp_path: Path) -> None:
    (tmp_path / "classes.json").write_text(
        json.dumps(CITY.to_json()), encoding="utf-8-sig"
    )  # with the mark some editors write
    assert ClassSet.read(tmp_path) == CITY
    assert ClassSet.from_json({"classes": CITY.to_json()}) == CITY
    assert hash(pickle.loads(pickle.dumps(CITY))) == hash(CITY)


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([], "empty"),
        ([""], "empty name"),
        (["a", "A"], "occurs more than once"),
        ([{"name": "a", "value": 1}, {"name": "b", "value": 1}], "value 1 occurs more than once"),
        ([{"name": "a", "value": 255}], "255"),
        ([{"name": "a", "value": -1}], "-1"),
        ([{"name": "a", "value": 1.0}], "1.0"),
        ([{"name": "a", "value": True}], "True"),
        ([{"name": "a", "color": "red"}], "#rrggbb"),
        ([{"name": "a", "prompts": "road"}], "list of texts"),
        ([{"name": "a", "prompts": [" "]}], "list of texts"),
        ([{"label": "a"}], "entry 1"),
        ([3], "entry 1"),
        ("road", "expected a list"),
        ([f"c{i}" for i in range(255)], "at most 254"),
    ],
)
def test_a_broken_class_list_is_refused_with_what_is_wrong(entries: Any, told: str) -> None:
    with pytest.raises(InvalidClasses, match=told):
        ClassSet.from_json(entries)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00"])
def test_an_unreadable_classes_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(content)
    with pytest.raises(InvalidClasses, match=r"mine\.json"):
        ClassSet.read(path)
    with pytest.raises(InvalidClasses, match=r"nowhere\.json"):
        ClassSet.read(tmp_path / "nowhere.json")


def test_values_and_indices_translate_both_ways() -> None:
    values = np.array([[7, 17, 255]], np.uint8)
    indices = CITY.to_indices(values, where="x")
    assert indices.tolist() == [[0, 1, IGNORE_INDEX]]
    assert indices.dtype == np.uint8
    np.testing.assert_array_equal(CITY.to_values(indices), values)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(0, np.uint8), (300, np.uint16), (-1, np.int32), (256 + 7, np.uint16), (2**63, np.uint64)],
)
def test_a_value_that_is_no_class_is_named_unless_unlisted_values_are_ignored(
    value: int, dtype: type
) -> None:
    values = np.array([[7, value]], dtype)
    with pytest.raises(InvalidLabels, match=rf"x holds the label values \[{value}\]"):
        CITY.to_indices(values, where="x")
    assert CITY.to_indices(values, where="x", unlisted_is_ignored=True).tolist() == [[0, IGNORE_INDEX]]


def test_a_typed_class_gets_a_new_value_and_a_colour_of_its_own() -> None:
    more = ClassSet.from_names(["a", "b"]).with_class(" c ")
    assert more.names == ("a", "b", "c")
    assert more[2].value == 2
    assert more[2].color in DEFAULT_COLORS[2:]
    assert CITY.with_class("sky")[2].value == 18
    assert len(CITY) == 2


def test_the_value_of_a_removed_class_is_given_to_no_other_while_there_are_more() -> None:
    fewer = CITY.without(1)
    assert fewer.names == ("road",)
    assert ClassSet.from_names(["a", "b"]).without(1).with_moved(0, 0).with_class("c").values == (0, 2)
    assert fewer.with_changed(0, fewer[0]).retired == {17}
    assert fewer == ClassSet(CITY.classes[:1])
    full = ClassSet.from_names([f"c{i}" for i in range(254)])
    assert full.without(0).without(0).with_class("x").with_class("y").values[-2:] == (254, 0)
    with pytest.raises(InvalidClasses, match="empty"):
        fewer.without(0)


def test_classes_move_and_change_without_touching_the_others() -> None:
    three = CITY.with_class("sky")
    assert three.with_moved(2, 0).names == ("sky", "road", "pole")
    assert three.with_moved(0, 1).values == (17, 7, 18)
    with pytest.raises(InvalidClasses, match="more than once"):
        three.with_changed(2, ClassInfo("Road", (), "#000000", 18))


def test_a_class_is_found_in_any_case() -> None:
    assert CITY.index(" Pole") == 1
    assert ClassSet((ClassInfo(" spaced ", (), "#000000", 0),)).index("spaced") == 0
    with pytest.raises(InvalidClasses, match="road, pole"):
        CITY.index("sky")


def test_the_palette_is_in_order() -> None:
    assert CITY.palette[0].tolist() == [0x80, 0x40, 0x80]
    assert CITY.palette.shape == (2, 3)
