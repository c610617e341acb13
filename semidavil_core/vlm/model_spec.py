"""Reading what a person wrote as the name of a vision-language model."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import open_clip

from semidavil_core.errors import UnknownModel
from semidavil_core.vlm.presets import PRESETS, Preset

CONFIG_FILE: Final = "open_clip_config.json"
WEIGHT_SUFFIXES: Final = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
HUB_FILE: Final = "hf-file:"
_LOCAL, _HUB = "local-dir:", "hf-hub:"
_EXAMPLES = "mini, ViT-B-16:laion2b_s34b_b88k, hf-hub:org/name, local-dir:/path or ViT-B-16:/path/to/weights.safetensors"


@dataclass(frozen=True)
class ModelSpec:
    """Where a model's architecture and weights are to be found."""

    written: str
    """The text as given."""
    model: str
    """open_clip's model name, or an ``hf-hub:`` / ``local-dir:`` address."""
    pretrained: str | None
    """A tag or a weights file; None where the address carries the weights."""
    preset: Preset | None = None
    """The preset, if one was named."""

    @property
    def is_local(self) -> bool:
        """Whether everything is on this machine by its nature."""
        return self.model.startswith(_LOCAL) or self.weights_file is not None

    @property
    def weights_file(self) -> Path | None:
        """The weights file, if one was given."""
        if (
            self.pretrained is None
            or self.pretrained.startswith(HUB_FILE)
            or not _looks_like_file(self.pretrained)
        ):
            return None
        return Path(self.pretrained)


def parse_spec(text: str) -> ModelSpec:
    """Read a preset's name, ``model:tag``, ``model:file``, ``hf-hub:org/name``, ``local-dir:path`` or a folder's path.

    Raises
    ------
    UnknownModel
        It is none of these; close matches are named.
    """
    text = text.strip()
    if text in PRESETS:
        preset = PRESETS[text]
        return ModelSpec(text, preset.model, preset.pretrained, preset)
    if text.startswith(_HUB):
        return _hub(text)
    folder = Path(text.removeprefix(_LOCAL)).expanduser()
    if text and (text.startswith(_LOCAL) or folder.is_dir()):
        return _local(text, folder)
    if folder.is_file():
        return _lone_file(text, folder)
    return _named(text)


def _hub(text: str) -> ModelSpec:
    organisation, _, name = text.removeprefix(_HUB).partition("/")
    if not organisation or not name:
        raise UnknownModel(f"{text!r} is no hub address; write hf-hub:organisation/name.")
    return ModelSpec(text, text, None)


def _local(text: str, folder: Path) -> ModelSpec:
    if not folder.is_dir():
        raise UnknownModel(
            f"The model folder {folder} does not exist; give a folder with {CONFIG_FILE} and weights."
        )
    if not (folder / CONFIG_FILE).is_file():
        raise UnknownModel(
            f"The model folder {folder} has no {CONFIG_FILE}; give a folder in open_clip's format."
        )
    return ModelSpec(text, f"{_LOCAL}{folder}", None)


def _lone_file(text: str, file: Path) -> ModelSpec:
    if (file.parent / CONFIG_FILE).is_file() and file.name.startswith("open_clip"):
        return _local(text, file.parent)
    raise UnknownModel(
        f"{file} holds weights but not their architecture; write it as model:file, e.g. ViT-B-16:{file}."
    )


def _named(text: str) -> ModelSpec:
    name, _, weights = text.partition(":")
    name = name.replace("/", "-")
    if name not in open_clip.list_models():
        raise UnknownModel(_unknown_name(name or text))
    tags = open_clip.list_pretrained_tags_by_model(name)
    if not weights:
        raise UnknownModel(
            f"{name} is an architecture without weights; add them, e.g. {name}:{(tags or ['/path/to/weights'])[-1]}."
        )
    if _looks_like_file(weights):
        return ModelSpec(text, name, str(_checked_file(Path(weights).expanduser())))
    if not open_clip.get_pretrained_cfg(name, weights):
        close = difflib.get_close_matches(weights, tags, 3, 0.4) or tags[:3]
        raise UnknownModel(
            f"{name} has no weights {weights!r}; {_offer(close)} or a weights file: {name}:/path/to/weights."
        )
    return ModelSpec(text, name, weights)


def _checked_file(file: Path) -> Path:
    if file.suffix.lower() not in WEIGHT_SUFFIXES:
        raise UnknownModel(
            f"{file} is no weights file that can be read safely; allowed are {', '.join(WEIGHT_SUFFIXES)}."
        )
    if not file.is_file():
        raise UnknownModel(f"The weights file {file} does not exist; check the path.")
    return file


def _unknown_name(name: str) -> str:
    known = [*PRESETS, *open_clip.list_models()]
    folded = {k.lower(): k for k in known}
    close = [folded[m] for m in difflib.get_close_matches(name.lower(), folded, 3, 0.5)]
    hint = _offer(close) if close else f"known presets are {', '.join(PRESETS)}; other forms are {_EXAMPLES}"
    return f"There is no vision-language model {name[:80]!r}; {hint}."


def _offer(close: list[str]) -> str:
    return f"did you mean {' or '.join(close)}" if close else "it has none to download, give"


def _looks_like_file(text: str) -> bool:
    return any(mark in text for mark in ("/", "\\")) or Path(text).suffix.lower() in (
        *WEIGHT_SUFFIXES,
        ".npz",
        ".npy",
    )
