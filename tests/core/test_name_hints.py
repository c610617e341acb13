"""What names say of painted images teaches, unless a name fits strokes of other classes too."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from semidavil_core.adaptation.name_hints import NamesSeen, see_names, with_hints
from semidavil_core.data.domains import MemoryDomain, Sample
from semidavil_core.inference.predict import Predictor
from tests.core.tiny_names import ByBrightness, row_of_pixels


def domain_of(*images: tuple[list[int], list[int]]) -> MemoryDomain:
    samples = [row_of_pixels(f"i{n}", bright, labels) for n, (bright, labels) in enumerate(images)]
    return MemoryDomain(samples)


def seen(
    *images: tuple[list[int], list[int]], predictor: ByBrightness | None = None, go_on: bool = True
) -> NamesSeen:
    predictor = predictor or ByBrightness()
    return see_names(cast("Predictor", predictor), domain_of(*images), [2], 3, lambda: go_on)


def listed(found: NamesSeen) -> dict[str, list[list[int]]]:
    return {image: hints.tolist() for image, hints in found.hints.items()}


def alarms(*images: tuple[list[int], list[int]]) -> dict[int, float]:
    return dict(seen(*images).alarms)


def test_each_other_class_counts_alike_however_much_of_it_is_painted() -> None:
    found = alarms(([60, 60, 10, 10], [1, 255, 0, 0]), ([40, 40, 90, 90], [0, 0, 2, 255]))
    assert found == {2: 0.5}, (
        "all of class 1, nothing of class 0; its own strokes and unpainted places do not count"
    )
    many = alarms(([60, 10, 60, 10], [0, 0, 1, 1]))
    assert many == {2: 0.5}


def test_a_name_that_is_not_sure_of_others_strokes_gives_no_alarm() -> None:
    assert alarms(([49, 49], [0, 1])) == {2: 0.0}
    assert alarms(([51, 49], [0, 1])) == {2: 0.5}


@pytest.mark.parametrize("images", [(), (([90, 90], [2, 255]),)], ids=["no strokes", "of the new class only"])
def test_without_strokes_of_others_nothing_is_said(images: tuple[tuple[list[int], list[int]], ...]) -> None:
    assert alarms(*images) == {}


def test_where_nothing_is_painted_names_speak_all_the_same() -> None:
    images = [Sample(f"i{n}", np.full((1, 1, 3), 60, np.uint8)) for n in range(2)]
    found = see_names(cast("Predictor", ByBrightness()), MemoryDomain(images), [2], 3)
    assert listed(found) == {"i0": [[2]], "i1": [[2]]}
    assert (found.proven, found.alarms, found.misnamed) == ((), {}, ())


def test_one_image_is_looked_at_even_where_there_is_no_time() -> None:
    predictor = ByBrightness()
    found = seen(([60, 10], [0, 1]), ([60, 60], [0, 1]), predictor=predictor, go_on=False)
    assert found.alarms == {2: 0.5}
    assert list(found.hints) == ["i0"]
    assert predictor.looks == 1


def test_a_typed_class_is_hinted_at_from_a_half_on_unless_its_name_takes_more_than_a_tenth_of_the_others() -> (
    None
):
    few = seen(([60] + [10] * 9, [0] * 10), ([80, 40, 10], [255, 255, 255]))
    assert listed(few) == {"i0": [[2] + [255] * 9]}
    assert (few.proven, few.misnamed) == ((), ())
    many = seen(([60, 60] + [10] * 8, [0] * 10))
    assert listed(many) == {"i0": [[255] * 10]}
    assert (many.proven, many.misnamed) == ((), (2,))


def test_its_own_strokes_bear_a_name_out() -> None:
    found = seen(([60, 10, 85, 90, 10], [2, 2, 0, 255, 0]), ([10, 80], [1, 1]))
    # half of its own pixels, half of class 0's, half of class 1's: a third, and less from higher probabilities on
    assert (found.proven, found.misnamed) == ((), (2,))
    found = seen(([60, 60, 55, 90, 10], [2, 2, 0, 255, 0]), ([10, 49], [1, 1]))
    # all of its own, half of class 0's: two thirds, whatever the mean over the others is
    assert found.alarms == {2: 0.25}
    assert (found.proven, found.misnamed) == ((2,), ())
    assert listed(found)["i0"] == [[2, 2, 2, 2, 255]]


def test_a_name_is_believed_from_the_least_probability_at_which_it_is_precise() -> None:
    found = seen(([85, 85, 75, 75, 85, 60], [2, 2, 0, 1, 255, 255]))
    assert found.proven == (2,), "from 0.8 on none of the others goes by it"
    assert listed(found) == {"i0": [[2, 2, 255, 255, 2, 255]]}


def test_a_name_that_finds_none_of_its_own_strokes_is_not_believed_however_few_others_it_takes() -> None:
    found = seen(([10, 10, 90, 10], [2, 2, 255, 0]))
    assert listed(found) == {"i0": [[255] * 4]}
    assert (found.proven, found.misnamed) == ((), ())


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        (([60, 60, 60], [2, 0, 1]), False),  # all of everything
        (([60, 60, 10], [2, 0, 0]), True),  # all of it, half of another
        (([10, 60, 60], [2, 0, 255]), False),
        (([10, 10, 10], [2, 0, 0]), True),  # none at all: no harm
        (([60, 60, 60], [255, 0, 0]), False),  # nothing of it is painted
    ],
)
def test_a_name_fits_unless_it_takes_more_of_others_than_of_its_own(
    name: tuple[list[int], list[int]], *, fits: bool
) -> None:
    assert seen(name).fitting == ((2,) if fits else ())


def test_hints_join_the_images_that_have_some_and_leave_strokes_alone() -> None:
    target = domain_of(([60, 10], [0, 1]), ([60, 60], [0, 255]))
    hint = np.array([[2, 255]], np.uint8)
    hinted = with_hints(target, {"i1": hint})
    assert hinted.names == target.names
    assert hinted[0].hints is None
    np.testing.assert_array_equal(hinted[1].hints, hint)  # type: ignore[arg-type]
    np.testing.assert_array_equal(hinted[1].labels, target[1].labels)  # type: ignore[arg-type]
    assert with_hints(target, {}) is target
