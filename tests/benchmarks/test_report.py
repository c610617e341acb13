from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ablation_results import AblationResults, base_of
from ablation_rows import DEFAULT, ROWS
from estimates import Estimate, points, table
from report import BEGIN, END, UNWRITTEN, report, written
from report_ablation import without_gain, without_loss

PLAIN = ("supervised loss", "cross-entropy")
GUIDANCE = ("guidance", "none")


def row(name: tuple[str, str], data: str, seed: int, miou: float, **more: Any) -> dict[str, Any]:
    return {
        "kind": "ablation", "group": name[0], "name": name[1], "data": data, "seed": seed, "budget": "30 cpu s", "prepare": "60 cpu s", "defaults": "guidance one way",
        "miou": miou, "tail_iou": None, "tail_recall": miou / 2, "look_alike_iou": miou, "ece": 0.1, "pseudo_accuracy": 0.8, "steps": 40, **more,
    }  # fmt: skip


def rows() -> list[dict[str, Any]]:
    found = []
    for data, level in (("streets", 0.5), ("cells", 0.3)):
        for seed in range(3):
            base = level + 0.05 * seed
            found.append(row((DEFAULT.group, DEFAULT.name), data, seed, base))
            found.append(row(PLAIN, data, seed, base - 0.02 - 0.001 * seed))
            found.append(row(GUIDANCE, data, seed, base + (0.03 if seed else -0.03)))
    return found


def results() -> AblationResults:
    (found,) = AblationResults.split(rows())
    return found


def test_an_estimate_has_the_interval_of_students_t() -> None:
    estimate = Estimate.of([0.40, 0.42, None, 0.44])
    assert estimate is not None
    assert estimate.mean == pytest.approx(0.42)
    assert estimate.half_width == pytest.approx(4.3027 * 0.02 / 3**0.5, rel=1e-4)
    assert estimate.points() == "42.0 ± 5.0"
    assert points(Estimate.of([-0.012]), signed=True) == "−1.2"
    assert points(Estimate.of([None])) == "–"


def test_only_an_interval_that_leaves_out_zero_has_a_sign() -> None:
    above, across = [0.1, 0.11, 0.12], [0.1, -0.1, 0.05]
    estimates = map(Estimate.of, (above, across, [-value for value in above], above[:1]))
    assert [estimate.sign for estimate in estimates if estimate] == [1, 0, -1, 0]


def test_two_repeats_have_a_mean_and_no_interval() -> None:
    estimate = Estimate.of([0.40, 0.42])
    assert estimate is not None
    assert (estimate.points(), estimate.sign) == ("41.0", 0)


def test_changes_are_taken_between_rows_of_the_same_data_and_seed() -> None:
    change = results().change(PLAIN, ["streets"], "miou")
    assert change is not None
    assert change.mean == pytest.approx(-0.021)
    assert change.half_width is not None
    assert change.half_width < 0.003, (
        "the spread between seeds, which both rows share, is no noise of the change"
    )
    assert change.repeats == 3


def test_the_last_of_several_runs_of_a_row_counts() -> None:
    (found,) = AblationResults.split([*rows(), row(PLAIN, "streets", 0, 0.9)])
    assert found.measured(PLAIN, "streets", "miou") == Estimate.of([0.9, 0.529, 0.578])


def test_budgets_are_reported_apart() -> None:
    other = row(PLAIN, "cells", 0, 0.4, budget="120 cpu s")
    assert [r.budget for r in AblationResults.split([*rows(), other])] == ["30 cpu s", "120 cpu s"]


def test_rows_of_other_defaults_are_reported_apart() -> None:
    other = row(PLAIN, "streets", 0, 0.4, defaults="guidance mutual")
    first, second = AblationResults.split([*rows(), other])
    assert [first.defaults, second.defaults] == ["guidance one way", "guidance mutual"]
    assert first.measured(PLAIN, "streets", "miou") != second.measured(PLAIN, "streets", "miou")


def test_a_group_shows_the_default_under_the_name_that_it_has_there() -> None:
    name = next(r.name for r in ROWS if r.group == "supervised loss" and r.is_default)
    assert base_of("supervised loss") in results().names("supervised loss")
    assert results().title(base_of("supervised loss"), "supervised loss") == f"**{name} (default)**"
    assert results().title(PLAIN, "supervised loss") == PLAIN[1]


def test_what_became_the_default_later_is_a_change_among_the_rows_from_before() -> None:
    group, name = next((r.group, r.name) for r in ROWS if r.group == "supervised loss" and r.is_default)
    (before,) = AblationResults.split([*rows(), row((group, name), "streets", 0, 0.6)])
    assert (group, name) in before.names(group)
    assert before.title(base_of(group), group) == "**default**"


def test_what_shows_no_gain_and_what_shows_no_loss_are_told_apart() -> None:
    assert without_gain(results()) == ["guidance: none", "supervised loss: cross-entropy"]
    assert without_loss(results()) == ["guidance: none"]


def test_the_report_says_if_rows_come_from_several_versions_of_the_code(tmp_path: Path) -> None:
    found = [r | {"code": "a"} for r in rows()]
    assert "the same code" not in report(found, tmp_path, UNWRITTEN)
    assert "there are 2 versions" in report([*found[1:], found[0] | {"code": "b"}], tmp_path, UNWRITTEN)


def test_a_table_is_markdown() -> None:
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n|---|---|\n| 1 | 2 |"


def test_the_report_keeps_what_a_person_concluded_and_draws_small_pictures(tmp_path: Path) -> None:
    document = tmp_path / "ablation.md"
    assert written(document) == UNWRITTEN
    document.write_text(report(rows(), tmp_path / "images", UNWRITTEN))
    text = document.read_text()
    document.write_text(text.replace(UNWRITTEN, "Guidance helps.\n\nSo it stays."))
    again = report(rows(), tmp_path / "images", written(document))
    assert f"{BEGIN}\nGuidance helps.\n\nSo it stays.\n{END}" in again
    assert "| supervised loss: cross-entropy | −2.1 ± 0.2 | −2.1 ± 0.2 | −2.1 ± 0.1 | worse |" in again
    (line,) = [line for line in again.splitlines() if line.startswith("| supervised loss: cross-entropy")]
    assert line.endswith("| 6 |"), "two data sets with three seeds each"
    pictures = sorted((tmp_path / "images").iterdir())
    assert [p.name for p in pictures] == ["ablation_labels.png", "ablation_language.png"]
    assert all(f"images/{p.name}" in again and p.stat().st_size < 100_000 for p in pictures)
