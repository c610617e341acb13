"""Bundles in one file: what a person may open comes from anywhere."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from semidavil_core.commands.outputs import check_bundle
from semidavil_core.errors import InvalidBundle, OutputNotWritable
from semidavil_core.export.bundle import Bundle, load_bundle, save_bundle
from semidavil_core.export.bundle_files import BundleFiles, bundle_classes, is_bundle, replaced_bundle
from semidavil_core.inference.predict import Predictor
from semidavil_core.model.from_language import segmenter_from_language
from semidavil_core.vlm.loading import load_vlm
from tests.core.tiny_tower import CLASSES, SMALL, scene
from tests.core.tiny_vlm import write_folder

CONFIG = json.dumps({"format": "semidavil-bundle", "schema_version": 1})


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    vlm = load_vlm(str(write_folder(tmp_path_factory.mktemp("vlm") / "tiny")))
    return Bundle(segmenter_from_language(vlm, CLASSES, settings=SMALL).eval(), CLASSES, vlm.reference)


def zipped(path: Path, files: dict[str, str | bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_bundle_in_a_zip_predicts_the_same_and_leaves_one_file(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(bundle, tmp_path / "model.zip")
    save_bundle(bundle, tmp_path / "model.zip")  # replaces the older one
    assert [p.name for p in tmp_path.iterdir()] == ["model.zip"]
    again = load_bundle(tmp_path / "model.zip")
    image, _ = scene(size=(37, 50))
    first, second = (Predictor(b.segmenter).predict(image).probabilities for b in (bundle, again))
    np.testing.assert_array_equal(first, second)
    assert bundle_classes(tmp_path / "model.zip") == CLASSES
    assert is_bundle(tmp_path / "model.zip")


def test_a_folder_that_a_person_zipped_is_a_bundle_too(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(bundle, tmp_path / "model")
    files = {f"model/{p.name}": p.read_bytes() for p in (tmp_path / "model").iterdir()}
    assert load_bundle(zipped(tmp_path / "by_hand.zip", files)).classes == CLASSES


def test_nothing_is_unpacked_to_disk_so_no_path_can_leave_the_archive(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = zipped(inside / "x.zip", {"config.json": CONFIG, "../slipped.txt": "x", "/tmp/slipped.txt": "x"})
    assert BundleFiles(path).read_json("config.json")["schema_version"] == 1
    with pytest.raises(InvalidBundle):
        load_bundle(path)
    assert [p.name for p in tmp_path.iterdir()] == ["inside"]
    assert [p.name for p in inside.iterdir()] == ["x.zip"]


@pytest.mark.parametrize(
    ("name", "size"), [("weights.safetensors", 200 * 2**20), ("config.json", 17 * 2**20)]
)
def test_a_bomb_is_not_opened(tmp_path: Path, name: str, size: int) -> None:
    files: dict[str, str | bytes] = {"config.json": CONFIG, name: bytes(size)}
    path = zipped(tmp_path / "bomb.zip", files, zipfile.ZIP_DEFLATED)
    with pytest.raises(InvalidBundle, match="would unpack to"):
        BundleFiles(path).read(name)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 and then nothing"])
def test_what_is_no_archive_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    assert not is_bundle(tmp_path / "x.zip")
    with pytest.raises(InvalidBundle, match=r"x\.zip"):
        load_bundle(tmp_path / "x.zip")


def test_a_damaged_member_is_told_by_name(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(bundle, tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        offset = archive.getinfo("weights.safetensors").header_offset
    content = bytearray((tmp_path / "x.zip").read_bytes())
    content[offset + 5000] ^= 255
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(InvalidBundle, match=r"weights\.safetensors in .*cannot be read"):
        load_bundle(tmp_path / "x.zip")


def test_another_file_or_a_folder_is_not_replaced(tmp_path: Path) -> None:
    zipped(tmp_path / "photos.zip", {"a.txt": "precious"})
    (tmp_path / "folder.zip").mkdir()
    for name in ("photos.zip", "folder.zip"):
        with pytest.raises(OutputNotWritable), replaced_bundle(tmp_path / name):
            pass
        with pytest.raises(OutputNotWritable):
            check_bundle(tmp_path / name)
    check_bundle(tmp_path / "new.zip")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.zip", "photos.zip"]


def test_a_failed_save_leaves_the_older_zip_whole(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(bundle, tmp_path / "x.zip")
    before = (tmp_path / "x.zip").read_bytes()

    def save_and_fail() -> None:
        with replaced_bundle(tmp_path / "x.zip") as folder:
            (folder / "config.json").write_text("{}")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        save_and_fail()
    assert (tmp_path / "x.zip").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["x.zip"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(bundle: Bundle, tmp_path: Path, value: float) -> None:
    save_bundle(bundle, tmp_path / "model")
    weights = load_file(tmp_path / "model" / "weights.safetensors")
    spoilt = torch.full_like(weights["text"], value)
    save_file({**weights, "text": spoilt}, tmp_path / "model" / "weights.safetensors")
    with pytest.raises(InvalidBundle, match=r"not finite.* in text"):
        load_bundle(tmp_path / "model")
