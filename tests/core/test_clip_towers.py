from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from open_clip.model import _build_vision_tower as build_vision_tower
from torch import Tensor, nn

from semidavil_core.errors import InvalidSettings, UnknownModel
from semidavil_core.vlm.clip_towers import ClipTower, build_tower
from semidavil_core.vlm.rebuild import tower_from_reference
from semidavil_core.vlm.reference import VlmReference
from semidavil_core.vlm.towers.dense_attention import neighbourhood
from semidavil_core.vlm.towers.positional_embedding import resized_positions

VIT: dict[str, Any] = {"image_size": 32, "layers": 3, "width": 32, "head_width": 16, "patch_size": 8}
EVA: dict[str, Any] = {
    "timm_model_name": "eva02_tiny_patch14_224", "timm_pool": "token", "timm_proj": "linear", "image_size": 224
}  # fmt: skip
CONFIGS: dict[str, dict[str, Any]] = {
    "vit": VIT,
    "coca": {**VIT, "attentional_pool": True, "attn_pooler_heads": 2},
    "resnet": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "head_width": 32, "patch_size": None},
    "efficientnet": {"timm_model_name": "tf_efficientnet_lite0", "timm_proj": "linear", "timm_pool": "avg"},
    "fastvit": {"timm_model_name": "fastvit_mci0", "timm_proj": None, "timm_pool": "avg"},
    "convnext": {"timm_model_name": "convnext_atto", "timm_proj": "linear", "timm_pool": ""},
    "siglip": {"timm_model_name": "vit_tiny_patch16_224", "timm_proj": "none", "timm_pool": "map"},
    "biomedclip": {"timm_model_name": "vit_tiny_patch16_224", "timm_proj": "linear", "timm_pool": ""},
    "eva": EVA,
}
STRIDES = {
    "vit": (8, (8, 8, 8)), "coca": (8, (8, 8, 8)), "resnet": (32, (4, 8, 16)), "efficientnet": (32, (2, 4, 8, 16)),
    "fastvit": (32, (4, 8, 16)), "convnext": (32, (4, 8, 16)), "siglip": (16, (16, 16, 16)),
    "biomedclip": (16, (16, 16, 16)), "eva": (14, (14, 14, 14)),
}  # fmt: skip
MODES = ("vanilla", "maskclip", "sclip", "clearclip", "naclip")
PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
every_family = pytest.mark.parametrize("family", CONFIGS)


@cache
def _visual(family: str) -> nn.Module:
    torch.manual_seed(0)
    visual: nn.Module = build_vision_tower(192 if family == "siglip" else 24, dict(CONFIGS[family])).eval()
    for name, parameter in visual.named_parameters():
        if name.endswith("bn3.weight"):  # fresh residual branches are switched off
            nn.init.ones_(parameter)
    return visual


def _tower(family: str, mode: str | None = None, preprocess: dict[str, Any] = PLAIN) -> ClipTower:
    return build_tower(copy.deepcopy(_visual(family)), preprocess, mode)


def _images(height: int, width: int, count: int = 1) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1))


@every_family
@pytest.mark.parametrize(("height", "width"), [(64, 96), (45, 71)])
def test_every_family_gives_aligned_and_finer_maps_that_cover_an_image_of_any_size(
    family: str, height: int, width: int
) -> None:
    tower = _tower(family)
    with torch.no_grad():
        features = tower(_images(height, width, 2))
    stride, fine_strides = STRIDES[family]
    padded = (-(-height // stride) * stride, -(-width // stride) * stride)
    assert (tower.aligned_stride, tower.fine_strides) == (stride, fine_strides)
    assert features.padded_size == padded
    assert features.aligned.shape == (2, tower.embed_dim, padded[0] // stride, padded[1] // stride)
    for fine, channels, step in zip(features.fine, tower.fine_channels, fine_strides, strict=True):
        assert fine.shape == (2, channels, -(-padded[0] // step), -(-padded[1] // step))
    assert torch.isfinite(features.aligned).all()


@every_family
def test_the_aligned_map_tells_places_apart(family: str) -> None:
    image = torch.zeros(1, 3, 128, 128)
    image[..., 64:] = _images(128, 64)
    with torch.no_grad():
        aligned = _tower(family)(image).aligned
    left, right = aligned[..., 0], aligned[..., -1]
    assert not torch.allclose(left, right, rtol=1e-3, atol=1e-5)


@every_family
def test_gradients_reach_every_tuned_parameter_and_nothing_else_when_tuned(family: str) -> None:
    tower = _tower(family)
    tower.set_tuned(True)
    features = tower(_images(64, 64))
    (features.aligned.square().sum() + sum(f.square().sum() for f in features.fine)).backward()
    tuned = {id(p) for p in tower.tuned_parameters()}
    assert tuned
    for parameter in tower.parameters():
        assert (parameter.grad is not None) == (id(parameter) in tuned)


@every_family
def test_a_frozen_tower_has_no_gradient(family: str) -> None:
    tower = _tower(family)
    tower.set_tuned(False)
    assert not tower(_images(32, 32)).aligned.requires_grad


@every_family
def test_two_sizes_in_turn_leave_the_weights_and_the_first_answer_unchanged(family: str) -> None:
    tower = _tower(family)
    before = {k: v.clone() for k, v in tower.state_dict().items()}
    with torch.no_grad():
        first = tower(_images(64, 64)).aligned
        tower(_images(96, 40))
        again = tower(_images(64, 64)).aligned
    torch.testing.assert_close(again, first)
    assert all(torch.equal(v, before[k]) for k, v in tower.state_dict().items())


@pytest.mark.parametrize("family", ["efficientnet", "fastvit", "convnext", "resnet"])
def test_batch_statistics_stay_those_of_the_pre_training(family: str) -> None:
    tower = _tower(family).train()
    before = {k: v.clone() for k, v in tower.state_dict().items()}
    with torch.no_grad():
        first, second = tower(_images(64, 64)).aligned, tower(_images(64, 64)).aligned
    assert not tower.visual.training
    torch.testing.assert_close(first, second)
    assert all(torch.equal(v, before[k]) for k, v in tower.state_dict().items())


def test_the_vanilla_tokens_average_to_open_clips_own_image_embedding() -> None:
    torch.manual_seed(0)
    visual = build_vision_tower(24, {**VIT, "pool_type": "avg"}).eval()
    image = _images(32, 32)
    with torch.no_grad():
        expected = visual(image)
        aligned = build_tower(visual, PLAIN, "vanilla")(image).aligned
    torch.testing.assert_close(aligned.mean((2, 3)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ["efficientnet", "fastvit"])
def test_the_locations_of_a_convolutional_tower_average_to_its_image_embedding(family: str) -> None:
    image = _images(64, 64)
    with torch.no_grad():
        expected = _visual(family)(image)
        aligned = _tower(family)(image).aligned
    torch.testing.assert_close(aligned.mean((2, 3)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ["efficientnet", "fastvit", "convnext"])
def test_a_single_location_is_the_whole_image_embedding(family: str) -> None:
    image = _images(32, 32)
    with torch.no_grad():
        expected = _visual(family)(image)
        aligned = _tower(family)(image).aligned
    torch.testing.assert_close(aligned[..., 0, 0], expected, rtol=1e-4, atol=1e-5)


def test_a_single_patch_of_an_attention_pooled_tower_is_the_whole_image_embedding() -> None:
    image = _images(16, 16)
    tower = _tower("siglip")
    with torch.no_grad():
        aligned = tower(image).aligned
        expected = tower.visual(image)
    torch.testing.assert_close(aligned[..., 0, 0], expected, rtol=1e-4, atol=1e-5)


def test_the_timm_vanilla_tokens_are_the_trunks_own_after_the_projection() -> None:
    tower, image = _tower("biomedclip", "vanilla"), _images(224, 224)
    with torch.no_grad():
        tokens = _visual("biomedclip").trunk.forward_features(image)[:, 1:]  # type: ignore[operator, union-attr]
        expected = tower.visual.head(tokens)
        aligned = tower(image).aligned
    torch.testing.assert_close(aligned.flatten(2).transpose(1, 2), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ["vit", "biomedclip"])
def test_the_training_free_modes_all_differ(family: str) -> None:
    image = _images(64, 64)
    with torch.no_grad():
        maps = [_tower(family, mode)(image).aligned for mode in MODES]
    for i, first in enumerate(maps):
        for second in maps[i + 1 :]:
            assert not torch.allclose(first, second, rtol=1e-3, atol=1e-4)


def test_maskclip_is_the_value_path_with_residual_and_feed_forward() -> None:
    visual, image = _visual("vit"), _images(32, 32)
    with torch.no_grad():
        tokens = visual._embeds(image)  # type: ignore[operator]
        *blocks, last = visual.transformer.resblocks  # type: ignore[union-attr]
        for block in blocks:
            tokens = block(tokens)
        normed = last.ln_1(tokens)
        value = nn.functional.linear(normed, last.attn.in_proj_weight[64:], last.attn.in_proj_bias[64:])
        attended = tokens + last.attn.out_proj(value)
        answer = attended + last.mlp(last.ln_2(attended))
        expected = visual.ln_post(answer)[:, 1:] @ visual.proj  # type: ignore[operator]
        aligned = _tower("vit", "maskclip")(image).aligned
    torch.testing.assert_close(aligned.flatten(2).transpose(1, 2), expected, rtol=1e-4, atol=1e-5)


def test_naclips_neighbourhood_is_one_at_home_falls_with_distance_and_leaves_the_class_token_alone() -> None:
    closeness = neighbourhood((3, 4), 1)
    assert closeness.shape == (13, 13)
    assert not closeness[0].any()
    assert not closeness[:, 0].any()
    torch.testing.assert_close(closeness[1:, 1:].diagonal(), torch.ones(12))
    assert closeness[1, 2].item() == pytest.approx(2.718281828 ** (-1 / 50), rel=1e-5)
    assert closeness[1, 1 + 4 + 1].item() == pytest.approx(2.718281828 ** (-2 / 50), rel=1e-5)


def test_positions_of_the_native_grid_are_untouched_and_others_keep_the_class_token() -> None:
    stored = torch.randn(17, 8)
    assert resized_positions(stored, (4, 4), (4, 4)) is stored
    resized = resized_positions(stored, (4, 4), (6, 3))
    assert resized.shape == (19, 8)
    torch.testing.assert_close(resized[0], stored[0])


def test_a_constant_positional_embedding_stays_constant_at_every_size() -> None:
    resized = resized_positions(torch.ones(17, 8), (4, 4), (7, 5))
    torch.testing.assert_close(resized, torch.ones(36, 8))


def test_the_tower_normalises_with_its_own_statistics() -> None:
    image = _images(32, 32)
    shifted = _tower("vit", preprocess={"mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 0.7)})
    by_hand = (image - torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1)) / torch.tensor([0.5, 0.6, 0.7]).view(
        1, 3, 1, 1
    )
    with torch.no_grad():
        torch.testing.assert_close(shifted(image).aligned, _tower("vit")(by_hand).aligned)


def test_padding_repeats_the_border_at_the_right_and_the_bottom() -> None:
    image = _images(30, 27)
    padded = torch.nn.functional.pad(image, (0, 5, 0, 2), mode="replicate")
    with torch.no_grad():
        torch.testing.assert_close(_tower("vit")(image).aligned, _tower("vit")(padded).aligned)


def test_a_mode_that_does_not_fit_the_family_is_refused_with_those_that_do() -> None:
    with pytest.raises(InvalidSettings, match=r"'naclip'.*allowed are value"):
        _tower("efficientnet", "naclip")
    with pytest.raises(InvalidSettings, match="nonsense"):
        _tower("vit", "nonsense")


def test_a_tower_without_maps_of_any_size_is_refused() -> None:
    swin = build_vision_tower(
        8, {"timm_model_name": "swin_s3_tiny_224", "timm_proj": "linear", "timm_pool": "avg"}
    )
    with pytest.raises(UnknownModel, match="SwinTransformer"):
        build_tower(swin, PLAIN)


def test_a_copied_tower_answers_alike() -> None:
    tower = _tower("fastvit")
    with torch.no_grad():
        torch.testing.assert_close(
            copy.deepcopy(tower)(_images(32, 32)).aligned, tower(_images(32, 32)).aligned
        )


@pytest.mark.parametrize("family", ["vit", "efficientnet", "siglip"])
def test_a_tower_is_rebuilt_from_its_reference_and_takes_the_old_weights(family: str, tmp_path: Path) -> None:
    tower = _tower(family)
    config = {
        "model_cfg": {"embed_dim": tower.embed_dim, "vision_cfg": CONFIGS[family]},
        "preprocess_cfg": PLAIN,
    }
    reference = VlmReference("x", "x", None, tower.dense_mode.value, tower.embed_dim, 40.0, "", config)
    rebuilt = tower_from_reference(reference)
    rebuilt.load_state_dict(tower.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(rebuilt(_images(32, 32)).aligned, tower(_images(32, 32)).aligned)


@every_family
def test_a_look_in_inference_mode_does_not_spoil_a_training_step_at_that_size(family: str) -> None:
    neighbourhood.cache_clear()
    tower, image = _tower(family), _images(40, 48)
    with torch.inference_mode():
        seen = tower(image).aligned.clone()
    learnt = tower(image).aligned
    learnt.square().sum().backward()
    torch.testing.assert_close(learnt.detach(), seen)
