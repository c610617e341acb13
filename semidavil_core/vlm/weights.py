"""From a model's name to open_clip's model and tokenizer with the right weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import open_clip
from huggingface_hub import hf_hub_download
from torch import Tensor, nn

from semidavil_core.errors import WeightsUnavailable
from semidavil_core.vlm.library_errors import unavailable
from semidavil_core.vlm.library_logging import root_logger_untouched
from semidavil_core.vlm.model_config import ModelConfig
from semidavil_core.vlm.model_spec import HUB_FILE, ModelSpec


def weights_on_this_machine(spec: ModelSpec, cache_dir: str | None, allow_download: bool) -> ModelSpec:
    """`spec`, with a weights file in place of an ``hf-file:`` address.

    Raises
    ------
    WeightsUnavailable
        The file is neither cached nor to be fetched.
    """
    if spec.pretrained is None or not spec.pretrained.startswith(HUB_FILE):
        _refuse_plain_url(spec, allow_download)
        return spec
    repository, _, name = spec.pretrained.removeprefix(HUB_FILE).rpartition("/")
    try:
        return replace(spec, pretrained=hf_hub_download(repository, name, cache_dir=cache_dir))
    except Exception as error:  # the hub's client raises errors of a dozen libraries
        raise unavailable(spec, error, allow_download) from error


def _refuse_plain_url(spec: ModelSpec, allow_download: bool) -> None:
    # Such weights are fetched by urllib, which knows nothing of the hub's offline switch.
    if allow_download or spec.pretrained is None or spec.weights_file is not None:
        return
    if not open_clip.get_pretrained_cfg(spec.model, spec.pretrained).get("hf_hub"):
        raise unavailable(spec, WeightsUnavailable(), allow_download)


def create_model(
    spec: ModelSpec, config: ModelConfig, cache_dir: str | None, allow_download: bool
) -> nn.Module:
    """open_clip's model with its pretrained weights, never with random ones.

    Raises
    ------
    WeightsUnavailable
        The weights are missing, damaged, unsafe or of another architecture.
    """
    try:
        with warnings.catch_warnings(), root_logger_untouched():
            warnings.simplefilter("ignore")  # e.g. on QuickGELU, which is settled in model_config
            model: nn.Module = open_clip.create_model(
                spec.model,
                spec.pretrained,
                force_quick_gelu=config.force_quick_gelu,
                force_preprocess_cfg=dict(config.preprocess),
                cache_dir=cache_dir,
                require_pretrained=True,
                weights_only=True,
                **_local_text_tower(spec, config),
            )
    except Exception as error:  # whatever a damaged file makes torch, safetensors or timm raise
        raise unavailable(spec, error, allow_download) from error
    return model


def create_tokenizer(
    spec: ModelSpec, cache_dir: str | None, allow_download: bool
) -> Callable[[list[str]], Tensor]:
    """The tokenizer that open_clip pairs with the model.

    Raises
    ------
    WeightsUnavailable
        Its files are missing.
    """
    try:
        with root_logger_untouched():
            tokenizer: Callable[[list[str]], Tensor] = open_clip.get_tokenizer(
                spec.model, cache_dir=cache_dir
            )
    except Exception as error:  # transformers raises many kinds
        raise unavailable(spec, error, allow_download) from error
    return tokenizer


def _local_text_tower(spec: ModelSpec, config: ModelConfig) -> dict[str, Any]:
    # A folder that carries the text tower's own config.json needs no hub for it.
    folder = Path(spec.model.removeprefix("local-dir:"))
    text = config.model_cfg["text_cfg"]
    if (
        not spec.model.startswith("local-dir:")
        or "hf_model_name" not in text
        or not (folder / "config.json").is_file()
    ):
        return {}
    return {"text_cfg": {**text, "hf_model_name": str(folder), "hf_model_pretrained": False}}
