from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from open_clip.coca_model import CoCa
from torch import nn

from semidavil_core.errors import UnknownModel
from semidavil_core.vlm.captions import Captions
from semidavil_core.vlm.language_source import ClassPrompts, UserText, sentences_about
from semidavil_core.vlm.loading import Vlm, load_vlm
from tests.core import tiny_vlm
from tests.core.tiny_vlm import TEXT, VIT, write_folder

CONFIG: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {**VIT, "attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True},
    "text_cfg": {**TEXT, "embed_cls": True, "output_tokens": True},
    "multimodal_cfg": {**TEXT, "attn_pooler_heads": 2, "dim_head": 16},
    "custom_text": True,
}


def _random_coca(**config: Any) -> CoCa:
    model = CoCa(**config)
    nn.init.normal_(model.text_decoder.text_projection)  # open_clip leaves in it whatever the memory held
    return model


@pytest.fixture(scope="module")
def coca(tmp_path_factory: pytest.TempPathFactory) -> Vlm:
    folder = tmp_path_factory.mktemp("vlm") / "coca"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_vlm, "CustomTextCLIP", _random_coca)
        return load_vlm(str(write_folder(folder, CONFIG, seed=4)))


def _image(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (40, 50, 3), np.uint8)


def test_a_coca_model_describes_an_image_in_a_bounded_sentence_that_it_repeats(coca: Vlm) -> None:
    captioner = Captions(coca, longest=6)
    caption = captioner.caption(_image())
    assert caption
    assert caption == captioner.caption(_image())
    assert len(coca.text.tokenizer([caption])[0].nonzero()) <= TEXT["context_length"]


def test_decoding_stops_at_the_end_token(coca: Vlm, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []

    def answer(images: Any, tokens: torch.Tensor, **_: Any) -> dict[str, torch.Tensor]:
        steps.append(tokens.shape[1])
        logits = torch.zeros(1, tokens.shape[1], 49408)
        logits[..., 320 if tokens.shape[1] < 3 else 49407] = 1
        return {"logits": logits}

    monkeypatch.setattr(coca.model, "forward", answer)
    assert Captions(coca).caption(_image()) == "a a"
    assert steps == [1, 2, 3]


def test_a_coca_tower_gives_dense_features_by_the_value_path(coca: Vlm) -> None:
    with torch.no_grad():
        features = coca.tower(torch.rand(1, 3, 41, 30))
    assert coca.reference.dense_mode == "value"
    assert features.aligned.shape == (1, 32, 6, 4)


def test_a_model_without_a_decoder_cannot_caption_and_says_which_can(tmp_path: Path) -> None:
    vlm = load_vlm(str(write_folder(tmp_path / "tiny")))
    with pytest.raises(UnknownModel, match="coca_ViT-B-32"):
        Captions(vlm)


def test_language_comes_from_class_prompts_a_person_or_a_captioner(coca: Vlm) -> None:
    images = [_image(0), _image(1), _image(0)]
    assert sentences_about(ClassPrompts(), images) == ()
    assert sentences_about(UserText((" a rainy night", "  ", "a street")), images) == (
        "a rainy night",
        "a street",
    )
    described = sentences_about(Captions(coca, longest=4), images)
    assert described == tuple(dict.fromkeys(Captions(coca, longest=4).caption(image) for image in images))
