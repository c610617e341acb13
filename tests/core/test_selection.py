from __future__ import annotations

import numpy as np
import pytest

from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.data.domains import MemoryDomain, Sample
from semidavil_core.data.selection import evenly, judged_samples, painted_indices


@pytest.mark.parametrize(
    ("count", "at_most", "expected"),
    [
        (0, 3, []),
        (2, 3, [0, 1]),
        (6, 3, [0, 2, 4]),
        (7, 3, [0, 3, 6]),
        (7, 1, [0]),
        (4, 4, [0, 1, 2, 3]),
    ],
)
def test_every_nth_item_is_taken_and_no_more_than_wanted(
    count: int, at_most: int, expected: list[int]
) -> None:
    assert list(range(count))[evenly(count, at_most)] == expected


def test_painted_are_the_samples_with_a_stroke() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    empty = np.full((4, 4), IGNORE_INDEX, np.uint8)
    stroke = empty.copy()
    stroke[1, 1] = 0
    domain = MemoryDomain(
        [Sample("bare", image), Sample("wiped", image, empty), Sample("painted", image, stroke)]
    )
    assert painted_indices(domain) == [2]


@pytest.mark.parametrize(("painted", "looked_at"), [(0, []), (3, [0, 1, 2]), (40, list(range(0, 40, 3)))])
def test_a_look_takes_up_to_sixteen_painted_samples_evenly_chosen(painted: int, looked_at: list[int]) -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    samples = [Sample(str(n), image, np.full((2, 2), n % 3, np.uint8)) for n in range(painted)]
    found = list(judged_samples(MemoryDomain([*samples, Sample("bare", image)])))
    assert [int(sample.name) for sample, _ in found] == looked_at
    assert all(labels is sample.labels for sample, labels in found)
