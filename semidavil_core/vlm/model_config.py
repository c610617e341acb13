"""What is known about a model before its weights are read: architecture, preprocessing, and where they may not fit the weights."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import open_clip
from huggingface_hub import hf_hub_download

from semidavil_core.errors import UnknownModel, WeightsUnavailable
from semidavil_core.vlm.library_errors import unavailable
from semidavil_core.vlm.model_spec import CONFIG_FILE, ModelSpec

_PREPROCESS_KEYS: Final = ("mean", "std", "interpolation", "resize_mode")
_QUICK_GELU_HINT: Final = re.compile(r"openai|dfn|metaclip|quickgelu", re.IGNORECASE)
_EXTRAS: Final = "semidavil"


@dataclass(frozen=True)
class ModelConfig:
    """An open_clip configuration and our own additions to it."""

    model_cfg: Mapping[str, Any]
    """open_clip's architecture."""
    preprocess: Mapping[str, Any] = field(default_factory=dict)
    """Preprocessing that overrules open_clip's default; empty where open_clip knows better."""
    force_quick_gelu: bool = False
    """Whether the weights need QuickGELU though the architecture's name does not say so."""
    templates: str = "natural"
    """Prompt templates that fit."""
    dense_scale: float | None = None
    """Inverse temperature of dense cosine maps, if the model's folder states one."""
    notices: tuple[str, ...] = ()
    """Doubts that a person should know of."""

    def to_json(self, preprocess: Mapping[str, Any]) -> dict[str, Any]:
        """open_clip's configuration file, with the preprocessing that is really used."""
        model_cfg = {**self.model_cfg, **({"quick_gelu": True} if self.force_quick_gelu else {})}
        content: dict[str, Any] = json.loads(
            json.dumps({"model_cfg": model_cfg, "preprocess_cfg": dict(preprocess)})
        )
        return content


def read_config(spec: ModelSpec, cache_dir: str | None, allow_download: bool) -> ModelConfig:
    """The configuration of what `spec` names, checked against what is installed.

    Raises
    ------
    UnknownModel
        The configuration is malformed, or architecture and weights have different activations.
    WeightsUnavailable
        The configuration cannot be fetched, or a package it needs is missing.
    """
    if spec.model.startswith("local-dir:"):
        config = _from_file(Path(spec.model.removeprefix("local-dir:")) / CONFIG_FILE)
    elif spec.model.startswith("hf-hub:"):
        config = _from_hub(spec, cache_dir, allow_download)
    else:
        config = _built_in(spec)
    _check_packages(config.model_cfg, spec)
    return config


def _from_hub(spec: ModelSpec, cache_dir: str | None, allow_download: bool) -> ModelConfig:
    try:
        path = hf_hub_download(spec.model.removeprefix("hf-hub:"), CONFIG_FILE, cache_dir=cache_dir)
    except Exception as error:  # the hub's client raises errors of a dozen libraries
        raise unavailable(spec, error, allow_download) from error
    return _from_file(Path(path))


def _from_file(path: Path) -> ModelConfig:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        model_cfg, extras = content["model_cfg"], content.get(_EXTRAS, {})
        _ = model_cfg["embed_dim"], model_cfg["vision_cfg"], model_cfg["text_cfg"]
        scale = extras.get("dense_logit_scale")
        return ModelConfig(
            model_cfg,
            templates=str(extras.get("templates", "natural")),
            dense_scale=None if scale is None else float(scale),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnknownModel(
            f"{path} is no open_clip configuration ({error!r:.80}); it needs model_cfg with embed_dim, vision_cfg and text_cfg."
        ) from error


def _built_in(spec: ModelSpec) -> ModelConfig:
    model_cfg = deepcopy(open_clip.get_model_config(spec.model))
    quick = bool(model_cfg.get("quick_gelu", False))
    if spec.weights_file is not None:
        return ModelConfig(model_cfg, usual_preprocessing(spec.model), notices=_file_notices(spec, quick))
    wanted = bool(open_clip.get_pretrained_cfg(spec.model, spec.pretrained).get("quick_gelu", False))
    if quick and not wanted:
        raise UnknownModel(
            f"The weights {spec.pretrained!r} were not trained with QuickGELU as {spec.model} has it; "
            f"write {spec.model.removesuffix('-quickgelu')}:{spec.pretrained}."
        )
    return ModelConfig(model_cfg, force_quick_gelu=wanted and not quick)


def usual_preprocessing(model: str) -> dict[str, Any]:
    """The preprocessing that all published weights of an architecture share; empty if they differ or there are none.

    open_clip assumes OpenAI's statistics for every weights file, which is wrong for MobileCLIP, SigLIP and PE.
    """
    published = [
        open_clip.get_pretrained_cfg(model, tag) for tag in open_clip.list_pretrained_tags_by_model(model)
    ]
    kinds = [{key: cfg[key] for key in _PREPROCESS_KEYS if key in cfg} for cfg in published]
    return kinds[0] if kinds and all(kind == kinds[0] for kind in kinds) else {}


def _file_notices(spec: ModelSpec, quick: bool) -> tuple[str, ...]:
    file = spec.weights_file
    timm = "timm_model_name" in open_clip.get_model_config(spec.model)["vision_cfg"]
    if file is None or quick or timm or not _QUICK_GELU_HINT.search(file.name):
        return ()
    notice = (
        f"The name {file.name} suggests weights trained with QuickGELU, which {spec.model} does not have; "
        f"if so, load them as {spec.model}-quickgelu:{file}."
    )
    return (notice,)


def _check_packages(model_cfg: Mapping[str, Any], spec: ModelSpec) -> None:
    text = model_cfg["text_cfg"]
    needed = "hf_model_name" in text or "hf_tokenizer_name" in text or "siglip" in spec.model.lower()
    if needed and importlib.util.find_spec("transformers") is None:
        raise WeightsUnavailable(
            f"{spec.written} needs the package transformers for its text side, which is not installed; "
            "run `pip install transformers` or choose another model."
        )
