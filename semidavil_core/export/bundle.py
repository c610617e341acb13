"""The bundle: one folder that holds an adapted model completely.

``config.json`` (schema, vision-language model, sizes), ``classes.json``, ``weights.safetensors`` (image tower, guidance, decoder, text
matrix), ``metrics.json`` and ``README.md``, the model card. Nothing in it is ever unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from semidavil_core import __version__
from semidavil_core.atomic_files import replaced_folder, write_bytes, write_json
from semidavil_core.classes import ClassSet
from semidavil_core.errors import InvalidBundle, SemiDavilError
from semidavil_core.model.build import build_segmenter
from semidavil_core.model.model_settings import ModelSettings
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.vlm.rebuild import tower_from_reference
from semidavil_core.vlm.reference import VlmReference

MARKER: Final = "config.json"
FORMAT: Final = "semidavil-bundle"
SCHEMA_VERSION: Final = 1


@dataclass(frozen=True)
class Bundle:
    """An adapted, or prepared, model with all that is known of it."""

    segmenter: Segmenter
    classes: ClassSet
    vlm: VlmReference
    metrics: Mapping[str, Any] = field(default_factory=dict)
    """Scores by stage, as JSON."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings by stage, as JSON."""


def save_bundle(bundle: Bundle, folder: Path | str) -> None:
    """Write a bundle folder atomically; an older bundle in its place is replaced only by a complete one.

    Raises
    ------
    OutputNotWritable
        The folder cannot be written, or holds files that are no bundle.
    """
    with replaced_folder(Path(folder), marker=MARKER) as temporary:
        state = {name: t.detach().cpu().contiguous() for name, t in bundle.segmenter.state_dict().items()}
        _write_weights(state, temporary / "weights.safetensors")
        write_json(temporary / "classes.json", bundle.classes.to_json())
        write_json(temporary / "metrics.json", dict(bundle.metrics))
        write_bytes(temporary / "README.md", _model_card(bundle).encode())
        write_json(temporary / MARKER, _config(bundle))


def load_bundle(folder: Path | str, *, device: str | torch.device = "cpu") -> Bundle:
    """Read a bundle folder; no download, no pickle.

    Raises
    ------
    InvalidBundle
        The folder is no bundle, is damaged or incomplete, or of a newer schema.
    """
    folder = Path(folder)
    config = _read_json(folder, MARKER)
    _check_schema(config, folder)
    state = _read_weights(folder)
    try:
        classes = ClassSet.read(folder / "classes.json")
        reference = VlmReference.from_json(config["vlm"])
        tower = tower_from_reference(reference)
        if state["text"].ndim != 2 or state["text"].shape[1] != tower.embed_dim:
            raise ValueError(
                f"a text matrix {tuple(state['text'].shape)} for a tower of width {tower.embed_dim}"
            )
        segmenter = build_segmenter(
            tower,
            state["text"],
            logit_scale=float(config["logit_scale"]),
            settings=ModelSettings.from_json(config["model"]),
        )
        segmenter.load_state_dict(state)
    except (KeyError, TypeError, ValueError, RuntimeError, SemiDavilError) as error:
        reason = " ".join((str(error) or type(error).__name__).split())[
            :200
        ]  # torch names tensors in further lines
        raise InvalidBundle(f"The bundle {folder} is damaged ({reason}); export it again.") from error
    if len(classes) != segmenter.num_classes:
        raise InvalidBundle(
            f"The bundle {folder} lists {len(classes)} classes but its weights hold {segmenter.num_classes}; export it again."
        )
    metrics = _read_json(folder, "metrics.json") if (folder / "metrics.json").is_file() else {}
    return Bundle(segmenter.to(device).eval(), classes, reference, metrics, config.get("settings", {}))


def _config(bundle: Bundle) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "semidavil": __version__,
        "vlm": bundle.vlm.to_json(),
        "logit_scale": bundle.segmenter.logit_scale,
        "model": bundle.segmenter.settings.to_json(),
        "settings": dict(bundle.settings),
    }


def _check_schema(config: Mapping[str, Any], folder: Path) -> None:
    if config.get("format") != FORMAT:
        raise InvalidBundle(
            f"{folder} is not a SemiDAViL bundle; choose a folder that prepare, adapt or the window exported."
        )
    version = config.get("schema_version")
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise InvalidBundle(
            f"The bundle {folder} has schema version {version!r}, but this SemiDAViL reads versions up to {SCHEMA_VERSION}; "
            "update SemiDAViL."
        )


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    if not path.is_file():
        raise InvalidBundle(
            f"{folder} is not a SemiDAViL bundle: it has no {name}; choose the folder that holds it."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidBundle(f"{path} is damaged ({error}); export the bundle again.") from error
    if not isinstance(content, dict):
        raise InvalidBundle(f"{path} is damaged (no JSON object); export the bundle again.")
    return content


def _write_weights(state: Mapping[str, Tensor], path: Path) -> None:
    try:
        save_file(dict(state), path, metadata={"format": "pt"})
    except SafetensorError as error:  # how the library reports a full disk
        raise OSError(str(error)) from error


def _read_weights(folder: Path) -> dict[str, Tensor]:
    path = folder / "weights.safetensors"
    try:
        weights: dict[str, Tensor] = load_file(path)
        return weights
    except (OSError, SafetensorError) as error:
        raise InvalidBundle(f"{path} cannot be read ({error}); export the bundle again.") from error


def _model_card(bundle: Bundle) -> str:
    classes = "\n".join(f"- {c.value}: **{c.name}** ({', '.join(c.prompts)})" for c in bundle.classes)
    return (
        f"# SemiDAViL segmentation model\n\nMade with SemiDAViL {__version__} on the vision-language model `{bundle.vlm.spec}`.\n\n"
        f"## Classes (label-map value: name)\n\n{classes}\n\n## Use\n\n"
        "```\nsemidavil predict --model THIS_FOLDER --images DIR --out DIR\n```\n\n"
        f"## Scores\n\n```json\n{json.dumps(dict(bundle.metrics), indent=1)}\n```\n\n"
        "Scores say how the model did on the images they were measured on; check it on your own before you rely on it.\n"
    )
