"""A failed write leaves what was there, and no litter."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from semidavil_core.atomic_files import replaced_folder, write_bytes, write_json
from semidavil_core.errors import OutputNotWritable


def test_bytes_are_written_into_new_folders_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deeper" / "file.bin"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_json_keeps_other_alphabets(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "Straße"})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"name": "Straße"}
    assert "Straße" in text


@pytest.mark.parametrize("raised", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_keeps_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: BaseException
) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")

    def fail(_: int) -> None:
        raise raised

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((OutputNotWritable, KeyboardInterrupt)) as caught:
        write_bytes(path, b"new")
    if isinstance(raised, OSError):
        assert "No space left" in str(caught.value)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputNotWritable, match="file"):
        write_bytes(tmp_path / "file" / "below.bin", b"")
    (tmp_path / "folder" / "x").mkdir(parents=True)
    with pytest.raises(OutputNotWritable, match="folder"):
        write_bytes(tmp_path / "folder", b"")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_a_very_long_name_is_written(tmp_path: Path) -> None:
    write_bytes(tmp_path / ("n" * 250), b"x")
    assert (tmp_path / ("n" * 250)).read_bytes() == b"x"


def test_a_folder_appears_complete_and_replaces_its_older_self(tmp_path: Path) -> None:
    for content in ("one", "two"):
        with replaced_folder(tmp_path / "out", marker="config.json") as folder:
            (folder / "config.json").write_text(content)
            (folder / content).touch()
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["config.json", "two"]
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_an_error_while_filling_leaves_the_older_folder(tmp_path: Path) -> None:
    with replaced_folder(tmp_path / "out", marker="m") as folder:
        (folder / "m").write_text("old")
    with pytest.raises(KeyError), replaced_folder(tmp_path / "out", marker="m") as folder:  # noqa: PT012 - the error comes halfway
        (folder / "m").write_text("new")
        raise KeyError("halfway")
    assert (tmp_path / "out" / "m").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_a_folder_of_other_files_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").touch()
    with (
        pytest.raises(OutputNotWritable, match="holds other files"),
        replaced_folder(tmp_path / "photos", marker="m"),
    ):
        pass
    with (
        pytest.raises(OutputNotWritable, match="is a file"),
        replaced_folder(tmp_path / "photos" / "holiday.jpg", marker="m"),
    ):
        pass
    assert (tmp_path / "photos" / "holiday.jpg").exists()


def test_if_the_swap_fails_the_older_folder_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with replaced_folder(tmp_path / "out", marker="m") as folder:
        (folder / "m").write_text("old")
    replace = Path.replace

    def fail_for_the_new(self: Path, target: Path) -> Path:
        if self.name.startswith(".out.") and Path(target).name == "out":
            raise OSError(5, "Input/output error")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail_for_the_new)
    with pytest.raises(OutputNotWritable), replaced_folder(tmp_path / "out", marker="m") as folder:
        (folder / "m").write_text("new")
    assert (tmp_path / "out" / "m").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]
