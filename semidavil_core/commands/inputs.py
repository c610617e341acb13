"""What the options mean: classes, channels, settings and budgets from their texts."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from semidavil_core.classes import ClassSet
from semidavil_core.data.channels import ChannelChoice
from semidavil_core.errors import InvalidClasses, InvalidSettings
from semidavil_core.events import StageStarted
from semidavil_core.settings import Budget, Settings

SettingsT = TypeVar("SettingsT", bound=Settings)


def read_classes(text: str | None, *, default: Path | None = None) -> ClassSet:
    """A class set from a classes file, a folder that holds one, or comma-separated names.

    Parameters
    ----------
    text
        What the person gave, or None.
    default
        Folder whose ``classes.json``, or that of the folder around it, counts where nothing was given.

    Raises
    ------
    InvalidClasses
        Nothing was given and there is no default, or the list breaks a rule of class sets.
    """
    if text is None:
        return ClassSet.read(_standing_classes(default))
    looks_like_file = Path(text).suffix.lower() == ".json" or "/" in text or "\\" in text
    if looks_like_file or ("," not in text and Path(text).exists()):
        return ClassSet.read(text)
    return ClassSet.from_names(text.split(","))


def _standing_classes(folder: Path | None) -> Path:
    for place in () if folder is None else (folder, folder.absolute().parent):
        if (place / "classes.json").is_file():
            return place / "classes.json"
    raise InvalidClasses(f"{folder} holds no classes.json; give the classes with --classes.")


def read_settings(path: Path | None, kind: type[SettingsT], *, seed: int | None = None) -> SettingsT:
    """Settings from a JSON file; `seed` overrides the file's.

    Raises
    ------
    InvalidSettings
        The file is missing, is no JSON object, or has an unknown name or a value out of range.
    """
    content: dict[str, Any] = {} if path is None else _json_object(path)
    if seed is not None and "seed" in {f.name for f in fields(kind)}:  # type: ignore[arg-type]
        content["seed"] = seed
    try:
        return kind.from_json(content)
    except (InvalidSettings, TypeError) as error:
        raise InvalidSettings(f"{path}: {error}" if path else str(error)) from error


def _json_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidSettings(
            f"{path} cannot be read as a settings file ({error}); give a JSON object."
        ) from error
    if not isinstance(content, dict):
        raise InvalidSettings(
            f"{path} holds {type(content).__name__}; a settings file is a JSON object of names and values."
        )
    return content


def parse_channels(text: str | None) -> ChannelChoice | None:
    """The channels that ``--channels`` names; None where it is not given.

    Raises
    ------
    InvalidSettings
        The text is no choice of channels.
    """
    return None if text is None else ChannelChoice.parse(text)


def label_format(text: str) -> Literal["png", "tiff"]:
    """The file format that ``--format`` names.

    Raises
    ------
    InvalidSettings
        The text is no format of label maps.
    """
    if text == "png":
        return "png"
    if text == "tiff":
        return "tiff"
    raise InvalidSettings(f"--format is {text!r}; allowed are png and tiff.")


def budget_of(seconds: float, steps: int | None) -> Budget:
    """The budget that ``--budget`` and ``--steps`` ask for; steps win."""
    return Budget(seconds=seconds, steps=steps)


def training_stage(words: str, budget: Budget) -> StageStarted:
    """The event that opens a stage of `budget`'s length."""
    if budget.steps is not None:
        return StageStarted(words, budget.steps, "steps")
    return StageStarted(words, budget.seconds, "seconds")
