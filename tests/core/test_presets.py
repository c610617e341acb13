from __future__ import annotations

import open_clip
import pytest

from semidavil_core.vlm.class_prompts import TEMPLATES
from semidavil_core.vlm.loading import load_vlm
from semidavil_core.vlm.model_spec import parse_spec
from semidavil_core.vlm.presets import DEFAULT_PRESET, PRESETS, Preset

every_preset = pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda p: p.name)


@every_preset
def test_every_preset_tells_licence_size_and_purpose(preset: Preset) -> None:
    assert preset.licence
    assert preset.purpose.endswith(".")
    assert (preset.size_mb > 0) != (preset.name == DEFAULT_PRESET)
    assert preset.templates in TEMPLATES


@every_preset
def test_every_preset_is_a_name_that_loading_understands(preset: Preset) -> None:
    spec = parse_spec(preset.name)
    assert spec.preset is preset
    if not preset.model.startswith(("hf-hub:", "local-dir:")):
        assert preset.model in open_clip.list_models()
        assert open_clip.get_model_config(preset.model)["embed_dim"] == preset.embed_dim
    if preset.pretrained is not None and not preset.pretrained.startswith("hf-file:"):
        assert open_clip.get_pretrained_cfg(preset.model, preset.pretrained)


def test_there_is_a_preset_for_every_field_and_the_default_needs_no_download() -> None:
    assert {"mini", "natural", "natural-gpu", "biomedical", "pathology", "remote-sensing"} <= set(PRESETS)
    vlm = load_vlm(DEFAULT_PRESET, allow_download=False)
    assert vlm.embed_dim == PRESETS[DEFAULT_PRESET].embed_dim


def test_presets_cannot_be_changed_by_accident() -> None:
    with pytest.raises(TypeError):
        PRESETS["mini"] = PRESETS["natural"]  # type: ignore[index]
