"""Hyper-parameters: frozen, validated, serialisable; the numbers' sources are named beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Self

from semidavil_core.errors import InvalidSettings


class Mode(StrEnum):
    """How the image encoder takes part in training."""

    AUTO = "auto"
    """`FULL` for a tower of up to 30 million parameters or on an accelerator, `CACHED` for a larger one on a CPU."""
    CACHED = "cached"
    """Encoder frozen; the features of a few views of each image are computed once."""
    FULL = "full"
    """Every crop goes through the encoder, which is tuned."""


class ConfidenceMode(StrEnum):
    """How a pseudo-label's confidence becomes its weight in the consistency loss."""

    HARD = "hard"
    """1 where the confidence reaches the threshold, else 0 (FixMatch; SemiDAViL eq. 4)."""
    RATIO = "ratio"
    """Every pixel weighs the share of the image's pixels that reach the threshold (DACS, DAFormer)."""
    AVERAGE = "avg"
    """Every pixel weighs the image's mean confidence (SemiVL's ``pixelavg``)."""
    SOFT = "soft"
    """The squared confidence of each pixel."""


class Settings:
    """Mixin of settings dataclasses: range checks and JSON."""

    def _require(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        types = {f.name: str(f.type) for f in fields(self)}  # type: ignore[arg-type]
        whole = "float" not in types[name]
        if (
            isinstance(value, bool)
            or not isinstance(value, int if whole else int | float)
            or not low <= value <= high
        ):
            kind = "whole numbers" if whole else "numbers"
            raise InvalidSettings(
                f"The setting {name} is {value!r}; allowed are {kind} from {low:g} to {high:g}."
            )

    def _require_flag(self, name: str) -> None:
        value = getattr(self, name)
        if not isinstance(value, bool):
            raise InvalidSettings(f"The setting {name} is {value!r}; allowed are true and false.")

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read :meth:`to_json`; missing fields keep their defaults.

        Raises
        ------
        InvalidSettings
            A name is unknown or a value out of range.
        """
        known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(content) - known)
        if unknown:
            raise InvalidSettings(
                f"Unknown settings {', '.join(unknown)}; known are {', '.join(sorted(known))}."
            )
        return cls(**content)


@dataclass(frozen=True)
class Budget(Settings):
    """How long a round runs: seconds of wall-clock time, or optimiser steps; `steps` wins where given."""

    seconds: float = 60.0
    steps: int | None = None

    def __post_init__(self) -> None:
        self._require("seconds", 0.1, 7 * 24 * 3600)
        if self.steps is not None:
            self._require("steps", 1, 10**7)


@dataclass(frozen=True)
class PrepareSettings(Settings):
    """How a segmenter is trained on the labelled source domain."""

    crop: int = 256
    """Largest side of the square training crops in pixels; small images are cut into smaller crops."""
    batch: int = 4
    """Crops per step."""
    scale_low: float = 0.7
    """Smallest random zoom of a crop; at 1 the image's shorter side fills the crop. Zooms stay within 0.4 and 1 of the image's own
    resolution at the low end and 1 and 2 at the high end, so that images are trained as they will be predicted."""
    scale_high: float = 1.7
    """Largest random zoom of a crop, likewise."""
    head_rate: float = 1e-3
    """Learning rate of guidance and decoder."""
    tower_rate: float = 3e-4
    """Learning rate of the tower in full mode."""
    weight_decay: float = 1e-2
    """AdamW's decoupled weight decay."""
    dyce_hard: float = 0.3
    """DyCE's share of hardest pixels (the paper's code starts from 0.2)."""
    dyce_balance: float = 0.5
    """DyCE's exponent w: 1 weighs pixels alike, 0 weighs classes alike."""
    rare_temperature: float = 0.2
    """Temperature of rare-class sampling (DAFormer); larger is closer to uniform over images' classes."""
    photometric: float = 0.7
    """Probability of a strong photometric change, illumination included, so that the model expects other light."""
    contrastive: float = 0.1
    """Weight of the text InfoNCE on guided features."""
    mode: str = Mode.AUTO
    seed: int = 0
    """Seeds batches and new layers."""

    def __post_init__(self) -> None:
        _check_crop(self.crop)
        self._require("batch", 1, 64)
        self._require("scale_low", 0.1, 4)
        self._require("scale_high", self.scale_low, 4)
        for name in ("head_rate", "tower_rate", "weight_decay"):
            self._require(name, 0, 1)
        for name in ("dyce_hard", "dyce_balance", "photometric"):
            self._require(name, 0, 1)
        self._require("rare_temperature", 1e-3, 100)
        self._require("contrastive", 0, 10)
        self._require("seed", 0, 2**31)
        object.__setattr__(self, "mode", _choice("mode", self.mode, Mode))


@dataclass(frozen=True)
class AdaptSettings(Settings):
    """How a round of adaptation trains. Sources of the start values: SemiDAViL, UniMatch, DACS, RIPU, SemiVL."""

    crop: int = 256
    """Largest side of the square training crops in pixels; small images are cut into smaller crops."""
    source_batch: int = 2
    """Source crops per step; none without a source domain."""
    labelled_batch: int = 2
    """Target crops per step that hold some of a person's strokes."""
    unlabelled_batch: int = 2
    """Target crops per step from anywhere."""
    scale_low: float = 0.7
    """Smallest random zoom of a crop; at 1 the image's shorter side fills the crop. Zooms stay within 0.4 and 1 of the image's own
    resolution at the low end and 1 and 2 at the high end, so that images are trained as they will be predicted."""
    scale_high: float = 1.7
    """Largest random zoom of a crop, likewise."""
    head_rate: float = 1e-3
    """Learning rate of guidance and decoder."""
    tower_rate: float = 2e-4
    """Learning rate of the tower in full mode."""
    weight_decay: float = 1e-2
    """AdamW's decoupled weight decay."""
    decay_max: float = 0.999
    """Upper bound of the teacher's decay; short budgets lower it so that the teacher can follow."""
    dyce_hard: float = 1.0
    """DyCE's share of hardest pixels."""
    dyce_balance: float = 0.75
    """DyCE's exponent w: 1 weighs pixels alike, 0 weighs classes alike."""
    dyce_normalize: bool = True
    """Keep DyCE's scale when a class is added; False is the paper's form."""
    source_weight: float = 1.0
    """Weight of the supervised loss on the source."""
    labelled_weight: float = 1.0
    """Weight of the supervised loss on strokes."""
    consistency: float = 1.0
    """Weight of the consistency with the teacher's pseudo-labels."""
    pseudo_labels_after: int = 40
    """Steps of a round after which pseudo-labels teach too: before, the teacher has not learnt from the strokes itself, and a step
    without them is twice as fast."""
    confidence: str = ConfidenceMode.SOFT
    """How confidence weighs pseudo-labels."""
    threshold: float = 0.95
    """Confidence threshold of the modes hard and ratio, and of pseudo-labels that a person is shown."""
    mix_source: float = 0.0
    """Probability that half of a source crop's classes are pasted onto a target crop (ClassMix, DACS)."""
    mix_target: float = 0.0
    """Probability that classes of one target crop are pasted onto another (intra-domain, IIDM)."""
    negative: float = 0.0
    """Weight of negative learning on target crops."""
    clip_guidance: float = 0.0
    """Weight of the frozen zero-shot model's confident labels, annealed to 0 over the first rounds (SemiVL)."""
    clip_prior: float = 0.0
    """Exponent of the zero-shot probabilities in pseudo-labels, annealed likewise."""
    smoothing: bool = False
    """Smooth pseudo-labels along the image's affinities."""
    contrastive: float = 0.05
    """Weight of InfoNCE to text and visual prototypes."""
    anchor: float = 1.0
    """Source-free only: weight of the agreement with the source model where it is sure, annealed to 0."""
    averaging: float = 0.5
    """Least share of the way from the weights before the round to those after it (WiSE-FT); the strokes may ask for more."""
    strokes_first: float = 0.5
    """Largest share of a round that learns from strokes alone at first: where the model before it reads them little better than a
    guess, its source and its pseudo-labels mislead. 0 trains on everything from the start."""
    forest_lead: float = 1.0
    """Largest share of a round in which a random forest on the strokes teaches beside them, in place of source and pseudo-labels: where the
    model misreads the strokes and the forest reads those of images that it did not see much better. 0 does without."""
    forest_balance: float = 0.5
    """DyCE's exponent w there: the forest labels whole regions, where a person's strokes show rare classes about as much as common ones."""
    image_prior: float = 0.4
    """How far the adapted model believes classes that fill an image before others, if strokes show all classes alike; the more they are in
    proportion to area, the less. 0 finds more of rare classes, 1 calls fewer places so that are not. Training does without."""
    rare_temperature: float = 0.2
    """Temperature of rare-class sampling."""
    style: float = 0.0
    """Probability that a source crop takes the colour statistics of a target image."""
    mode: str = Mode.AUTO
    cached_views: int = 6
    """Views of each image in cached mode."""
    seed: int = 0

    def __post_init__(self) -> None:
        _check_crop(self.crop)
        for name in ("source_batch", "labelled_batch", "unlabelled_batch"):
            self._require(name, 0, 64)
        self._require("scale_low", 0.1, 4)
        self._require("scale_high", self.scale_low, 4)
        for name in (
            "head_rate",
            "tower_rate",
            "weight_decay",
            "decay_max",
            "dyce_hard",
            "dyce_balance",
            "threshold",
        ):
            self._require(name, 0, 1)
        for name in (
            "mix_source",
            "mix_target",
            "clip_prior",
            "style",
            "averaging",
            "strokes_first",
            "forest_lead",
            "forest_balance",
            "image_prior",
        ):
            self._require(name, 0, 1)
        for name in (
            "source_weight",
            "labelled_weight",
            "consistency",
            "negative",
            "clip_guidance",
            "contrastive",
            "anchor",
        ):
            self._require(name, 0, 100)
        self._require("rare_temperature", 1e-3, 100)
        self._require("cached_views", 1, 64)
        self._require("pseudo_labels_after", 0, 10**7)
        self._require("seed", 0, 2**31)
        object.__setattr__(self, "mode", _choice("mode", self.mode, Mode))
        object.__setattr__(self, "confidence", _choice("confidence", self.confidence, ConfidenceMode))
        for name in ("dyce_normalize", "smoothing"):
            self._require_flag(name)
        if not self.labelled_batch and not (self.unlabelled_batch and self.consistency):
            raise InvalidSettings(
                "The settings ask for no target crop at all; labelled_batch, or unlabelled_batch together with consistency, "
                "must be above 0."
            )


@dataclass(frozen=True)
class PredictSettings(Settings):
    """How an image is segmented."""

    tile: int = 768
    """Longest side in pixels that goes through the network at once; larger images are tiled."""
    overlap: float = 0.25
    """Share of a tile that overlaps its neighbour and is blended."""
    scales: tuple[float, ...] = (1.0,)
    """Zooms whose probabilities are averaged."""
    flip: bool = True
    """Average with the mirrored image."""
    image_prior: float | None = None
    """How far classes that fill the image are believed before others, 0 to 1; None: as the model's last round said."""

    def __post_init__(self) -> None:
        self._require("tile", 64, 8192)
        self._require("overlap", 0, 0.75)
        self._require_flag("flip")
        if self.image_prior is not None:
            self._require("image_prior", 0, 1)
        object.__setattr__(self, "scales", _zooms(self.scales))


def _zooms(scales: Iterable[float]) -> tuple[float, ...]:
    try:
        zooms = tuple(float(s) for s in scales)
    except (TypeError, ValueError):
        zooms = ()
    if not zooms or not all(0.1 <= zoom <= 4 for zoom in zooms):
        raise InvalidSettings(
            f"The setting scales is {scales!r}; allowed are one or more zooms from 0.1 to 4."
        )
    return zooms


def _check_crop(crop: int) -> None:
    if type(crop) is not int or not 32 <= crop <= 2048 or crop % 32:
        raise InvalidSettings(f"The setting crop is {crop!r}; allowed are multiples of 32 from 32 to 2048.")


def _choice(name: str, value: str, choices: type[StrEnum]) -> StrEnum:
    try:
        return choices(value)
    except ValueError as error:
        allowed = ", ".join(c.value for c in choices)
        raise InvalidSettings(f"The setting {name} is {value!r}; allowed are {allowed}.") from error
