"""What a round does not see: chosen by seed and strokes, the same round after round, never what was trained on."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from semidavil_core.adaptation.held_out import HeldOutStrokes, HoldOut, Stroke, strokes_of
from semidavil_core.adaptation.held_out_check import HeldOutWatch, StrokeShares, compare
from semidavil_core.data.domains import MemoryDomain, Sample
from semidavil_core.events import HeldOutMeasured
from tests.core.tiny_tower import tiny_segmenter

SIZE = (60, 80)
Labels = NDArray[np.uint8]
MODEL = tiny_segmenter()


def bare() -> Labels:
    return np.full(SIZE, 255, np.uint8)


def with_strokes(classes: Iterable[int] = (0, 1), count: int = 10, length: int = 12) -> Labels:
    """`count` strokes of each class, one under the other, each class in its own columns."""
    labels = bare()
    for k in classes:
        for row in range(count):
            labels[3 + 5 * row, 2 + 15 * k : 2 + 15 * k + length] = k
    return labels


def domain(*maps: Labels | None, seed: int = 0) -> MemoryDomain:
    rng = np.random.default_rng(seed)
    images = [rng.integers(0, 255, (*SIZE, 3), np.uint8) for _ in maps]
    return MemoryDomain(
        [Sample(f"i{n}", image, labels) for n, (image, labels) in enumerate(zip(images, maps, strict=True))]
    )


def held_pixels(held: HeldOutStrokes) -> set[tuple[str, int]]:
    return {(s.image, int(p)) for s in held.strokes for p in s.pixels}


def test_strokes_are_what_hangs_together_corners_included() -> None:
    labels = bare()
    labels[2, 2:6] = labels[3, 6] = 0
    labels[2, 20:24] = 0
    labels[4, 6] = 1
    found = strokes_of(Sample("a", np.zeros((*SIZE, 3), np.uint8), labels))
    assert [(s.label, s.pixels.size) for s in found] == [(0, 5), (0, 4), (1, 1)]


def test_about_the_share_of_each_class_is_kept_aside_as_whole_strokes() -> None:
    target = domain(with_strokes(), with_strokes())
    held = HoldOut().choose(target, 0.15)
    for k in (0, 1):
        sizes = [s.pixels.size for s in held.strokes if s.label == k]
        assert set(sizes) == {12}
        assert 0.1 <= sum(sizes) / (2 * 10 * 12) <= 0.2


def test_training_sees_all_but_the_held_out_strokes_and_the_target_is_not_changed() -> None:
    target = domain(with_strokes(), None)
    labels = target[0].labels
    assert labels is not None
    before = labels.copy()
    held = HoldOut().choose(target, 0.15)
    seen = held.removed_from(target)[0].labels
    assert seen is not None
    aside = np.zeros(SIZE, bool)
    for stroke in held.strokes:
        aside.flat[stroke.pixels] = True
    assert (seen[aside] == 255).all()
    np.testing.assert_array_equal(seen[~aside], before[~aside])
    np.testing.assert_array_equal(labels, before)
    assert held.removed_from(target)[1].labels is None
    assert held.removed_from(target).names == target.names


def test_the_seed_and_the_strokes_decide() -> None:
    target = domain(with_strokes(), with_strokes())
    first = held_pixels(HoldOut(1).choose(target, 0.15))
    assert held_pixels(HoldOut(1).choose(target, 0.15)) == first
    assert any(held_pixels(HoldOut(seed).choose(target, 0.15)) != first for seed in (2, 3))


def test_the_same_strokes_stay_aside_while_a_person_paints_on() -> None:
    hold_out, labels = HoldOut(), with_strokes()
    first = held_pixels(hold_out.choose(domain(labels), 0.15))
    hold_out.trained()
    more = labels.copy()
    more[3::5, 16] = 0  # longer strokes of class 0
    more[50:58, 40:70] = 1
    second = held_pixels(hold_out.choose(domain(more), 0.15))
    assert first <= second


def test_what_was_trained_on_is_never_kept_aside_and_new_strokes_may_be() -> None:
    hold_out, labels = HoldOut(), with_strokes(count=4)
    assert not hold_out.choose(domain(labels), 0.0).strokes
    hold_out.trained()
    assert not hold_out.choose(domain(labels), 0.15).strokes
    more = with_strokes(count=10)
    new = hold_out.choose(domain(more), 0.15)
    assert new.strokes
    assert all(s.pixels[0] // SIZE[1] >= 3 + 5 * 4 for s in new.strokes)


def test_a_round_that_failed_counts_as_none() -> None:
    hold_out, labels = HoldOut(), with_strokes()
    hold_out.choose(domain(labels), 0.0)  # its round failed: trained() was not called
    assert hold_out.choose(domain(labels), 0.15).strokes


def test_erased_strokes_are_measured_no_more_and_another_image_of_the_name_starts_afresh() -> None:
    hold_out, labels = HoldOut(), with_strokes()
    first = hold_out.choose(domain(labels), 0.15)
    hold_out.trained()
    erased = labels.copy()
    erased.flat[first.strokes[0].pixels] = 255
    gone = {("i0", int(p)) for p in first.strokes[0].pixels}
    assert not gone & held_pixels(hold_out.choose(domain(erased), 0.15))
    other = HoldOut()
    other.choose(domain(labels), 0.15)
    other.trained()
    assert held_pixels(other.choose(domain(labels, seed=5), 0.15)) == held_pixels(first)


def test_of_few_strokes_the_end_of_a_long_one_is_kept_aside() -> None:
    labels = bare()
    labels[10:13, 5:65] = 0
    labels[30:33, 5:65] = 1
    held = HoldOut().choose(domain(labels), 0.15)
    assert [s.label for s in held.strokes] == [0, 1]
    for stroke in held.strokes:
        assert stroke.pixels.size == 27  # 15 % of 180
        assert (stroke.pixels % SIZE[1]).min() >= 56  # all at one end
        assert (np.diff(stroke.pixels) > 0).all()


def test_a_class_with_little_paint_keeps_all_of_it() -> None:
    labels = with_strokes(classes=[0], count=10)
    labels[40, 60:70] = 1
    labels[45, 60:70] = 1
    held = HoldOut().choose(domain(labels), 0.15)
    assert {s.label for s in held.strokes} == {0}


@pytest.mark.parametrize("labels", [bare(), with_strokes(count=1, length=5)])
def test_with_too_few_strokes_nothing_is_kept_aside(labels: Labels) -> None:
    held = HoldOut().choose(domain(labels), 0.15)
    assert not held.strokes
    assert held.removed_from(target := domain(labels)) is target


def test_of_very_many_strokes_only_as_many_as_tell_something_are_kept_aside() -> None:
    held = HoldOut().choose(domain(*[with_strokes(classes=[0], count=11) for _ in range(30)]), 0.15)
    assert len(held) == 8


# figures


def shares(right: Iterable[float], labels: Iterable[int] | None = None, pixels: int = 10) -> StrokeShares:
    right = list(right)
    held = HeldOutStrokes(
        Stroke(f"i{n}", np.arange(pixels), k, 10)
        for n, k in enumerate(labels if labels is not None else [0] * len(right))
    )
    found = StrokeShares(held)
    found.right[:] = right
    return found


def test_the_figure_is_the_mean_over_the_classes() -> None:
    found = shares([1.0, 1.0, 1.0, 0.0], labels=[0, 0, 0, 1])
    assert found.accuracies() == {0: 1.0, 1: 0.0}
    assert found.accuracy == 0.5
    assert shares([]).accuracy is None


def test_predictions_are_counted_on_the_held_out_pixels_only() -> None:
    found = StrokeShares(HeldOutStrokes([Stroke("a", np.array([0, 1, 5]), 1, 4)]))
    prediction = np.array([[1, 0, 1, 1], [1, 1, 0, 0]], np.uint8)
    found.saw("b", prediction)
    assert found.unseen == ["a"]
    found.saw("a", prediction)
    assert found.accuracy == pytest.approx(2 / 3)


def test_only_strokes_that_were_looked_at_twice_are_compared() -> None:
    found = compare(shares([1.0, np.nan, 0.5]), shares([0.5, 1.0, np.nan]))
    assert found is not None
    assert (found.before, found.after, found.strokes) == (1.0, 0.5, 1)
    assert compare(shares([np.nan]), shares([1.0])) is None


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        ([0.9] * 12, [0.6] * 12, True),  # all of many strokes fell
        ([0.9] * 12, [0.88] * 12, False),  # hardly
        ([0.6] * 12, [0.9] * 12, False),
        ([0.9, 0.1] * 6, [0.1, 0.8] * 6, False),  # up and down
        ([0.9], [0.5], False),  # one stroke proves little
        ([0.9, 0.9], [0.4, 0.45], True),
        ([0.9] * 4, [0.9, 0.9, 0.9, 0.2], False),  # one of four
    ],
)
def test_a_round_is_worse_only_where_chance_does_not_explain_it(
    before: list[float], after: list[float], worse: bool
) -> None:
    found = compare(shares(before), shares(after))
    assert found is not None
    assert found.worse is worse


def test_more_strokes_allow_a_finer_verdict() -> None:
    margins = []
    for count in (1, 2, 4, 10, 40):
        found = compare(shares([0.8] * count), shares([0.7, 0.9][n % 2] for n in range(count)))
        assert found is not None
        margins.append(found.margin)
    assert margins == sorted(margins, reverse=True)
    assert margins[-1] < 0.05


def test_scores_are_named_for_the_window() -> None:
    found = compare(shares([0.9] * 8, [0, 1] * 4), shares([0.4, 0.5] * 4, [0, 1] * 4))
    assert found is not None
    assert found.scores(("road", "sky")) == {
        "held_out_accuracy_before": pytest.approx(0.9),
        "held_out_accuracy_after": pytest.approx(0.45),
        "held_out_margin": found.margin,
        "held_out_strokes": 8.0,
        "held_out_worse": 1.0,
        "class/road": pytest.approx(0.4),
        "class/sky": pytest.approx(0.5),
        "lost/road": pytest.approx(0.4),  # less than half of what it was
    }


# while a round runs


class Clock:
    """Every look at an image takes 0.1 s, everything else nothing."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def watched(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> tuple[HeldOutWatch, list[str]]:
    target = domain(*[with_strokes(classes=[0], count=10) for _ in range(3)])
    held = HoldOut().choose(target, 0.5)
    assert len(held.by_image) == 3
    watch, looked = HeldOutWatch(StrokeShares(held), target, every=2.0, share=0.03, clock=clock), []

    def look_at(image: str, _: object) -> None:
        clock.now += 0.1
        looked.append(image)
        watch.saw(image, np.zeros(SIZE, np.uint8))

    monkeypatch.setattr(watch, "_look_at", look_at)
    return watch, looked


def test_looking_takes_three_percent_of_the_time_and_goes_round(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    watch, looked = watched(clock, monkeypatch)
    told: list[HeldOutMeasured] = []
    for step in range(1000):
        clock.now += 0.1
        told += watch.look(MODEL, step, clock.now)
    assert 20 <= len(looked) <= 0.03 * clock.now / 0.1 + 1
    assert max(looked.count(n) for n in set(looked)) - min(looked.count(n) for n in set(looked)) <= 1
    assert told[-1].accuracy == 1.0
    assert all(b.seconds - a.seconds >= 2 for a, b in itertools.pairwise(told))


def test_a_prediction_that_was_made_anyway_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    watch, looked = watched(clock, monkeypatch)
    first, second, *_ = watch._shares.held.by_image
    watch.saw(first, np.zeros(SIZE, np.uint8))
    watch.saw("another", np.zeros(SIZE, np.uint8))
    clock.now = 2.0
    assert [e.accuracy for e in watch.look(MODEL, 1, 2.0)] == [1.0]
    assert looked == [second], "the one that was seen long ago"


def test_a_class_is_lost_if_most_of_it_was_right_and_several_strokes_say_that_it_is_not() -> None:
    classes = [0, 0, 1, 1, 2, 2, 3]
    before = [0.9, 0.9, 0.9, 0.9, 0.3, 0.3, 0.9]
    after = [0.8, 0.6, 0.4, 0.2, 0.0, 0.0, 0.0]
    found = compare(shares(before, classes), shares(after, classes))
    assert found is not None
    assert found.lost == (1,), "class 2 was never learnt, and one stroke of class 3 proves little"


def test_a_class_is_not_lost_as_long_as_most_of_all_its_strokes_is_right() -> None:
    before, after = shares([0.9] * 4, [0, 0, 1, 1]), shares([0.1] * 4, [0, 0, 1, 1])
    found = compare(before, after, {0: 0.8, 1: 0.3})
    assert found is not None
    assert found.lost == (1,)
