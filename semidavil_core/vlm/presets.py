"""Vision-language models to choose from by purpose: where their weights come from, under which licence, how large they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from semidavil_core.vlm.reference import VlmReference

__all__ = ["DEFAULT_PRESET", "MINI_FOLDER", "PRESETS", "Preset", "VlmReference"]

MINI_FOLDER: Final = Path(__file__).parent / "mini"
DEFAULT_PRESET: Final = "mini"


@dataclass(frozen=True)
class Preset:
    """One recommended vision-language model."""

    name: str
    """What a person types or picks."""
    model: str
    """open_clip's model name, or an ``hf-hub:`` / ``local-dir:`` address."""
    pretrained: str | None
    """open_clip's tag or ``hf-file:organisation/name/file``; None where the address carries the weights."""
    licence: str
    """The weights' licence, as their publisher states it."""
    size_mb: int
    """Approximate download, in megabytes; 0 if it ships with the package."""
    purpose: str
    """When to choose it, in one sentence."""
    embed_dim: int
    """D, width of the shared space."""
    templates: str
    """The prompt templates that fit, a key of :data:`~semidavil_core.vlm.class_prompts.TEMPLATES`."""
    needs: tuple[str, ...] = ()
    """Packages beyond the base installation."""
    dense_scale: float | None = None
    """Inverse temperature of dense cosine maps; None for the family's default."""


def _by_name(*presets: Preset) -> Mapping[str, Preset]:
    return MappingProxyType({preset.name: preset for preset in presets})


PRESETS: Final[Mapping[str, Preset]] = _by_name(
    Preset(
        name="mini", model=f"local-dir:{MINI_FOLDER}", pretrained=None, licence="Apache-2.0", size_mb=0, embed_dim=192, templates="plain",
        purpose="Ships with the package: no download, fast on any laptop, good for a first try; the larger models know far more words.",
    ),
    Preset(
        name="natural", model="MobileCLIP2-S0", pretrained="dfndr2b", licence="Apple Machine Learning Research (research only)", size_mb=300, embed_dim=512,
        templates="natural", purpose="Photographs and street scenes on a laptop without a GPU.", dense_scale=40.0,
    ),
    Preset(
        name="natural-gpu", model="ViT-B-16", pretrained="laion2b_s34b_b88k", licence="MIT", size_mb=600, embed_dim=512,
        templates="natural", purpose="Photographs and street scenes with a GPU.",
    ),
    Preset(
        name="biomedical", model="hf-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224", pretrained=None, licence="MIT",
        size_mb=780, embed_dim=512, templates="biomedical", needs=("transformers",),
        purpose="Microscopy, radiology and other figures of the biomedical literature; its makers mean it for research.",
    ),
    Preset(
        name="pathology", model="hf-hub:wisdomik/QuiltNet-B-16", pretrained=None, licence="MIT", size_mb=600, embed_dim=512,
        templates="pathology", purpose="Stained tissue sections (histopathology); its makers mean it for research.",
    ),
    Preset(
        name="remote-sensing", model="ViT-B-32", pretrained="hf-file:chendelong/RemoteCLIP/RemoteCLIP-ViT-B-32.pt",
        licence="not stated by its publisher", size_mb=605, embed_dim=512, templates="remote_sensing",
        purpose="Aerial and satellite images.",
    ),
)  # fmt: skip
