"""The rows of the ablation: what each changes of the default. A row that is the default by now is not run twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from networks import Network

from semidavil_core.adaptation.held_out import SHARE
from semidavil_core.settings import AdaptSettings, ConfidenceMode, PrepareSettings


@dataclass(frozen=True)
class AblationRow:
    """One row of the table."""

    group: str
    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `AdaptSettings` that differ from the default."""
    prepare: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `PrepareSettings` that differ from the default; such a row has a start model of its own."""
    network: Network = Network.FULL
    substitute: str | None = None
    """A name in ``SUBSTITUTES``."""
    source_free: bool = False
    words: bool = False
    """Sentences about the target images join the guidance; the row is left out for data of which none are known."""
    hold_out: float = 0.0
    """Share of the strokes that the round keeps aside, and calibrates the confidence with."""
    learn_held_out: bool = False
    """Whether the last third of the round learns from them too."""
    prepared: bool = True
    """False: the network before any training."""
    trained: bool = True
    """False: the start model as it is."""
    priority: int = 2
    """1: decisive, run first; 3: if there is time."""

    def settings(self, seed: int) -> AdaptSettings:
        """How its round trains."""
        return replace(AdaptSettings(seed=seed), **self.changes)

    @property
    def prepare_settings(self) -> PrepareSettings:
        """How its start model is trained."""
        return replace(PrepareSettings(), **self.prepare)

    @property
    def is_default(self) -> bool:
        """Whether it differs from the default in nothing, whatever it says."""
        same = self.settings(0) == AdaptSettings() and self.prepare_settings == PrepareSettings()
        plain = self.network is Network.FULL and self.substitute is None
        usual = self.trained and not (self.source_free or self.words or self.hold_out)
        return same and plain and usual


DEFAULT: Final = AblationRow("reference", "default", priority=1)

# Cross-entropy on whatever is labelled, and nothing else: what every method adds to.
SUPERVISED: Final[Mapping[str, Any]] = {
    "dyce_hard": 1.0,
    "dyce_balance": 1.0,
    "consistency": 0.0,
    "negative": 0.0,
    "contrastive": 0.0,
    "clip_guidance": 0.0,
    "clip_prior": 0.0,
    "mix_source": 0.0,
    "mix_target": 0.0,
    "style": 0.0,
    "smoothing": False,
    "averaging": 1.0,
    "strokes_first": 0.0,
    "forest_lead": 0.0,
    "pseudo_labels_after": 0,
    "image_prior": 0.0,
}
FIXMATCH: Final[Mapping[str, Any]] = {
    **SUPERVISED, "consistency": 1.0, "confidence": ConfidenceMode.HARD, "threshold": 0.95
}  # fmt: skip
PUBLISHED: Final[Mapping[str, Any]] = {
    **FIXMATCH, "dyce_hard": 0.2, "dyce_balance": 0.5, "dyce_normalize": False
}  # fmt: skip
_PLAIN: Final[Mapping[str, Any]] = {"dyce_hard": 1.0, "dyce_balance": 1.0}
PLAIN_LOSS: Final[Mapping[str, Any]] = {**_PLAIN, "forest_balance": 1.0}


def _group(group: str, *rows: AblationRow) -> tuple[AblationRow, ...]:
    return tuple(replace(row, group=group) for row in rows)


def _row(
    name: str,
    *,
    priority: int = 2,
    network: Network = Network.FULL,
    substitute: str | None = None,
    **changes: Any,
) -> AblationRow:
    return AblationRow("", name, changes, network=network, substitute=substitute, priority=priority)


_MODES: Final = tuple(ConfidenceMode)
ROWS: Final[tuple[AblationRow, ...]] = (
    AblationRow("reference", "language alone", prepared=False, trained=False),
    AblationRow("reference", "source only", trained=False, priority=1),
    DEFAULT,
    AblationRow("reference", "joint supervised", SUPERVISED, priority=1),
    AblationRow("reference", "FixMatch + EMA", FIXMATCH),
    AblationRow("reference", "SemiDAViL as published", PUBLISHED, network=Network.MUTUAL),
    AblationRow(
        "language and DyCE",
        "neither: no guidance, cross-entropy, no contrast",
        {**PLAIN_LOSS, "contrastive": 0.0, "clip_guidance": 0.0, "clip_prior": 0.0},
        {**_PLAIN, "contrastive": 0.0},
        network=Network.NO_GUIDANCE,
        priority=1,
    ),
    AblationRow("language and DyCE", "guidance, but cross-entropy", PLAIN_LOSS, _PLAIN, priority=1),
    *_group(
        "guidance",
        _row("none", priority=1, network=Network.NO_GUIDANCE),
        _row("both ways, as published", priority=1, network=Network.MUTUAL),
        AblationRow("", "with words about the images beside the classes", words=True),
    ),
    *_group(
        "supervised loss",
        _row("cross-entropy", priority=1, **PLAIN_LOSS),
        _row("DyCE, w = 0", priority=1, dyce_balance=0.0, forest_balance=0.0),
        _row("DyCE, w = 0.25", dyce_balance=0.25, forest_balance=0.25),
        _row("DyCE, w = 0.5", priority=1, dyce_balance=0.5),
        _row("DyCE, w = 0.75", dyce_balance=0.75),
        _row("DyCE, hardest 20 %", dyce_hard=0.2),
        _row("DyCE, hardest 20 % of both domains together", substitute="joint H", dyce_hard=0.2),
        _row("DyCE, not normalised", dyce_normalize=False),
        _row("OHEM, hardest 20 %", dyce_hard=0.2, dyce_balance=1.0, forest_balance=1.0),
        _row("focal", substitute="focal"),
    ),
    *_group(
        "pseudo-labels",
        _row("none", priority=1, consistency=0.0),
        _row("from the first step on", priority=1, pseudo_labels_after=0),
        *(_row(f"confidence {mode}", confidence=mode) for mode in _MODES),
    ),
    *_group(
        "refinement of pseudo-labels",
        _row("off", clip_prior=0.0, smoothing=False),
        _row("CLIP prior", clip_prior=0.5, smoothing=False),
        _row("smoothing", clip_prior=0.0, smoothing=True),
        _row("both", clip_prior=0.5, smoothing=True),
    ),
    *_group(
        "teacher",
        _row("none: the student itself", decay_max=0.0),
        _row("decay 0.999 throughout", substitute="constant decay", decay_max=0.999),
        _row("decay that follows the round", decay_max=0.999),
    ),
    *_group(
        "mixing",
        _row("none", mix_source=0.0, mix_target=0.0),
        _row("inter-domain", mix_source=0.5, mix_target=0.0),
        _row("intra-domain", mix_source=0.0, mix_target=0.5),
        _row("both", mix_source=0.5, mix_target=0.5),
    ),
    *_group("negative learning", *(_row(f"weight {weight:g}", negative=weight) for weight in (0.0, 0.1, 1.0))),
    *_group("CLIP guidance", *(_row(f"weight {weight:g}", clip_guidance=weight) for weight in (0.0, 0.1))),
    *_group(
        "contrast",
        _row("none", contrastive=0.0),
        _row("to text", substitute="text only"),
        _row("to prototypes", substitute="images only"),
        _row("to both"),
    ),
    *_group("averaging", *(_row(f"{share:g}", priority=1, averaging=share) for share in (0.5, 1.0))),
    *_group(
        "where the source misleads",
        _row("everything from the start", priority=1, strokes_first=0.0, forest_lead=0.0),
        _row("strokes alone at first", priority=1, forest_lead=0.0),
        _row("a forest on the strokes leads"),
    ),
    *_group("image prior", *(_row(f"{exponent:g}", priority=1, image_prior=exponent) for exponent in (0.0, 0.4))),
    *_group("source style", *(_row(f"probability {share:g}", style=share) for share in (0.0, 0.5))),
    AblationRow("strokes kept aside", "none"),
    AblationRow("strokes kept aside", "15 % throughout", hold_out=SHARE),
    AblationRow(
        "strokes kept aside",
        "15 % until the last third, as adapt does",
        hold_out=SHARE,
        learn_held_out=True,
        priority=1,
    ),
    *_group("encoder", _row("cached: frozen", mode="cached"), _row("tuned, as auto does with a small tower")),
    *_group(
        "start of the network",
        _row("random trunk", network=Network.RANDOM_TRUNK),
        _row("ImageNet trunk, not aligned with language", network=Network.IMAGENET_TRUNK),
        _row("random directions in place of words", network=Network.RANDOM_WORDS),
    ),
    *_group("decoder", _row("K-way convolution", network=Network.K_WAY)),
    AblationRow("without the source", "default", source_free=True, priority=3),
    AblationRow("without the source", "negative learning 0.1", {"negative": 0.1}, source_free=True, priority=3),
    AblationRow("without the source", "no anchor", {"anchor": 0.0}, source_free=True, priority=3),
)  # fmt: skip


def default_names(group: str) -> tuple[str, ...]:
    """Names of the rows of a group that are the default."""
    return tuple(row.name for row in ROWS if row.group == group and row.is_default)


def chosen_rows(groups: list[str], names: list[str], priority: int) -> list[AblationRow]:
    """Rows of these groups and names (all, if empty) up to a priority, the decisive ones first.

    Raises
    ------
    SystemExit
        There is no such group.
    """
    known = list(dict.fromkeys(row.group for row in ROWS))
    if unknown := sorted(set(groups) - set(known)):
        raise SystemExit(f"There is no group {', '.join(unknown)}; the groups are: {'; '.join(known)}.")
    wanted = [
        row
        for row in ROWS
        if (not groups or row.group in groups)
        and (not names or row.name in names)
        and row.priority <= priority
        and (row is DEFAULT or not row.is_default)
    ]
    return sorted(wanted, key=lambda row: row.priority)
