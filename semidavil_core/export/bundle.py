"""The bundle: one folder, or one .zip file, that holds an adapted model completely.

``config.json`` (schema, vision-language model, sizes), ``classes.json``, ``weights.safetensors`` (image tower, guidance, decoder, text
matrix and, where there are any, sentences' embeddings), ``metrics.json`` and ``README.md``, the model card. Nothing in it is ever unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file, save_file
from torch import Tensor

from semidavil_core import __version__
from semidavil_core.atomic_files import write_bytes, write_json
from semidavil_core.classes import ClassSet
from semidavil_core.errors import InvalidBundle, SemiDavilError
from semidavil_core.export.bundle_files import FORMAT as FORMAT
from semidavil_core.export.bundle_files import MARKER as MARKER
from semidavil_core.export.bundle_files import WEIGHTS, BundleFiles, replaced_bundle
from semidavil_core.export.forest_led import ForestLed
from semidavil_core.model.build import build_segmenter
from semidavil_core.model.model_settings import ModelSettings
from semidavil_core.model.readout import Readout
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.vlm.rebuild import tower_from_reference
from semidavil_core.vlm.reference import VlmReference

SCHEMA_VERSION: Final = 2
_MUTUAL: Final = 1  # up to this version, features guided the class embeddings too, and nothing said so


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
    unlearnt: tuple[str, ...] = ()
    """Names of the classes that have a name and nothing else: neither a label nor a stroke taught them yet."""
    forest_led: ForestLed = field(default_factory=ForestLed)
    """Whether strokes without the source taught it last, and on which images."""


def save_bundle(bundle: Bundle, path: Path | str) -> None:
    """Write a bundle atomically, as a folder or, if `path` ends with .zip, as one file; an older bundle is replaced only by a complete one.

    Raises
    ------
    OutputNotWritable
        The place cannot be written, or holds what is no bundle.
    """
    with replaced_bundle(Path(path)) as temporary:
        state = {
            name: t.detach().cpu().contiguous()
            for name, t in bundle.segmenter.state_dict().items()
            if t.numel()  # no empty context: bundles without one stay as they were
        }
        _write_weights(state, temporary / WEIGHTS)
        write_json(temporary / "classes.json", bundle.classes.to_json())
        write_json(temporary / "metrics.json", dict(bundle.metrics))
        write_bytes(temporary / "README.md", _model_card(bundle).encode())
        write_json(temporary / MARKER, _config(bundle))


def load_bundle(path: Path | str, *, device: str | torch.device = "cpu") -> Bundle:
    """Read a bundle, a folder or a .zip file; no download, no pickle.

    Raises
    ------
    InvalidBundle
        It is no bundle, is damaged or incomplete, holds numbers that are not finite, or is of a newer schema.
    """
    files = BundleFiles(path)
    config = files.read_json(MARKER)
    _check_schema(config, files.path)
    state = _read_weights(files)
    try:
        classes = files.read_classes()
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
            settings=_model_settings(config),
        )
        segmenter.set_context(state.setdefault("context", state["text"][:0]))
        segmenter.load_state_dict(state)
        segmenter.readout = Readout(config.get("temperature", 1.0), config.get("image_prior", 0.0))
        typed = frozenset(config.get("unlearnt", ()))
        forest_led = ForestLed.from_json(config.get("forest_led", {}))
    except (KeyError, TypeError, ValueError, RuntimeError, SemiDavilError) as error:
        reason = " ".join((str(error) or type(error).__name__).split())[
            :200
        ]  # torch names tensors in further lines
        raise InvalidBundle(f"The bundle {path} is damaged ({reason}); export it again.") from error
    if len(classes) != segmenter.num_classes:
        raise InvalidBundle(
            f"The bundle {path} lists {len(classes)} classes but its weights hold {segmenter.num_classes}; export it again."
        )
    metrics = files.read_json("metrics.json") if files.has("metrics.json") else {}
    unlearnt = tuple(name for name in classes.names if name in typed)
    return Bundle(
        segmenter.to(device).eval(),
        classes,
        reference,
        metrics,
        config.get("settings", {}),
        unlearnt,
        forest_led,
    )


def _config(bundle: Bundle) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "semidavil": __version__,
        "vlm": bundle.vlm.to_json(),
        "logit_scale": bundle.segmenter.logit_scale,
        **asdict(bundle.segmenter.readout),
        "model": bundle.segmenter.settings.to_json(),
        "settings": dict(bundle.settings),
        "unlearnt": list(bundle.unlearnt),
        "forest_led": asdict(bundle.forest_led),
    }


def _model_settings(config: Mapping[str, Any]) -> ModelSettings:
    sizes = ModelSettings.from_json(config["model"])
    return replace(sizes, mutual=True) if config["schema_version"] <= _MUTUAL else sizes


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


def _write_weights(state: Mapping[str, Tensor], path: Path) -> None:
    try:
        save_file(dict(state), path, metadata={"format": "pt"})
    except SafetensorError as error:  # how the library reports a full disk
        raise OSError(str(error)) from error


def _read_weights(files: BundleFiles) -> dict[str, Tensor]:
    """The tensors, all of whose numbers are finite."""
    try:
        weights: dict[str, Tensor]
        if files.folder is not None:
            weights = load_file(files.folder / WEIGHTS)
        else:
            weights = load(files.read(WEIGHTS))
    except (OSError, SafetensorError) as error:
        raise InvalidBundle(
            f"{files.where(WEIGHTS)} cannot be read ({error}); export the bundle again."
        ) from error
    spoilt = [
        name for name, t in weights.items() if t.is_floating_point() and not bool(torch.isfinite(t).all())
    ]
    if spoilt:
        raise InvalidBundle(
            f"The bundle {files.path} holds numbers that are not finite (NaN or infinite) in {', '.join(sorted(spoilt)[:3])}; "
            "export it again from a round that went well."
        )
    return weights


def _model_card(bundle: Bundle) -> str:
    classes = "\n".join(f"- {c.value}: **{c.name}** ({', '.join(c.prompts)})" for c in bundle.classes)
    return (
        f"# SemiDAViL segmentation model\n\nMade with SemiDAViL {__version__} on the vision-language model `{bundle.vlm.spec}`.\n\n"
        f"## Classes (label-map value: name)\n\n{classes}\n\n## Use\n\n"
        "```\nsemidavil predict --model THIS_BUNDLE --images DIR --out DIR\n```\n\n"
        f"## Scores\n\n```json\n{json.dumps(dict(bundle.metrics), indent=1)}\n```\n\n"
        "Scores say how the model did on the images they were measured on; check it on your own before you rely on it.\n"
    )
