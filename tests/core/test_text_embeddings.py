from __future__ import annotations

from pathlib import Path

import pytest
import torch

from semidavil_core.classes import ClassSet
from semidavil_core.errors import InvalidSettings
from semidavil_core.vlm.class_prompts import TEMPLATES, prompt_sentences, resolve_templates
from semidavil_core.vlm.loading import Vlm, load_vlm
from semidavil_core.vlm.text_embeddings import embed_classes
from tests.core.tiny_vlm import write_folder

CLASSES = ClassSet.from_json(
    [
        {"name": "car", "prompts": ["car", "van", "truck"]},
        {"name": "sky"},
        {"name": "road", "prompts": ["road", "street"]},
    ]
)


@pytest.fixture(scope="module")
def vlm(tmp_path_factory: pytest.TempPathFactory) -> Vlm:
    return load_vlm(str(write_folder(tmp_path_factory.mktemp("vlm") / "tiny")))


def test_the_text_matrix_has_one_unit_row_per_class(vlm: Vlm) -> None:
    text = embed_classes(vlm.text, CLASSES)
    assert text.shape == (3, vlm.embed_dim)
    assert text.dtype == torch.float32
    assert not text.requires_grad
    torch.testing.assert_close(text.norm(dim=1), torch.ones(3))


def test_a_row_is_the_normalised_mean_over_templates_and_synonyms(vlm: Vlm) -> None:
    templates = ("a {}.", "the {} here")
    sentences = ["a car.", "the car here", "a van.", "the van here", "a truck.", "the truck here"]
    expected = vlm.text(sentences).mean(0)
    row = embed_classes(vlm.text, CLASSES, templates=templates)[0]
    torch.testing.assert_close(row, expected / expected.norm())


def test_an_added_class_costs_one_row_and_leaves_the_others_as_they_are(
    vlm: Vlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = embed_classes(vlm.text, CLASSES)
    asked: list[str] = []
    encode = vlm.text.encode
    monkeypatch.setattr(vlm.text, "encode", lambda s: (asked.extend(s), encode(s))[1])
    after = embed_classes(vlm.text, CLASSES.with_class("hedge"))
    assert torch.equal(after[:3], before)
    assert asked
    assert all("hedge" in sentence for sentence in asked)


def test_renaming_and_other_templates_and_other_models_are_not_served_from_the_cache(
    vlm: Vlm, tmp_path: Path
) -> None:
    base = embed_classes(vlm.text, CLASSES, templates="none")
    renamed = ClassSet.from_json(
        [{"name": "car"}, {"name": "heaven"}, {"name": "road", "prompts": ["road", "street"]}]
    )
    other = embed_classes(vlm.text, renamed, templates="none")
    assert not torch.allclose(base[0], other[0])  # without its synonyms
    assert not torch.allclose(base[1], other[1])
    torch.testing.assert_close(base[2], other[2])
    assert not torch.allclose(base, embed_classes(vlm.text, CLASSES, templates="natural"))
    second = load_vlm(str(write_folder(tmp_path / "second", seed=5)))
    assert not torch.allclose(base, embed_classes(second.text, CLASSES, templates="none"))


def test_the_order_of_classes_only_orders_the_rows(vlm: Vlm) -> None:
    turned = ClassSet(CLASSES.classes[::-1])
    torch.testing.assert_close(embed_classes(vlm.text, turned), embed_classes(vlm.text, CLASSES).flip(0))


def test_prompts_with_braces_and_very_long_prompts_do_no_harm(vlm: Vlm) -> None:
    odd = ClassSet.from_json(["{0} {name}", "word " * 500])
    assert torch.isfinite(embed_classes(vlm.text, odd)).all()


def test_many_sentences_equal_the_same_ones_alone(vlm: Vlm) -> None:
    sentences = [f"thing number {i}" for i in range(70)]
    torch.testing.assert_close(vlm.text(sentences)[68:69], vlm.text(sentences[68:69]), rtol=1e-4, atol=1e-5)


def test_sentences_are_every_template_with_every_synonym() -> None:
    sentences = prompt_sentences(CLASSES, ("a {}", "{}!"))
    assert sentences[0] == ["a car", "car!", "a van", "van!", "a truck", "truck!"]
    assert sentences[1] == ["a sky", "sky!"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_set_of_templates_has_one_place_for_the_name(name: str) -> None:
    assert all(t.count("{}") == 1 for t in resolve_templates(name))


@pytest.mark.parametrize("templates", ["no such set", [], ["no place"], ["{} and {}"]])
def test_unusable_templates_are_refused(templates: str | list[str]) -> None:
    with pytest.raises(InvalidSettings, match="template"):
        resolve_templates(templates)


def test_mini_knows_that_a_street_is_more_like_a_road_than_like_a_nucleus() -> None:
    vlm = load_vlm("mini", allow_download=False)
    street, road, nucleus = embed_classes(vlm.text, ClassSet.from_names(["street", "road", "cell nucleus"]))
    assert street @ road > street @ nucleus
