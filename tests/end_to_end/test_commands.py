"""From a labelled source to a measured, adapted model through the command line alone: two steps each, on tiny pictures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from semidavil_core.cli import main
from semidavil_core.data.label_files import read_label_values


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, tiny_sample: Path) -> Path:
    """Source, target with scribbles, and a model prepared and adapted by two steps each."""
    folder = tmp_path_factory.mktemp("world")
    shutil.copytree(tiny_sample, folder, dirs_exist_ok=True)
    (folder / "small.json").write_text(json.dumps({"crop": 64}))
    run(folder, "prepare --source source --out prepared --steps 2 --seed 1 --settings small.json")
    run(
        folder,
        "adapt --model prepared --target target --scribbles target/scribbles --source source --out adapted --steps 2 "
        "--rounds 2 --seed 1 --settings small.json",
    )
    return folder


def run(folder: Path, words: str, *, expect: int = 0) -> None:
    """Run a command whose paths are relative to `folder`."""
    names = {
        "source", "prepared", "target", "target/scribbles", "target/images", "target/labels", "adapted", "small.json",
    }  # fmt: skip
    full = [str(folder / w) if w in names or w.startswith("new-") else w for w in words.split()]
    assert main([*full, "--device", "cpu"]) == expect


def scores_of(folder: Path, model: str) -> dict[str, Any]:
    run(
        folder,
        f"evaluate --model {model} --images target/images --labels target/labels --json new-{model}.json",
    )
    content: dict[str, Any] = json.loads((folder / f"new-{model}.json").read_text())
    return content


def test_a_bundle_is_a_folder_with_its_marker_and_classes(world: Path) -> None:
    for name in ("prepared", "adapted"):
        assert (world / name / "config.json").is_file()
        assert [c["name"] for c in json.loads((world / name / "classes.json").read_text())] == [
            "ground",
            "tree",
            "sky",
        ]


def test_evaluate_writes_every_figure(world: Path) -> None:
    scores = scores_of(world, "adapted")
    assert set(scores) >= {"miou", "iou", "tail_iou", "tail_recall", "accuracy", "ece"}
    assert set(scores["iou"]) == {"ground", "tree", "sky"}
    assert 0 <= scores["miou"] <= 1


def test_predict_writes_class_values_of_the_images_size_and_confidence(world: Path) -> None:
    run(world, "predict --model adapted --images target --out new-labels --confidence")
    labels = read_label_values(world / "new-labels" / "night2.png")
    assert labels.shape == (64, 72)
    assert set(np.unique(labels)) <= {1, 4, 7}
    assert {p.name for p in (world / "new-labels").iterdir()} == {
        "night0.png", "night1.png", "night2.png", "classes.json", "confidence",
    }  # fmt: skip
    assert len(list((world / "new-labels" / "confidence").iterdir())) == 3


def test_adaptation_without_the_source_works_and_leaves_the_model_it_started_from_alone(world: Path) -> None:
    before = {p: p.read_bytes() for p in (world / "prepared").iterdir()}
    run(
        world,
        "adapt --model prepared --target target --scribbles target/scribbles --out new-free --steps 2 --settings small.json",
    )
    assert (world / "new-free" / "config.json").is_file()
    assert {p: p.read_bytes() for p in (world / "prepared").iterdir()} == before


def test_models_are_zip_files_as_well_as_folders_and_probabilities_sum_to_one(world: Path) -> None:
    run(
        world,
        "adapt --model prepared --target target --scribbles target/scribbles --out new-model.zip --steps 1 --settings small.json",
    )
    assert (world / "new-model.zip").is_file()
    run(world, "predict --model new-model.zip --images target --out new-from-zip --probabilities")
    pages = tifffile.imread(world / "new-from-zip" / "probabilities" / "night2.tiff")
    assert pages.shape == (3, 64, 72)
    np.testing.assert_allclose(pages.sum(0), 1, atol=1e-4)
    (world / "new-other.zip").write_text("precious")
    run(world, "prepare --source source --out new-other.zip --steps 1", expect=2)
    assert (world / "new-other.zip").read_text() == "precious"


def test_dense_labels_are_taken_as_scribbles(world: Path) -> None:
    run(
        world,
        "adapt --model prepared --target target --scribbles target/labels --out new-oracle --steps 1 --settings small.json",
    )
    assert (world / "new-oracle" / "config.json").is_file()


def test_the_same_seed_and_steps_give_the_same_model(world: Path) -> None:
    for name in ("new-one", "new-two"):
        run(world, f"prepare --source source --out {name} --steps 2 --seed 1 --settings small.json")
    assert (world / "new-one/weights.safetensors").read_bytes() == (
        world / "new-two/weights.safetensors"
    ).read_bytes()


def test_suggest_ranks_places_inside_the_images_and_away_from_strokes(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (
        "suggest --model prepared --images target --scribbles target/scribbles --json new-next.json --count 4"
    )
    run(world, words)
    told = capsys.readouterr().out
    places = json.loads((world / "new-next.json").read_text())["suggestions"]
    assert 1 <= len(places) <= 4
    assert len(told.splitlines()) == len(places)
    strokes = {p.stem: read_label_values(p) for p in (world / "target" / "scribbles").iterdir()}
    for place in places:
        assert 0 <= place["y"] < 64
        assert 0 <= place["x"] < 72
        assert place["reason"] in told
        if place["image"] in strokes:
            assert strokes[place["image"]][int(place["y"]), int(place["x"])] == 0
    (world / "new-next.json").unlink()
    run(world, words)
    assert json.loads((world / "new-next.json").read_text())["suggestions"] == places


def test_zero_shot_needs_names_only(world: Path) -> None:
    run(world, "zero-shot --classes ground,tree,sky --images target --out new-zero")
    assert set(np.unique(read_label_values(world / "new-zero" / "night0.png"))) <= {0, 1, 2}


def test_events_are_json_lines_with_losses(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(world, "prepare --source source --out new-json --steps 2 --settings small.json --json")
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    steps = [e for e in events if e["event"] == "StepFinished"]
    assert [e["step"] for e in steps] == [1, 2]
    assert all(np.isfinite(e["loss"]) for e in steps)
    assert [e["event"] for e in events[-2:]] == ["RoundFinished", "Done"]


def damaged(world: Path, name: str, file: str, content: bytes | None) -> str:
    """A copy of the adapted bundle with one file replaced or removed."""
    folder = world / f"new-{name}"
    folder.mkdir(exist_ok=True)
    for path in (world / "adapted").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / file).unlink() if content is None else (folder / file).write_bytes(content)
    return folder.name


def test_a_damaged_or_foreign_bundle_is_refused(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    newer = json.dumps(
        json.loads((world / "adapted" / "config.json").read_text()) | {"schema_version": 999}
    ).encode()
    cases = [
        damaged(
            world,
            "cut",
            "weights.safetensors",
            (world / "adapted" / "weights.safetensors").read_bytes()[:500],
        ),
        damaged(world, "lost", "weights.safetensors", None),
        damaged(world, "odd", "config.json", b"{"),
        damaged(world, "newer", "config.json", newer),
        damaged(world, "nameless", "classes.json", b"[]"),
    ]
    for case in cases:
        run(world, f"predict --model {case} --images target --out new-never", expect=2)
        told = capsys.readouterr().err
        assert len([line for line in told.splitlines() if line.startswith("semidavil: ")]) == 1, (case, told)
    assert not (world / "new-never").exists()


def test_scribbles_that_cannot_teach_are_refused(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "adapt --model prepared --target target --scribbles {} --out new-never --steps 1"
    empty, single, foreign = (world / f"new-{name}-strokes" for name in ("empty", "single", "foreign"))
    for folder, name, value in ((empty, "night0", 0), (single, "night0", 4), (foreign, "stranger", 4)):
        folder.mkdir()
        Image.fromarray(np.full((48, 72), value, np.uint8)).save(folder / f"{name}.png")
        run(world, words.format(folder.name), expect=2)
    assert not (world / "new-never").exists()
    assert "Traceback" not in capsys.readouterr().err


def test_a_failed_run_leaves_the_older_model_as_it_was(world: Path) -> None:
    before = (world / "adapted" / "weights.safetensors").read_bytes()
    run(
        world,
        "adapt --model prepared --target target --scribbles new-nowhere --out adapted --steps 1",
        expect=2,
    )
    assert (world / "adapted" / "weights.safetensors").read_bytes() == before


def test_pretraining_gives_a_model_that_the_other_commands_load(world: Path) -> None:
    run(world, "pretrain --source source --out new-clip --steps 2")
    run(
        world,
        f"zero-shot --vlm local-dir:{world / 'new-clip'} --classes ground,tree,sky --images target --out new-zero-clip",
    )
    assert (world / "new-zero-clip" / "night0.png").is_file()
