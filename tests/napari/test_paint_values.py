"""A class keeps its value in the Labels layers, whatever is done to the list."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from semidavil_core.classes import ClassSet
from semidavil_napari._paint_values import PaintValues

CITY = ClassSet.from_names(["road", "tree", "sky"])


def values_of(*sets: ClassSet) -> list[int]:
    """The values of the last of `sets`, after following all of them."""
    values = PaintValues()
    for classes in sets:
        values.follow(classes)
    return list(values.of(sets[-1]).tolist())


def test_the_first_classes_get_the_first_values_whatever_their_values_in_files() -> None:
    assert values_of(CITY) == [1, 2, 3]
    assert values_of(ClassSet.from_json([{"name": "a", "value": 7}, {"name": "b", "value": 4}])) == [1, 2]


def test_a_class_keeps_its_value_when_it_moves_or_is_renamed() -> None:
    moved = CITY.with_moved(2, 0)
    assert values_of(CITY, moved) == [3, 1, 2]
    renamed = moved.with_changed(1, replace(moved[1], name="street"))
    assert values_of(CITY, moved, renamed) == [3, 1, 2]
    back = renamed.with_class("road")
    assert values_of(CITY, moved, renamed, back) == [3, 1, 2, 4]


def test_a_removed_class_leaves_its_value_to_nobody_and_gets_it_back() -> None:
    fewer = CITY.without(2)
    assert values_of(CITY, fewer, fewer.with_class("puddle")) == [1, 2, 4]
    assert values_of(CITY, fewer, CITY) == [1, 2, 3]
    assert values_of(CITY, fewer, fewer.with_class("puddle").with_class("sky")) == [1, 2, 4, 3]


def test_another_source_with_the_same_names_in_another_order_keeps_them() -> None:
    assert values_of(CITY, ClassSet.from_names(["sky", "road", "car"])) == [3, 1, 4]


def test_another_source_with_other_names_takes_no_strokes_of_the_classes_before() -> None:
    assert values_of(CITY, ClassSet.from_names(["nucleus", "background"])) == [4, 5]
    assert values_of(CITY, ClassSet.from_names(["nucleus", "background"]), CITY) == [1, 2, 3]


def test_names_that_change_places_one_after_the_other_take_their_strokes_along() -> None:
    first = CITY.with_changed(0, replace(CITY[0], name="x"))
    second = first.with_changed(1, replace(CITY[1], name="road"))
    assert values_of(CITY, first, second) == [1, 2, 3]


def test_indices_and_values_translate_both_ways_and_what_is_no_class_is_unlabelled() -> None:
    values = PaintValues()
    values.follow(CITY)
    moved = CITY.with_moved(2, 0).without(1)
    values.follow(moved)
    np.testing.assert_array_equal(
        values.to_layer(np.array([[0, 1, 255, 9]], np.uint8), moved), [[3, 2, 0, 0]]
    )
    painted = np.array([[0, 1, 2, 3, 300, -1]], np.int32)
    np.testing.assert_array_equal(values.to_indices(painted, moved), [[255, 255, 1, 0, 255, 255]])
    np.testing.assert_array_equal(values.to_indices(painted[:, :4].astype(np.uint8), CITY), [[255, 0, 1, 2]])
    assert values.index_of(3, moved) == 0
    assert values.index_of(1, moved) is None


def test_older_classes_are_still_understood() -> None:
    values = PaintValues()
    values.follow(CITY)
    values.follow(CITY.with_changed(0, replace(CITY[0], name="street")).without(1))
    assert values.of(CITY).tolist() == [1, 2, 3]


def test_every_class_is_drawn_in_its_colour_and_nothing_else_is() -> None:
    values = PaintValues()
    values.follow(CITY)
    colours = values.colormap(CITY.with_moved(2, 0)).color_dict
    np.testing.assert_allclose(colours[3][:3] * 255, CITY.palette[2], atol=0.01)
    assert colours[None][3] == colours[0][3] == 0


def test_another_window_on_the_same_layers_learns_their_values() -> None:
    first, second = PaintValues(), PaintValues()
    first.follow(CITY)
    second.learn(first.known())
    moved = CITY.with_moved(2, 0)
    second.follow(moved)
    assert second.of(moved).tolist() == [3, 1, 2]


def test_when_all_values_are_used_up_those_of_absent_classes_are_given_again() -> None:
    values, many = PaintValues(), [ClassSet.from_names([f"{k}/{n}" for n in range(200)]) for k in range(2)]
    for classes in many:
        values.follow(classes)
        assert len(set(values.of(classes).tolist())) == 200


def test_the_values_of_a_layer_from_elsewhere_are_translated_only_where_they_mean_something_else() -> None:
    values = PaintValues()
    values.follow(CITY)
    assert values.table_from({"road": 1, "tree": 2}) is None
    table = values.table_from({"cell": 1, "sky": 2, "nucleus": 9})
    assert table is not None
    assert table[[0, 1, 2, 9, 77]].tolist() == [0, 4, 3, 9, 77]
    assert values.table_from({"cell": 4, "nucleus": 9}) is None


def test_a_class_that_was_renamed_still_owns_the_strokes_of_its_former_name() -> None:
    values = PaintValues()
    values.follow(CITY)
    values.follow(CITY.with_changed(0, replace(CITY[0], name="street")))
    told = values.known()
    values.follow(CITY.with_changed(0, replace(CITY[0], name="street")).with_class("road"))
    assert values.table_from(told) is None
