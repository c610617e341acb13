"""Finding moved images again, the rounds of a project, and strokes that nobody saved."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from semidavil_core.classes import ClassSet
from semidavil_core.project.recovery import Recovery, begin_recovery, discard, find_recoveries, recovery_place
from semidavil_core.project.references import (
    ImageEntry,
    fingerprint,
    is_unchanged,
    locate,
    relink,
    unique_stem,
)
from semidavil_core.project.rounds import RoundStore, SavedRound

CLASSES = ClassSet.from_names(["road", "sky"])


def entry(path: Path, key: str = "a") -> ImageEntry:
    return ImageEntry(key, key, (4, 5), path=str(path), fingerprint=fingerprint(path))


def file(path: Path, content: bytes = b"pixels") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_fingerprint_knows_small_large_and_folder_images(tmp_path: Path) -> None:
    one, same, other = (file(tmp_path / n, c) for n, c in (("1", b"abc"), ("2", b"abc"), ("3", b"abd")))
    assert fingerprint(one) == fingerprint(same) != fingerprint(other)
    large = np.zeros(70 * 2**20, np.uint8)
    first = fingerprint(file(tmp_path / "large", large.tobytes()))
    large[-1] = 1
    assert fingerprint(file(tmp_path / "large", large.tobytes())) != first
    file(tmp_path / "z.zarr" / "0" / "0.0", b"xx")
    before = fingerprint(tmp_path / "z.zarr")
    file(tmp_path / "z.zarr" / "0" / "0.1", b"xx")
    assert fingerprint(tmp_path / "z.zarr") != before
    assert fingerprint(file(tmp_path / "empty", b"")).size == 0


def test_images_that_moved_together_with_the_project_are_found_by_themselves(tmp_path: Path) -> None:
    path = file(tmp_path / "old" / "images" / "a.png")
    known = entry(path)
    shutil.move(tmp_path / "old", tmp_path / "new")
    assert locate(known, tmp_path / "new" / "project") is None
    found = locate(known, tmp_path / "new" / "project", tmp_path / "old" / "project")
    assert found == tmp_path / "new" / "images" / "a.png"


def test_moved_images_are_found_by_name_and_content_or_by_content_alone(tmp_path: Path) -> None:
    a, b, c = (file(tmp_path / "old" / n, n.encode()) for n in ("a.png", "b.png", "c.png"))
    entries = [entry(path, path.stem) for path in (a, b, c)]
    shutil.rmtree(tmp_path / "old")
    file(tmp_path / "new" / "deep" / "a.png", b"a.png")
    file(tmp_path / "new" / "renamed.png", b"b.png")
    file(tmp_path / "new" / "c.png", b"someone else")  # its name, not its content
    found = {e.key: Path(str(e.path)).name for e in relink(entries, tmp_path / "new")}
    assert found == {"a": "a.png", "b": "renamed.png"}


def test_a_stack_of_files_is_found_where_all_its_files_are(tmp_path: Path) -> None:
    names = ("a.png", "b.png")
    for name in names:
        file(tmp_path / "old" / name, name.encode())
        file(tmp_path / "new" / "frames" / name, name.encode())
    file(tmp_path / "new" / "decoy" / "a.png", b"a.png")
    known = ImageEntry("a", "a", (2, 4, 5), path=str(tmp_path / "old"), parts=names)
    known = replace(known, fingerprint=fingerprint(tmp_path / "old", names))
    file(tmp_path / "old" / "c.png", b"another file beside them does no harm")
    assert ImageEntry.from_json(json.loads(json.dumps(known.to_json()))) == known
    assert is_unchanged(known, tmp_path / "old")
    (tmp_path / "old" / "b.png").unlink()
    assert locate(known, tmp_path) is None
    (found,) = relink([known], tmp_path / "new")
    assert found.path == str(tmp_path / "new" / "frames")


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    known = entry(file(tmp_path / "a.png"))
    assert is_unchanged(known, tmp_path / "a.png")
    file(tmp_path / "a.png", b"other")
    assert not is_unchanged(known, tmp_path / "a.png")
    assert not is_unchanged(known, tmp_path / "gone.png")


@pytest.mark.parametrize(
    ("keys", "stems"),
    [
        (["a/b", "a_b"], ["a_b", "a_b (2)"]),
        (["night", "NIGHT"], ["night", "NIGHT (2)"]),
        (["night", "night_0003"], ["night", "night_0003 (2)"]),
        (["night_0003", "night"], ["night_0003", "night (2)"]),
        (["con", ""], ["_con", "image"]),
    ],
)
def test_no_two_images_meet_in_one_file(keys: list[str], stems: list[str]) -> None:
    taken: list[ImageEntry] = []
    for key in keys:
        taken.append(ImageEntry(key, unique_stem(key, taken), (4, 5)))
    assert [e.stem for e in taken] == stems


# rounds


def finished(store: RoundStore, number: int, **more: object) -> None:
    file(store.bundle(number) / "config.json", b'{"format": "semidavil-bundle"}')
    store.write(replace(SavedRound(number), **more))  # type: ignore[arg-type]


def test_rounds_are_read_in_order_and_numbers_are_never_used_twice(tmp_path: Path) -> None:
    store = RoundStore(tmp_path / "rounds")
    assert (store.read(), store.next_number(), store.latest_bundle()) == ((), 1, None)
    for number in (1, 2):
        finished(store, number, scores={"held_out": number / 10})
    file(store.bundle(3) / "config.json", b"half")  # killed while it was saved: no round.json
    assert [(r.round, r.scores) for r in store.read()] == [(1, {"held_out": 0.1}), (2, {"held_out": 0.2})]
    assert store.next_number() == 4
    assert store.latest_bundle() == 2


def test_older_models_go_scores_and_the_spared_model_stay(tmp_path: Path) -> None:
    store = RoundStore(tmp_path, keep=2)
    for number in range(1, 6):
        finished(store, number)
    store.prune(spare=2)
    assert [store.has_bundle(n) for n in range(1, 6)] == [False, True, False, True, True]
    assert len(store.read()) == 5
    assert not list(tmp_path.rglob(".*"))


def test_a_model_that_lies_elsewhere_comes_along_unless_there_is_one_or_it_is_gone(tmp_path: Path) -> None:
    before, store = RoundStore(tmp_path / "before"), RoundStore(tmp_path / "now")
    finished(before, 1)
    assert store.adopt(1, before.bundle(1))
    assert store.has_bundle(1)
    assert before.has_bundle(1)
    assert store.adopt(1, before.bundle(7)), "it has its own"
    assert not store.adopt(2, before.bundle(2))
    assert not store.place(2).exists()
    assert not list(tmp_path.rglob(".*"))


def test_a_round_keeps_what_others_noted_in_it(tmp_path: Path) -> None:
    store = RoundStore(tmp_path)
    finished(store, 1)
    path = store.place(1) / "round.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "parent": 0}))
    (saved,) = store.read()
    store.write(replace(saved, name="the good one"))
    assert json.loads(path.read_text())["parent"] == 0
    assert store.read()[0].name == "the good one"


# recovery


def painted(place: Path) -> Path:
    project = begin_recovery(place)
    strokes = np.ones((4, 5), np.uint8)
    project.write_strokes(ImageEntry("a", "a", (4, 5)), (), strokes, CLASSES)
    project.close()
    return project.folder


def test_strokes_of_a_window_that_is_gone_are_offered_and_can_be_discarded(tmp_path: Path) -> None:
    folder = painted(tmp_path)
    open_one = begin_recovery(tmp_path)
    open_one.write_strokes(ImageEntry("a", "a", (4, 5)), (), np.ones((4, 5), int), CLASSES)
    (found,) = find_recoveries(tmp_path)
    assert (found.folder, found.planes) == (folder, 1)
    assert found.in_words().startswith("today ")
    discard(open_one.folder)  # in use: stays
    discard(folder)
    assert find_recoveries(tmp_path) == ()
    open_one.close()
    assert len(find_recoveries(tmp_path)) == 1


def test_empty_old_and_too_many_recoveries_are_cleared(tmp_path: Path) -> None:
    for _ in range(12):
        painted(tmp_path)
    assert len(find_recoveries(tmp_path)) == 10
    assert len(list(tmp_path.iterdir())) == 10
    for file_ in tmp_path.rglob("*.png"):
        os.utime(file_, (0, 0))
    assert find_recoveries(tmp_path) == ()
    assert list(tmp_path.iterdir()) == []
    assert find_recoveries(tmp_path / "missing") == ()


def test_times_are_told_as_a_person_says_them() -> None:
    now = datetime(2026, 5, 4, 10, 0)
    told = [Recovery(Path(), now - timedelta(days=d, minutes=58), 1).in_words(now) for d in (0, 1, 9)]
    assert told == ["today 9:02", "yesterday 9:02", "25 April 9:02"]


def test_the_place_can_be_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEMIDAVIL_RECOVERY", str(tmp_path))
    assert recovery_place() == tmp_path
    monkeypatch.delenv("SEMIDAVIL_RECOVERY")
    assert recovery_place().name == "recovery"
