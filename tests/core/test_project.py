"""A project folder: what goes in comes out, and nothing that happens meanwhile loses it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semidavil_core.classes import ClassSet
from semidavil_core.data.label_files import read_labels
from semidavil_core.errors import InvalidImage, InvalidProject, OutputNotWritable, ProjectInUse
from semidavil_core.project.folder import Project, ProjectState, is_project
from semidavil_core.project.references import ImageEntry
from semidavil_core.project.rounds import SavedRound

CLASSES = ClassSet.from_names(["road", "sky", "car"])
STACK = ImageEntry("night", "night", (2, 20, 30), name="night shots", layer={"scale": [1, 2, 2]})
REPOSITORY = Path(__file__).parents[2]


def state(**more: Any) -> ProjectState:
    return ProjectState((STACK,), CLASSES, {"budget": 30}, {"camera": {"zoom": 2.0}}, **more)


@pytest.fixture
def project(tmp_path: Path):
    opened = Project.create(tmp_path / "job", state())
    yield opened
    opened.close()


def strokes(label: int = 1) -> np.ndarray:
    plane = np.zeros((20, 30), np.uint8)
    plane[2:4, 5:25] = label
    return plane


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "project.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_what_is_saved_is_read_again(project: Project) -> None:
    again = project.read()
    assert (again.images, again.classes, again.settings, again.view) == (
        (STACK,),
        CLASSES,
        {"budget": 30},
        {"camera": {"zoom": 2.0}},
    )
    assert again.saved > 0
    assert again.place == project.folder
    assert is_project(project.folder)


def test_unknown_keys_of_a_newer_version_are_kept_on_rewriting(project: Project) -> None:
    images = [{**STACK.to_json(), "tiles": 4}]
    edit(project.folder, colour_blind=True, images=images)
    project.write(replace(project.read(), settings={"budget": 60}))
    content = json.loads((project.folder / "project.json").read_text())
    assert content["colour_blind"] is True
    assert content["images"][0]["tiles"] == 4
    assert content["settings"] == {"budget": 60}
    project.write(state())  # also by one who never saw them
    assert json.loads((project.folder / "project.json").read_text())["colour_blind"] is True


@pytest.mark.parametrize("version", [2, "1", None])
def test_a_newer_schema_is_refused_with_what_to_do(project: Project, version: object) -> None:
    project.close()
    edit(project.folder, schema_version=version)
    with pytest.raises(InvalidProject, match=r"schema version .*update SemiDAViL"):
        Project(project.folder)


DAMAGE = {
    "no document": None,
    "half a document": '{"format": "semidavil-pro',
    "a list": "[]",
    "another format": '{"format": "coco"}',
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_no_project_is_refused_in_one_sentence(project: Project, damage: str) -> None:
    project.close()
    path, content = project.folder / "project.json", DAMAGE[damage]
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(InvalidProject, match="job") as caught:
        Project(project.folder)
    assert "\n" not in str(caught.value)
    assert not is_project(project.folder)


@pytest.mark.parametrize(
    "images",
    [[{"key": "a"}], [{**STACK.to_json(), "shape": [0, 4]}], [{**STACK.to_json(), "stem": "../x"}], [3], 7],
)
def test_a_wrong_description_of_an_image_is_refused(project: Project, images: Any) -> None:
    edit(project.folder, images=images)
    with pytest.raises(InvalidProject):
        project.read()


def test_a_folder_with_other_files_or_another_project_is_not_taken(project: Project, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.txt").write_text("precious")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputNotWritable, match="project already"):
        Project.create(project.folder)
    for name in ("photos", "file"):
        with pytest.raises(OutputNotWritable, match="new or an empty"):
            Project.create(tmp_path / name)
    assert [p.name for p in (tmp_path / "photos").iterdir()] == ["a.txt"]


# strokes


def test_strokes_of_a_stack_are_one_file_per_painted_plane_that_the_commands_read(project: Project) -> None:
    project.write_strokes(STACK, (1,), strokes(2), CLASSES)
    assert project.strokes.names() == ("night_0001",)
    whole, told = project.read_strokes(STACK, CLASSES)
    assert told == ()
    np.testing.assert_array_equal(whole, np.stack([np.zeros((20, 30)), strokes(2)]))
    indices = read_labels(project.folder / "scribbles" / "night_0001.png", CLASSES, unlisted_is_ignored=True)
    np.testing.assert_array_equal(indices, np.where(strokes(2) > 0, 1, 255))


def test_strokes_stay_with_their_class_when_classes_are_moved_renamed_or_removed(project: Project) -> None:
    both = strokes(1) + np.roll(strokes(3), 8, axis=0)
    project.write_strokes(STACK, (0,), both, CLASSES)
    moved = CLASSES.with_moved(2, 0).without(1)
    whole, _ = project.read_strokes(STACK, moved)
    assert moved.names == ("car", "sky")
    assert whole is not None
    np.testing.assert_array_equal(whole[0], (both == 3).astype(np.uint8))


def test_labels_that_are_no_class_yet_are_not_lost(project: Project) -> None:
    painted = strokes(1).astype(np.int32)
    painted[10], painted[12] = 9, 70_000
    project.write_strokes(STACK, (0,), painted, CLASSES)
    whole, _ = project.read_strokes(STACK, CLASSES)
    assert whole is not None
    np.testing.assert_array_equal(whole[0], painted)


def test_classes_may_have_any_label_in_the_layer(project: Project) -> None:
    painted = strokes(7)
    painted[10], painted[12] = 3, 9
    project.write_strokes(STACK, (0,), painted, CLASSES, labels=[3, 1, 7])
    indices = read_labels(project.folder / "scribbles" / "night_0000.png", CLASSES, unlisted_is_ignored=True)
    assert set(np.unique(indices[painted > 0])) == {0, 2, 255}
    for labels, road, car in (([3, 1, 7], 3, 7), ([], 1, 3)):
        whole, _ = project.read_strokes(STACK, CLASSES, labels)
        assert whole is not None
        np.testing.assert_array_equal(whole[0] == road, painted == 3)
        np.testing.assert_array_equal(whole[0] == car, painted == 7)
        np.testing.assert_array_equal(whole[0] == 9, painted == 9)


def test_erasing_all_strokes_removes_the_file(project: Project) -> None:
    project.write_strokes(STACK, (0,), strokes(), CLASSES)
    project.write_strokes(STACK, (0,), np.zeros((20, 30), int), CLASSES)
    assert project.strokes.names() == ()
    assert project.read_strokes(STACK, CLASSES) == (None, ())


def test_large_planes_go_to_tiff_and_leave_no_second_file(project: Project, monkeypatch) -> None:
    painted = strokes(2)
    painted[15] = 50
    project.write_strokes(STACK, (0,), painted, CLASSES)
    monkeypatch.setattr("semidavil_core.project.strokes._LARGEST_PNG", 100)
    project.write_strokes(STACK, (0,), painted, CLASSES)
    assert [p.name for p in (project.folder / "scribbles").iterdir()] == ["night_0000.tif"]
    whole, _ = project.read_strokes(STACK, CLASSES)
    assert whole is not None
    np.testing.assert_array_equal(whole[0], painted)


def test_one_damaged_file_is_told_and_the_others_are_read(project: Project) -> None:
    for index in (0, 1):
        project.write_strokes(STACK, (index,), strokes(), CLASSES)
    file = project.folder / "scribbles" / "night_0000.png"
    file.write_bytes(file.read_bytes()[:40])
    whole, (told,) = project.read_strokes(STACK, CLASSES)
    assert "night_0000.png" in told
    assert whole is not None
    assert whole[1].any()
    assert not whole[0].any()


# copies of images


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, np.int32, np.bool_])
@pytest.mark.parametrize(("channels", "colours"), [((), False), ((3,), True), ((5,), False), ((2,), False)])
def test_copies_hold_any_image(
    project: Project, dtype: type, channels: tuple[int, ...], colours: bool
) -> None:
    if colours and dtype not in (np.uint8, np.uint16):
        pytest.skip("no photograph")
    stack = np.random.default_rng(0).integers(0, 2, (2, 20, 30, *channels)).astype(dtype)
    for index in (0, 1):
        project.write_copy(STACK, (index,), stack[index], colours=colours)
    np.testing.assert_array_equal(project.read_copies(STACK), stack)


def test_a_missing_copy_is_told_by_name(project: Project) -> None:
    project.write_copy(STACK, (0,), strokes(), colours=False)
    with pytest.raises(InvalidImage, match="night_0001"):
        project.read_copies(STACK)


# one window at a time, and places that cannot be written


def test_a_second_window_is_refused_with_the_process_that_holds_it(project: Project) -> None:
    code = f"from semidavil_core.project.folder import Project; Project({str(project.folder)!r})"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=False
    )
    assert "ProjectInUse" in ran.stderr
    with pytest.raises(ProjectInUse, match=r"open already in the process \d+"):
        Project(project.folder)
    project.close()
    Project(project.folder).close()


def test_a_folder_that_cannot_be_written_is_opened_to_look_at(project: Project, monkeypatch) -> None:
    project.write_strokes(STACK, (0,), strokes(), CLASSES)
    project.close()

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("semidavil_core.project.folder.ProjectLock", refuse)
    looked_at = Project(project.folder)
    assert "open to look at" in str(looked_at.read_only)
    assert looked_at.read().classes == CLASSES
    for write in (
        lambda: looked_at.write(state()),
        lambda: looked_at.write_strokes(STACK, (0,), strokes(2), CLASSES),
        lambda: looked_at.write_copy(STACK, (0,), strokes(), colours=False),
    ):
        with pytest.raises(OutputNotWritable, match="cannot be written"):
            write()


def test_a_full_disk_leaves_everything_as_it_was(project: Project, monkeypatch) -> None:
    project.write_strokes(STACK, (0,), strokes(1), CLASSES)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    for write in (
        lambda: project.write(state()),
        lambda: project.write_strokes(STACK, (0,), strokes(2), CLASSES),
        lambda: project.write_copy(STACK, (0,), strokes(2), colours=False),
    ):
        with pytest.raises(OutputNotWritable, match="No space left"):
            write()
    whole, _ = project.read_strokes(STACK, CLASSES)
    assert whole is not None
    assert set(np.unique(whole)) == {0, 1}
    assert not [p for p in project.folder.rglob(".*") if p.name != ".lock"]


KILLED = """
import sys, numpy as np
from dataclasses import replace
from semidavil_core.project.folder import Project
project = Project(sys.argv[1])
state = project.read()
print("begun", flush=True)
for n in range(1, 10**6):
    plane = np.full((20, 30), 1 + n % 3, np.uint8)
    project.write_strokes(state.images[0], (n % 2,), plane, state.classes)
    project.write(replace(state, settings={"n": n, "padding": "x" * 200_000}))
"""


def test_a_kill_during_saving_leaves_whole_files_and_a_free_lock(project: Project) -> None:
    project.write_strokes(STACK, (0,), strokes(1), CLASSES)
    (project.rounds.bundle(1)).mkdir(parents=True)
    (project.rounds.bundle(1) / "config.json").write_text('{"format": "semidavil-bundle"}')
    project.rounds.write(SavedRound(1, scores={"held_out": 0.5}))
    project.close()
    chance = random.Random(0)
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(project.folder)], stdout=subprocess.PIPE, cwd=REPOSITORY
        )
        assert process.stdout is not None
        with process, process.stdout:
            assert process.stdout.readline() == b"begun\n"
            time.sleep(0.05 + chance.random() / 5)
            process.kill()
        again = Project(project.folder)
        assert again.read().images == (STACK,)
        whole, told = again.read_strokes(STACK, CLASSES)
        assert told == ()
        assert whole is not None
        assert all(
            len(np.unique(plane)) == 1 for plane in whole if plane.any() and not (plane == strokes(1)).all()
        )
        assert [saved.scores for saved in again.rounds.read()] == [{"held_out": 0.5}]
        assert again.rounds.latest_bundle() == 1
        assert not [p for p in project.folder.rglob(".*") if p.name != ".lock"], "left-overs are cleared"
        again.close()
