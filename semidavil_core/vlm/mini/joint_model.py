"""The shape of `mini`, and writing it in open_clip's own format."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import open_clip
import torch
from safetensors.torch import save

from semidavil_core.atomic_files import write_bytes, write_json
from semidavil_core.vlm.mini.starting_weights import TRUNK

if TYPE_CHECKING:
    from torch import nn

EMBED_DIM = 192
CONTEXT_LENGTH = 32
_IMAGE_SIZE = 256
_TEXT_WIDTH, _TEXT_HEADS, _TEXT_LAYERS = 160, 5, 3
_NAME = "semidavil-mini"

MODEL_CONFIG: dict[str, Any] = {
    "embed_dim": EMBED_DIM,
    "vision_cfg": {
        "timm_model_name": TRUNK,
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "mlp",
        "timm_proj_bias": True,
        "image_size": _IMAGE_SIZE,
    },
    "text_cfg": {
        "context_length": CONTEXT_LENGTH,
        "vocab_size": 49408,  # open_clip's bundled tokenizer
        "width": _TEXT_WIDTH,
        "heads": _TEXT_HEADS,
        "layers": _TEXT_LAYERS,
    },
}
PREPROCESS_CONFIG: dict[str, Any] = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


def create_untrained(seed: int) -> Any:
    """Return the open_clip model with random weights."""
    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{_NAME}.json"
        file.write_text(json.dumps(MODEL_CONFIG), encoding="utf-8")
        open_clip.add_model_config(file)
        return open_clip.create_model(_NAME)


def image_head(model: Any) -> tuple[nn.Module, nn.Linear]:
    """Return what maps one feature vector to the joint space, and its first layer."""
    head: nn.Module = model.visual.head
    first: nn.Linear = model.visual.head.mlp.fc1
    return head, first


def write_model(model: Any, folder: Path) -> None:
    """Write configuration and float16 weights; ``open_clip.create_model('local-dir:FOLDER')`` reads them.

    Half precision halves the file; open_clip copies it into a float32 model.
    """
    weights = {name: _halved(tensor) for name, tensor in model.state_dict().items()}
    write_bytes(folder / "open_clip_model.safetensors", save(weights, metadata={"format": "pt"}))
    write_json(
        folder / "open_clip_config.json",
        {"model_cfg": MODEL_CONFIG, "preprocess_cfg": PREPROCESS_CONFIG},
    )


def _halved(tensor: torch.Tensor) -> torch.Tensor:
    small = tensor.half() if tensor.is_floating_point() else tensor
    return small.detach().cpu().contiguous().clone()
