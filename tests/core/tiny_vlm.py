"""Tiny random vision-language models in open_clip's own format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from open_clip.model import CLIP, CustomTextCLIP
from safetensors.torch import save_file

TEXT: dict[str, Any] = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
VIT: dict[str, Any] = {"image_size": 32, "layers": 3, "width": 32, "head_width": 16, "patch_size": 8}
CONV: dict[str, Any] = {
    "timm_model_name": "convnext_atto", "timm_pool": "", "timm_proj": "linear", "timm_model_pretrained": False, "image_size": 64
}  # fmt: skip
PREPROCESS: dict[str, Any] = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4], "interpolation": "bilinear"}


def model_config(
    vision: dict[str, Any] = VIT, dim: int = 24, text: dict[str, Any] = TEXT, **more: Any
) -> dict[str, Any]:
    return {"embed_dim": dim, "vision_cfg": dict(vision), "text_cfg": dict(text), **more}


def random_clip(config: dict[str, Any], seed: int = 0) -> Any:
    torch.manual_seed(seed)
    custom = config.get("custom_text", False) or "hf_model_name" in config["text_cfg"]
    arguments = {k: v for k, v in config.items() if k != "custom_text"}
    return (CustomTextCLIP if custom else CLIP)(**arguments).eval()


def write_folder(folder: Path, config: dict[str, Any] | None = None, *, seed: int = 0, **extras: Any) -> Path:
    """A `local-dir:` folder; `extras` join the configuration file."""
    config = config or model_config()
    folder.mkdir(parents=True, exist_ok=True)
    weights = random_clip(config, seed).state_dict()
    save_file({k: v.clone() for k, v in weights.items()}, folder / "open_clip_model.safetensors")
    content = {"model_cfg": config, "preprocess_cfg": PREPROCESS, **extras}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    return folder
