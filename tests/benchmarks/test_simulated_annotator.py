from __future__ import annotations

import numpy as np
from scipy.ndimage import label as connected_parts
from simulated_annotator import PaintedStrokes, SimulatedAnnotator

from semidavil_core.classes import IGNORE_INDEX


def street() -> np.ndarray:
    truth = np.zeros((100, 140), np.uint8)
    truth[60:] = 1
    truth[20:90, 70:73] = 2  # a pole
    truth[:10] = IGNORE_INDEX
    return truth


def test_a_stroke_is_of_the_true_class_at_the_place_and_stays_within_it() -> None:
    truth, annotator = street(), SimulatedAnnotator()
    for seed, (row, column) in enumerate([(30, 20), (80, 110), (50, 71), (99, 0), (59, 69)]):
        stroke = annotator.paint(truth, (row, column), np.random.default_rng(seed))
        assert stroke is not None
        painted = stroke != IGNORE_INDEX
        assert stroke[row, column] == truth[row, column]
        assert (truth[painted] == truth[row, column]).all()
        assert connected_parts(painted, np.ones((3, 3)))[1] == 1


def test_a_stroke_is_short_and_thin() -> None:
    stroke = SimulatedAnnotator(length=0.2, width=3).paint(street(), (30, 20), np.random.default_rng(0))
    assert stroke is not None
    rows, columns = np.nonzero(stroke != IGNORE_INDEX)
    assert 10 < max(np.ptp(rows), np.ptp(columns)) <= 20 + 3
    assert rows.size <= 3 * 30


def test_a_place_without_a_label_takes_the_nearest_one_or_none() -> None:
    truth, annotator = street(), SimulatedAnnotator(reach=0.05)
    near = annotator.paint(truth, (7, 20), np.random.default_rng(0))
    assert near is not None
    assert near[10, 20] == 0
    assert annotator.paint(truth, (0, 20), np.random.default_rng(0)) is None
    assert annotator.paint(np.full((9, 9), IGNORE_INDEX, np.uint8), (4, 4), np.random.default_rng(0)) is None


def test_the_seed_decides_where_a_stroke_leads() -> None:
    one, same, other = (
        SimulatedAnnotator().paint(street(), (80, 110), np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert one is not None
    assert other is not None
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_later_strokes_lie_over_earlier_ones() -> None:
    strokes = PaintedStrokes()
    for value, columns in ((0, slice(0, 4)), (1, slice(2, 6))):
        stroke = np.full((2, 8), IGNORE_INDEX, np.uint8)
        stroke[:, columns] = value
        strokes.add("a", stroke)
    assert strokes.maps["a"][0].tolist() == [0, 0, 1, 1, 1, 1, 255, 255]
    assert strokes.count == 2
