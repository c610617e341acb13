from __future__ import annotations

from pathlib import Path
from typing import Any

import calibration
import numpy as np
import pytest
from ablation_rows import ROWS
from bench_options import parser_of
from bench_setup import BenchSetup
from corruptions import CORRUPTIONS, corrupted
from data_sets import DataSet, open_data_set
from open_vocabulary import HeldOutClass
from report_plots import THEMES, draw_suggestion
from report_questions import SECTIONS, newest, share_of_strokes, strokes_to_reach
from robustness import HarmCheck, destroyed
from scoring import CONFIDENCE_EDGES, ConfidenceBins
from start_models import Start
from suggestion import Painting, Plan

from semidavil_core.classes import IGNORE_INDEX


@pytest.fixture(scope="module")
def data(tiny_sample: Path) -> DataSet:
    return open_data_set(tiny_sample, name="tiny")


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> BenchSetup:
    folder = str(tmp_path_factory.mktemp("bench"))
    parser = parser_of("", seconds=1, prepare_seconds=1)
    steps = ["--steps", "1", "--prepare-steps", "1", "--work", folder, "--results", f"{folder}/r.jsonl"]
    return BenchSetup.of(parser.parse_args(steps))


def test_both_ways_of_placing_paint_the_same_number_of_strokes(setup: BenchSetup, data: DataSet) -> None:
    bundle = setup.starts.bundle(data, Start(0))
    for placement in ("suggested", "random"):
        points = Painting(setup, data, 0, Plan(rounds=1, strokes=3)).run(bundle, placement)
        assert [p["strokes"] for p in points] == [0, 3]
        assert all(0 <= p["miou"] <= 1 for p in points)


def test_a_held_out_class_is_unknown_until_it_is_named(setup: BenchSetup, data: DataSet) -> None:
    held = HeldOutClass(setup, data, 0, "tree", images=2)
    seen = [held._old_data.source[i].labels for i in range(len(data.source))]
    assert held._old_data.classes.names == ("ground", "sky")
    assert {int(v) for labels in seen if labels is not None for v in np.unique(labels)} == {
        0,
        1,
        IGNORE_INDEX,
    }
    figures = held.run()
    assert figures["strokes"] == 2
    assert figures["new_by_name"] is not None
    shares = ("new_painted", "false_alarms", "old_before", "old_adapted_with")
    assert all(0 <= figures[key] <= 1 for key in shares)


def test_the_new_class_gets_one_stroke_per_image_beside_the_old_strokes(
    setup: BenchSetup, data: DataSet
) -> None:
    strokes = HeldOutClass(setup, data, 0, "tree", images=1)._strokes()
    (name,) = strokes.maps
    before = data.target[data.target.names.index(name)].labels
    assert before is not None
    painted = strokes.maps[name]
    assert (painted == 1).any()
    assert (painted == 1).sum() < (before == 1).sum(), "the old strokes of the class are gone"
    assert ((painted == before) | (painted == 1))[before == 0].all()


def test_a_round_is_judged_on_what_stands_at_its_end(setup: BenchSetup, data: DataSet) -> None:
    row = HarmCheck(setup, corrupted(data, "noise"), 0).run()
    assert row["steps"] == 1
    assert 0 <= row["miou_kept"] <= 1
    assert row["went_back"] or row["miou_kept"] == row["miou_after"]
    assert row["notices"]


def test_calibration_measures_the_adapted_model_with_and_without_its_temperature(
    setup: BenchSetup, data: DataSet
) -> None:
    calibration.run(setup, data, 0)
    calibration.run(setup, data, 0)
    rows = setup.results.rows(kind=calibration.KIND)
    assert [r["name"] for r in rows] == [*calibration.STAGES]
    source, plain, adapted = rows
    assert source["temperature"] == plain["temperature"] == 1
    assert sum(adapted["prediction"]["pixels"]) == sum(plain["prediction"]["pixels"]) > 0


def test_every_group_of_the_ablation_is_in_a_picture() -> None:
    assert {group for groups in THEMES.values() for group in groups} == {row.group for row in ROWS}


def test_a_class_counts_as_destroyed_if_it_was_learnt_and_lost_half() -> None:
    before = {"road": 0.8, "pole": 0.3, "car": 0.1, "sky": None}
    assert destroyed(before, {"road": 0.5, "pole": 0.1, "car": 0.0, "sky": None}) == ["pole"]
    assert destroyed(before, {"road": None, "pole": 0.3, "car": 0.0, "sky": None}) == ["road"]


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_changes_target_and_evaluation_alone_and_always_alike(data: DataSet, name: str) -> None:
    changed = corrupted(data, name)
    assert changed.source is data.source
    for domain, before in ((changed.target, data.target), (changed.evaluation, data.evaluation)):
        first, again = domain[0], domain[0]
        assert first.image.dtype == np.uint8
        assert np.array_equal(first.image, again.image)
        assert np.abs(first.image.astype(int) - before[0].image).mean() > 1
        assert first.labels is before[0].labels or np.array_equal(first.labels, before[0].labels)  # type: ignore[arg-type]


def test_pixels_are_counted_in_the_bin_of_their_confidence() -> None:
    bins = ConfidenceBins()
    probabilities = np.array([[[0.97, 0.4, 1.0, 0.5]], [[0.03, 0.6, 0.0, 0.5]]], np.float32)
    bins.add(probabilities, np.array([[0, 0, 0, IGNORE_INDEX]], np.uint8))
    found = {
        CONFIDENCE_EDGES[i]: (int(bins.pixels[i]), int(bins.right[i])) for i in np.flatnonzero(bins.pixels)
    }
    assert found == {0.6: (1, 0), 0.95: (1, 1), 0.99: (1, 1)}
    assert bins.summary(0.95) == {
        "pseudo_accuracy": pytest.approx(2 / 3),
        "pseudo_sure_accuracy": 1.0,
        "pseudo_sure_share": pytest.approx(2 / 3),
    }


def test_strokes_to_a_score_lie_on_the_line_between_two_points() -> None:
    curve = [(0.0, 0.2), (8.0, 0.4), (16.0, 0.3), (24.0, 0.5)]
    assert strokes_to_reach(curve, 0.3) == pytest.approx(4)
    assert strokes_to_reach(curve, 0.1) == 0
    assert strokes_to_reach(curve, 0.45) == pytest.approx(22)
    assert strokes_to_reach(curve, 0.6) is None


def row(kind: str, name: str, seed: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": name,
        "data": "streets",
        "seed": seed,
        "budget": "30 cpu s",
        "prepare": "60 cpu s",
        "defaults": "guidance one way",
        **more,
    }


def curve(*scores: float) -> list[dict[str, float]]:
    return [{"strokes": 8 * n, "miou": score} for n, score in enumerate(scores)]


def test_both_placements_count_to_the_first_time_that_a_score_is_reached() -> None:
    random = [(0.0, 0.2), (8.0, 0.41), (16.0, 0.40)]
    assert share_of_strokes([(0.0, 0.2), (8.0, 0.6), (16.0, 0.6)], random) == pytest.approx(
        4 / (8 * 0.2 / 0.21)
    )
    assert share_of_strokes([(0.0, 0.2), (8.0, 0.3), (24.0, 0.3)], random) == pytest.approx(
        24 / (8 * 0.2 / 0.21)
    )
    assert share_of_strokes(random, [(0.0, 0.5), (8.0, 0.4)]) is None, "no stroke was needed"


def test_the_report_says_how_many_strokes_suggestions_save(tmp_path: Path) -> None:
    rows = [
        row("suggestion", "suggested", points=curve(0.2, 0.4, 0.5)),
        row("suggestion", "random", points=curve(0.2, 0.3, 0.4)),
        row("suggestion", "suggested", 1, points=curve(0.2, 0.2, 0.3)),
        row("suggestion", "random", 1, points=curve(0.2, 0.3, 0.4)),
        row("suggestion", "random", 2, points=curve(0.2, 0.9, 0.9)),
        row("suggestion", "forest", points=curve(0.2, 0.2, 0.35)),
    ]
    text = "\n".join(SECTIONS["suggestion"](newest(rows)))
    assert "| streets | 16 | 40.0 | 40.0 | 35.0 | 75.0 | 100.0 | 1 of 2 |" in text
    draw_suggestion(newest(rows), tmp_path / "curves.png")
    assert 0 < (tmp_path / "curves.png").stat().st_size < 50_000


def test_the_report_counts_rounds_that_did_harm_in_silence() -> None:
    fine = {
        "miou_before": 0.5,
        "miou_after": 0.4,
        "miou_kept": 0.5,
        "destroyed": [],
        "went_back": True,
        "said_worse": True,
        "held_out_before": 0.9,
        "held_out_after": 0.7,
    }
    silent = fine | {"said_worse": False, "went_back": False, "destroyed": ["pole"], "miou_kept": 0.4}
    rows = [row("robustness", "noise", 0, **fine), row("robustness", "noise", 1, **silent)]
    text = "\n".join(SECTIONS["robustness"](newest(rows)))
    assert "In 1 of 2 runs" in text
    assert "(streets noise, seed 1)" in text
    assert "| 1 of 2 | 1 of 2 | pole |" in text


def test_the_report_shows_what_the_new_class_takes_from_the_old() -> None:
    figures = {
        "strokes": 4,
        "new_by_name": 0.1,
        "false_alarms": 0.04,
        "new_painted": 0.4,
        "old_before": 0.3,
        "old_by_name": 0.28,
        "old_adapted_without": 0.5,
        "old_adapted_with": 0.49,
    }
    text = "\n".join(SECTIONS["open vocabulary"](newest([row("open vocabulary", "car", **figures)])))
    assert "| streets | car | 10.0 | 4.0 | 40.0 | 4.0 | −2.0 | −1.0 | +19.0 |" in text


def test_the_report_says_which_defaults_rows_were_run_with() -> None:
    figures = dict.fromkeys(("new_by_name", "false_alarms", "new_painted", "old_before", "old_by_name"), 0.5)
    figures |= {"strokes": 4, "old_adapted_with": 0.5, "old_adapted_without": 0.5}
    alike = [row("open vocabulary", name, **figures) for name in ("car", "tree")]
    text = "\n".join(SECTIONS["open vocabulary"](newest(alike)))
    assert "after 60 cpu s of training on the source, guidance one way; 1 seed." in text
    others = row("open vocabulary", "car", data="camvid", defaults="guidance mutual", **figures)
    text = "\n".join(SECTIONS["open vocabulary"](newest([*alike, others])))
    assert "guidance one way (streets), guidance mutual (camvid); 1 seed." in text


def test_the_report_shows_accuracy_by_confidence() -> None:
    counts = {"pixels": [0, 0, 0, 0, 0, 0, 10, 30], "right": [0, 0, 0, 0, 0, 0, 5, 30]}
    rows = [row("calibration", "after a round", ece=0.05, prediction=counts, pseudo_labels=counts)]
    text = "\n".join(SECTIONS["calibration"](newest(rows)))
    assert (
        "| streets | after a round | predictions | 5.0 | – | – | – | – | – | – | 50 (25 %) | 100 (75 %) |"
        in text
    )
    old = row(
        "calibration", "after a round", budget="1 steps", ece=0.9, prediction=counts, pseudo_labels=counts
    )
    assert newest([old, *rows]) == rows, "only the budget that was used last is shown"
