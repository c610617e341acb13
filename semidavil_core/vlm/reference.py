"""How a saved model names the vision-language model that it was made with, and recognises it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from semidavil_core.errors import InvalidBundle


@dataclass(frozen=True)
class VlmReference:
    """A vision-language model as data: what a bundle stores in place of the model itself."""

    spec: str
    """What a person wrote: a preset, ``model:tag``, ``hf-hub:…``, ``local-dir:…`` or a path."""
    model: str
    """open_clip's model name, or the ``hf-hub:`` / ``local-dir:`` address."""
    pretrained: str | None
    """open_clip's tag or a weights file; None where the address carries the weights."""
    dense_mode: str
    """The tower's :class:`~semidavil_core.vlm.clip_towers.DenseMode`."""
    embed_dim: int
    """D, width of the shared space."""
    logit_scale: float
    """Inverse temperature of dense cosine maps."""
    fingerprint: str
    """SHA-256 over names, shapes and sampled values of the weights as loaded."""
    config: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)
    """``model_cfg`` and ``preprocess_cfg`` of open_clip: enough to rebuild the image tower for weights that a bundle holds."""

    def to_json(self) -> dict[str, Any]:
        """All fields as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """Read :meth:`to_json`.

        Raises
        ------
        InvalidBundle
            A field is missing or unknown.
        """
        names = {f.name for f in fields(cls)}
        if not isinstance(content, Mapping) or set(content) - names or names - set(content) - {"config"}:
            raise InvalidBundle(
                "The reference to the vision-language model is damaged or of a newer version; update SemiDAViL or export the bundle again."
            )
        return cls(**content)

    def check_same_weights(self, other: VlmReference) -> None:
        """Refuse a model with other weights than this reference was made with.

        Raises
        ------
        InvalidBundle
            The fingerprints differ.
        """
        if self.fingerprint != other.fingerprint:
            raise InvalidBundle(
                f"The bundle was made with the vision-language model {self.spec!r}, but {other.spec!r} has other weights; "
                f"load {self.spec!r} or adapt again."
            )
