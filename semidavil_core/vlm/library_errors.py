"""Turning what open_clip, torch and the hub's client raise into one sentence with a remedy."""

from __future__ import annotations

import pickle
from typing import Final

from semidavil_core.errors import WeightsUnavailable
from semidavil_core.vlm.model_spec import ModelSpec

_LONGEST_REASON: Final = 160
_UNSAFE: Final = ("weights_only", "TorchScript", "Unsupported global", "Weights only load failed")


def unavailable(spec: ModelSpec, error: BaseException, allow_download: bool) -> WeightsUnavailable:
    """The refusal that `error` amounts to."""
    text = str(error)
    if isinstance(error, pickle.UnpicklingError) or any(mark in text for mark in _UNSAFE):
        return WeightsUnavailable(
            f"The weights of {spec.written} are a pickle or script that could run code when opened, so they are not opened; "
            "convert them to .safetensors."
        )
    if "state_dict" in text or "size mismatch" in text:
        return WeightsUnavailable(
            f"The weights of {spec.written} do not fit its architecture ({short(text)}); name the architecture they were trained with."
        )
    if spec.is_local:
        return WeightsUnavailable(
            f"The model {spec.written} cannot be read ({short(text)}); check the folder or file."
        )
    remedy = (
        f"fetch it on a machine with internet and load it as local-dir:/path/to/folder or {_local_form(spec)}"
    )
    if not allow_download:
        return WeightsUnavailable(
            f"The weights of {spec.written} are not on this machine and downloads are off; allow them, or {remedy}."
        )
    return WeightsUnavailable(
        f"The weights of {spec.written} could not be downloaded ({short(text)}); check the connection, or {remedy}."
    )


def short(text: str) -> str:
    """The beginning of a library's message on one line; some of them list every model in the world."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 1]}…"


def _local_form(spec: ModelSpec) -> str:
    return "ViT-B-16:/path/to/weights" if ":" in spec.model else f"{spec.model}:/path/to/weights"
