from __future__ import annotations

from pathlib import Path

from result_rows import ResultFile


def test_rows_are_found_by_their_values(tmp_path: Path) -> None:
    results = ResultFile(tmp_path / "new" / "results.jsonl")
    assert results.rows() == []
    results.append({"name": "a", "seed": 0, "miou": 0.123456})
    results.append({"name": "a", "seed": 1, "iou": {"road": 1 / 3}})
    assert results.has({"name": "a", "seed": 1})
    assert not results.has({"name": "a", "seed": 2})
    assert results.rows(seed=0) == [{"name": "a", "seed": 0, "miou": 0.1235}]
    assert results.rows(seed=1)[0]["iou"] == {"road": 0.3333}


def test_a_line_that_was_cut_short_costs_one_row(tmp_path: Path) -> None:
    results = ResultFile(tmp_path / "results.jsonl")
    results.append({"name": "a"})
    with results.path.open("a") as stream:
        stream.write('{"name": "b", "mi')
    results.append({"name": "c"})
    assert [row["name"] for row in results.rows()] == ["a", "c"]
