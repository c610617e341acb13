from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from semidavil_core.errors import InvalidBundle, OutputNotWritable
from semidavil_core.export.bundle import Bundle, load_bundle, save_bundle
from semidavil_core.export.forest_led import ForestLed
from semidavil_core.inference.predict import Predictor
from semidavil_core.model.from_language import segmenter_from_language
from semidavil_core.model.readout import Readout
from semidavil_core.vlm.loading import Vlm, load_vlm
from tests.core.tiny_tower import CLASSES, SMALL, scene
from tests.core.tiny_vlm import CONV, model_config, write_folder


@pytest.fixture(scope="module")
def vlm(tmp_path_factory: pytest.TempPathFactory) -> Vlm:
    return load_vlm(str(write_folder(tmp_path_factory.mktemp("vlm") / "tiny")))


@pytest.fixture(scope="module")
def bundle(vlm: Vlm) -> Bundle:
    return bundle_of(vlm)


def bundle_of(vlm: Vlm, *, mutual: bool = False) -> Bundle:
    """With every added layer at work."""
    segmenter = segmenter_from_language(vlm, CLASSES, settings=replace(SMALL, mutual=mutual)).eval()
    guidance, zero = segmenter.guidance, [segmenter.decoder.pixel_embedding]
    zero += [guidance.visual_out, guidance.language_out] if mutual else [guidance.visual_out]
    torch.manual_seed(0)
    for layer in zero:
        torch.nn.init.normal_(layer.weight)
    return Bundle(segmenter, CLASSES, vlm.reference, {"eval": {"miou": 0.5}}, {"adapt": {"crop": 64}})


@pytest.fixture
def folder(bundle: Bundle, tmp_path: Path) -> Path:
    save_bundle(bundle, tmp_path / "model")
    return tmp_path / "model"


def edit_json(path: Path, change: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def assert_predicts_alike(one: Bundle, other: Bundle) -> None:
    image, _ = scene(size=(37, 50))
    predictions = [Predictor(b.segmenter).predict(image) for b in (one, other)]
    np.testing.assert_array_equal(predictions[0].probabilities, predictions[1].probabilities)


def test_a_bundle_read_again_predicts_the_same_and_knows_all_that_was_saved(
    bundle: Bundle, folder: Path
) -> None:
    again = load_bundle(folder)
    assert_predicts_alike(bundle, again)
    assert again.classes == bundle.classes
    assert again.vlm == bundle.vlm
    assert again.metrics == bundle.metrics
    assert again.settings == bundle.settings
    assert again.segmenter.settings == SMALL
    assert again.segmenter.logit_scale == bundle.segmenter.logit_scale
    assert again.segmenter.readout == bundle.segmenter.readout
    assert not again.segmenter.training


def test_a_bundle_needs_no_vision_language_model_any_more(tmp_path: Path) -> None:
    vlm = load_vlm(str(write_folder(tmp_path / "tiny")))
    bundle = bundle_of(vlm)
    save_bundle(bundle, tmp_path / "model")
    for file in (tmp_path / "tiny").iterdir():
        file.unlink()
    assert_predicts_alike(bundle, load_bundle(tmp_path / "model"))


def test_a_convolutional_tower_goes_into_a_bundle_too(tmp_path: Path) -> None:
    bundle = bundle_of(load_vlm(str(write_folder(tmp_path / "tiny", model_config(CONV)))))
    save_bundle(bundle, tmp_path / "model")
    assert_predicts_alike(bundle, load_bundle(tmp_path / "model"))


def test_reading_a_bundle_leaves_the_random_state_alone(folder: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    load_bundle(folder)
    assert torch.equal(torch.rand(1), expected)


def test_the_model_card_names_classes_values_and_scores(folder: Path) -> None:
    card = (folder / "README.md").read_text()
    assert "0: **ground**" in card
    assert '"miou": 0.5' in card


def test_saving_again_replaces_the_older_bundle(bundle: Bundle, folder: Path) -> None:
    save_bundle(replace(bundle, metrics={"eval": {"miou": 0.75}}), folder)
    assert load_bundle(folder).metrics == {"eval": {"miou": 0.75}}
    assert {p.name for p in folder.parent.iterdir()} == {"model"}


def test_a_folder_with_other_files_is_not_overwritten(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "holiday.txt").write_text("precious")
    with pytest.raises(OutputNotWritable, match="other files"):
        save_bundle(bundle, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["holiday.txt"]


def test_a_failed_save_leaves_the_older_bundle_whole(bundle: Bundle, folder: Path) -> None:
    unserialisable = replace(bundle, metrics={"eval": object()})
    with pytest.raises(TypeError):
        save_bundle(unserialisable, folder)
    assert_predicts_alike(bundle, load_bundle(folder))
    assert {p.name for p in folder.parent.iterdir()} == {"model"}


def _full_disk(*_: Any, **__: Any) -> None:
    raise SafetensorError("I/O error: No space left on device (os error 28)")


def test_a_full_disk_is_told_and_leaves_the_older_bundle_whole(
    bundle: Bundle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semidavil_core.export.bundle.save_file", _full_disk)
    with pytest.raises(OutputNotWritable, match="No space left"):
        save_bundle(bundle, folder)
    assert_predicts_alike(bundle, load_bundle(folder))
    assert {p.name for p in folder.parent.iterdir()} == {"model"}


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "no config": lambda f: (f / "config.json").unlink(),
    "half a config": lambda f: (f / "config.json").write_text('{"format": "semi'),
    "config of bytes": lambda f: (f / "config.json").write_bytes(b"\xff\xfe\x00"),
    "config that is a list": lambda f: (f / "config.json").write_text("[]"),
    "another format": lambda f: edit_json(f / "config.json", lambda c: {**c, "format": "coco"}),
    "no vision-language model": lambda f: edit_json(
        f / "config.json", lambda c: {k: v for k, v in c.items() if k != "vlm"}
    ),
    "a model that is a text": lambda f: edit_json(f / "config.json", lambda c: {**c, "vlm": "mini"}),
    "a tower without configuration": lambda f: edit_json(
        f / "config.json", lambda c: {**c, "vlm": {**c["vlm"], "config": {}}}
    ),
    "unknown sizes": lambda f: edit_json(f / "config.json", lambda c: {**c, "model": {"depth": 3}}),
    "impossible sizes": lambda f: edit_json(f / "config.json", lambda c: {**c, "model": {"width": 17}}),
    "other sizes": lambda f: edit_json(
        f / "config.json", lambda c: {**c, "model": {**c["model"], "width": 24}}
    ),
    "no logit scale": lambda f: edit_json(f / "config.json", lambda c: {**c, "logit_scale": None}),
    "no temperature": lambda f: edit_json(f / "config.json", lambda c: {**c, "temperature": None}),
    "a number in place of class names": lambda f: edit_json(
        f / "config.json", lambda c: {**c, "unlearnt": 3}
    ),
    "a forest that led twice as far": lambda f: edit_json(
        f / "config.json", lambda c: {**c, "forest_led": {"share": 2.0}}
    ),
    "a number in place of marks": lambda f: edit_json(
        f / "config.json", lambda c: {**c, "forest_led": {"share": 1.0, "images": 7}}
    ),
    "an image prior of 2": lambda f: edit_json(f / "config.json", lambda c: {**c, "image_prior": 2}),
    "a temperature of zero": lambda f: edit_json(f / "config.json", lambda c: {**c, "temperature": 0}),
    "no classes": lambda f: (f / "classes.json").unlink(),
    "half the classes": lambda f: (f / "classes.json").write_text('[{"name": '),
    "duplicate classes": lambda f: edit_json(f / "classes.json", lambda c: [c[0], c[0], c[2]]),
    "no weights": lambda f: (f / "weights.safetensors").unlink(),
    "empty weights": lambda f: (f / "weights.safetensors").write_bytes(b""),
    "half the weights": lambda f: (f / "weights.safetensors").write_bytes(
        (f / "weights.safetensors").read_bytes()[:5000]
    ),
    "weights of zeros": lambda f: (f / "weights.safetensors").write_bytes(bytes(4096)),
    "half the metrics": lambda f: (f / "metrics.json").write_text("{"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_bundle_is_refused_in_one_sentence_that_names_it(folder: Path, damage: str) -> None:
    DAMAGE[damage](folder)
    with pytest.raises(InvalidBundle) as caught:
        load_bundle(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def edit_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    weights = load_file(folder / "weights.safetensors")
    save_file(change(weights), folder / "weights.safetensors")


@pytest.mark.parametrize("name", ["text", "decoder.query.weight"])
def test_a_missing_tensor_is_named(folder: Path, name: str) -> None:
    edit_weights(folder, lambda w: {k: v for k, v in w.items() if k != name})
    with pytest.raises(InvalidBundle, match=rf"damaged.*{name}"):
        load_bundle(folder)


@pytest.mark.parametrize("shape", [(3, 5), (3,), (3, 24, 1)])
def test_a_text_matrix_of_another_width_than_the_tower_is_refused(
    folder: Path, shape: tuple[int, ...]
) -> None:
    edit_weights(folder, lambda w: {**w, "text": torch.zeros(shape)})
    with pytest.raises(InvalidBundle, match="text matrix"):
        load_bundle(folder)


def test_classes_and_weights_must_agree_on_the_number_of_classes(folder: Path) -> None:
    edit_json(folder / "classes.json", lambda c: c[:2])
    with pytest.raises(InvalidBundle, match="lists 2 classes but its weights hold 3"):
        load_bundle(folder)


@pytest.mark.parametrize("version", [3, 99, "1", None])
def test_a_newer_schema_is_refused_with_what_to_do(folder: Path, version: object) -> None:
    edit_json(folder / "config.json", lambda c: {**c, "schema_version": version})
    with pytest.raises(InvalidBundle, match=r"schema version .*update SemiDAViL"):
        load_bundle(folder)


def test_a_bundle_of_the_first_schema_has_guidance_in_both_directions(vlm: Vlm, tmp_path: Path) -> None:
    older, folder = bundle_of(vlm, mutual=True), tmp_path / "older"
    save_bundle(older, folder)

    def as_it_was(config: dict[str, Any]) -> dict[str, Any]:
        sizes = {name: value for name, value in config["model"].items() if name != "mutual"}
        return {**config, "schema_version": 1, "model": sizes}

    edit_json(folder / "config.json", as_it_was)
    loaded = load_bundle(folder)
    assert_predicts_alike(loaded, older)
    save_bundle(loaded, tmp_path / "again")
    assert_predicts_alike(load_bundle(tmp_path / "again"), older)


@pytest.mark.parametrize("name", ["nowhere", "model/config.json"])
def test_what_is_no_folder_is_no_bundle(folder: Path, name: str) -> None:
    with pytest.raises(InvalidBundle, match="not a SemiDAViL bundle"):
        load_bundle(folder.parent / name)


def test_nothing_in_a_bundle_is_unpickled(folder: Path) -> None:
    torch.save({"text": torch.zeros(3, 24)}, folder / "weights.safetensors")
    with pytest.raises(InvalidBundle, match=r"weights\.safetensors"):
        load_bundle(folder)


def test_a_bundle_keeps_its_readout_and_an_older_one_has_the_plain_one(
    bundle: Bundle, folder: Path, tmp_path: Path
) -> None:
    warm = copy.deepcopy(bundle.segmenter)
    warm.readout = Readout(temperature=1.7, image_prior=0.3)
    save_bundle(replace(bundle, segmenter=warm), tmp_path / "warm")
    assert load_bundle(tmp_path / "warm").segmenter.readout == warm.readout
    edit_json(folder / "config.json", lambda c: {k: v for k, v in c.items() if k not in asdict(Readout())})
    assert load_bundle(folder).segmenter.readout == Readout()


def test_a_bundle_says_how_far_a_forest_led_it_and_on_what(bundle: Bundle, tmp_path: Path) -> None:
    led = ForestLed(0.5, ("ab", "cd"))
    save_bundle(replace(bundle, forest_led=led), tmp_path / "led")
    assert load_bundle(tmp_path / "led").forest_led == led
    edit_json(
        tmp_path / "led/config.json", lambda c: {k: v for k, v in c.items() if k != "forest_led"}
    )  # an older one
    assert load_bundle(tmp_path / "led").forest_led == ForestLed()


def test_a_bundle_says_what_was_only_typed(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(replace(bundle, unlearnt=(CLASSES.names[1],)), tmp_path / "typed")
    assert load_bundle(tmp_path / "typed").unlearnt == (CLASSES.names[1],)
    assert load_bundle(tmp_path / "typed").classes == bundle.classes
