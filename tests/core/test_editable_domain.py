from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from semidavil_core.adaptation.editable_domain import EditableDomain, RelabelledDomain
from semidavil_core.classes import IGNORE_INDEX, ClassInfo, ClassSet
from semidavil_core.data.domains import MemoryDomain, Sample
from semidavil_core.errors import InvalidInput, InvalidLabels


def image(value: int = 0, size: tuple[int, int] = (4, 6)) -> NDArray[np.uint8]:
    return np.full((*size, 3), value, np.uint8)


def labels(value: int = 0, size: tuple[int, int] = (4, 6)) -> NDArray[np.uint8]:
    return np.full(size, value, np.uint8)


@pytest.fixture
def base() -> MemoryDomain:
    return MemoryDomain([Sample("a", image(1), labels(1)), Sample("b", image(2))])


def painted(domain: EditableDomain, name: str) -> list[int] | None:
    """The values of an image's strokes."""
    found = domain.sample(name).labels
    return None if found is None else [int(v) for v in np.unique(found)]


def test_an_untouched_domain_is_its_base(base: MemoryDomain) -> None:
    domain = EditableDomain(base)
    assert domain.names == ("a", "b")
    assert len(domain) == 2
    assert domain[0] is base[0]
    assert domain.sample("b") is base[1]


def test_a_domain_may_start_empty() -> None:
    domain = EditableDomain()
    assert len(domain) == 0
    domain.set_image("x", image(7))
    assert domain.names == ("x",)
    assert domain[0].image[0, 0, 0] == 7
    assert domain[0].labels is None


def test_changes_never_reach_the_base(base: MemoryDomain) -> None:
    domain = EditableDomain(base)
    domain.set_labels("b", labels(2))
    domain.set_image("a", image(9))
    domain.remove("b")
    assert base[0].image[0, 0, 0] == 1
    assert base[1].labels is None
    assert base.names == ("a", "b")


def test_strokes_are_replaced_and_removed(base: MemoryDomain) -> None:
    domain = EditableDomain(base)
    domain.set_labels("b", labels(2))
    domain.set_labels("a", None)
    assert painted(domain, "b") == [2]
    assert painted(domain, "a") is None


def test_a_new_picture_of_the_same_size_keeps_the_strokes(base: MemoryDomain) -> None:
    domain = EditableDomain(base)
    domain.set_image("a", image(9))
    assert domain.sample("a").image[0, 0, 0] == 9
    assert painted(domain, "a") == [1]


def test_a_new_picture_of_another_size_drops_the_strokes(base: MemoryDomain) -> None:
    domain = EditableDomain(base)
    domain.set_image("a", image(9, (5, 6)))
    assert painted(domain, "a") is None


def test_new_images_come_last_and_keep_their_place_when_replaced(base: MemoryDomain) -> None:
    domain = EditableDomain(base)
    domain.set_image("c", image())
    domain.set_image("a", image())
    assert domain.names == ("a", "b", "c")


def test_a_removed_image_is_gone_and_comes_back_without_its_strokes(base: MemoryDomain) -> None:
    domain = EditableDomain(base)
    domain.remove("a")
    assert list(domain.names) == ["b"]
    assert domain[0].name == "b"
    with pytest.raises(InvalidInput, match="'a'"):
        domain.sample("a")
    domain.set_image("a", image())
    assert list(domain.names) == ["b", "a"]
    assert painted(domain, "a") is None


@pytest.mark.parametrize("ask", ["sample", "remove"])
def test_an_unknown_image_is_named_in_the_error(base: MemoryDomain, ask: str) -> None:
    with pytest.raises(InvalidInput, match="no target image called 'zebra'"):
        getattr(EditableDomain(base), ask)("zebra")


def test_strokes_of_another_size_are_refused_and_change_nothing(base: MemoryDomain) -> None:
    domain = EditableDomain(base)
    with pytest.raises(InvalidLabels, match="5 x 6"):
        domain.set_labels("a", labels(2, (5, 6)))
    assert painted(domain, "a") == [1]


def test_a_snapshot_does_not_see_later_changes(base: MemoryDomain) -> None:
    domain = EditableDomain(base)
    snapshot = domain.snapshot()
    domain.set_labels("b", labels(2))
    domain.set_image("c", image())
    domain.remove("a")
    assert snapshot.names == ("a", "b")
    assert painted(snapshot, "b") is None


def test_a_snapshots_changes_do_not_reach_the_original(base: MemoryDomain) -> None:
    domain = EditableDomain(base)
    snapshot = domain.snapshot()
    snapshot.set_labels("b", labels(2))
    snapshot.remove("a")
    assert domain.names == ("a", "b")
    assert painted(domain, "b") is None


def test_painting_on_in_the_array_that_was_handed_over_reaches_neither_domain_nor_snapshot(
    base: MemoryDomain,
) -> None:
    domain = EditableDomain(base)
    canvas = labels(0)
    domain.set_labels("b", canvas)
    snapshot = domain.snapshot()
    canvas[:] = 1
    assert painted(domain, "b") == [0]
    assert painted(snapshot, "b") == [0]


OLD = ClassSet.from_names(["road", "tree", "sky"])


def seen(new: ClassSet, values: list[int]) -> list[int]:
    """Indices of one row of labels under `OLD`, seen with `new`."""
    row = np.array([values], np.uint8)
    domain = RelabelledDomain(MemoryDomain([Sample("a", image(0, row.shape), row)]), OLD, new)
    found = domain[0].labels
    assert found is not None
    return [int(v) for v in found[0]]


def test_labels_follow_their_class_to_its_new_place() -> None:
    assert seen(ClassSet.from_names(["Sky", "road", "tree"]), [0, 1, 2, IGNORE_INDEX]) == [
        1,
        2,
        0,
        IGNORE_INDEX,
    ]


def test_labels_of_a_class_that_is_no_more_count_as_unlabelled() -> None:
    assert seen(ClassSet(OLD.classes[:2]), [0, 1, 2]) == [0, 1, IGNORE_INDEX]


def test_a_renamed_class_keeps_its_labels() -> None:
    renamed = ClassSet((OLD[0], ClassInfo("bush", ("bush",), "#123456", OLD[1].value), OLD[2]))
    assert seen(renamed, [0, 1, 2]) == [0, 1, 2]


def test_a_new_class_takes_no_labels_of_an_old_one() -> None:
    assert seen(OLD.with_class("car"), [0, 1, 2]) == [0, 1, 2]


def test_relabelling_leaves_unlabelled_images_and_names_alone() -> None:
    domain = RelabelledDomain(MemoryDomain([Sample("a", image())]), OLD, ClassSet(OLD.classes[:2]))
    assert domain.names == ("a",)
    assert len(domain) == 1
    assert domain[0].labels is None


@pytest.mark.parametrize(("removed", "left"), [(1, [0, 255, 1]), (2, [0, 1, 255])])
def test_a_class_added_in_place_of_a_removed_one_takes_none_of_its_labels(
    removed: int, left: list[int]
) -> None:
    assert seen(OLD.without(removed).with_class("car"), [0, 1, 2]) == left


def test_a_class_that_was_renamed_and_moved_keeps_its_labels() -> None:
    renamed = OLD.with_changed(0, ClassInfo("street", ("street",), "#123456", OLD[0].value)).with_moved(0, 2)
    assert renamed.names == ("tree", "sky", "street")
    assert seen(renamed, [0, 1, 2]) == [2, 0, 1]


def test_two_classes_that_exchange_their_names_exchange_their_labels() -> None:
    exchanged = OLD.with_changed(0, ClassInfo("x", (), "#123456", OLD[0].value))
    exchanged = exchanged.with_changed(1, ClassInfo("road", (), "#123456", OLD[1].value))
    assert seen(exchanged, [0, 1, 2]) == [1, 255, 2]
