"""From class names and synonyms to sentences: prompt templates by field of use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from semidavil_core.classes import ClassInfo, ClassSet
from semidavil_core.errors import InvalidSettings

_NATURAL: Final = (
    "a photo of a {}.",
    "a photo of the {}.",
    "there is {} in the scene.",
    "a blurry photo of {}.",
    "a dark photo of {}.",
    "a close-up of {}.",
    "{} in the background.",
)
_BIOMEDICAL: Final = (
    "{}",
    "a medical image of {}",
    "a microscopy image showing {}",
    "an image of {} under the microscope",
    "this is a photo of {}",
)
_PATHOLOGY: Final = (
    "{}.",
    "a histopathology slide showing {}.",
    "an H&E stained image of {}.",
    "{} is present.",
    "a micrograph of {}.",
)
_REMOTE_SENSING: Final = (
    "a satellite photo of {}.",
    "an aerial photograph of {}.",
    "a remote sensing image of {}.",
    "{} seen from above.",
)

TEMPLATES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "plain": ("a photo of a {}.", "{}"),
        "natural": _NATURAL,
        "biomedical": _BIOMEDICAL,
        "pathology": _PATHOLOGY,
        "remote_sensing": _REMOTE_SENSING,
        "none": ("{}",),
    }
)
"""Sets of templates by name; ``{}`` is where the prompt goes."""


def resolve_templates(templates: str | Sequence[str]) -> tuple[str, ...]:
    """The templates of a set's name, or the given templates, checked.

    Raises
    ------
    InvalidSettings
        The name is unknown, the list is empty, or a template has no ``{}``.
    """
    if isinstance(templates, str):
        if templates not in TEMPLATES:
            raise InvalidSettings(
                f"There is no set of prompt templates {templates!r}; known are {', '.join(TEMPLATES)}."
            )
        return TEMPLATES[templates]
    bad = [t for t in templates if t.count("{}") != 1]
    if bad or not templates:
        raise InvalidSettings(
            f"The prompt template {(bad or [''])[0]!r} must contain {{}} once, where the class name goes."
        )
    return tuple(templates)


def class_sentences(info: ClassInfo, templates: str | Sequence[str] = "natural") -> list[str]:
    """Every template with every synonym of one class."""
    return [t.replace("{}", prompt) for prompt in info.prompts for t in resolve_templates(templates)]


def prompt_sentences(classes: ClassSet, templates: str | Sequence[str] = "natural") -> list[list[str]]:
    """For every class, every template with every synonym."""
    return [class_sentences(info, templates) for info in classes]
