"""Writing a vision-language model as a folder in open_clip's own format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import save

from semidavil_core.atomic_files import replaced_folder, write_bytes, write_json
from semidavil_core.errors import OutputNotWritable
from semidavil_core.vlm.loading import Vlm
from semidavil_core.vlm.model_spec import CONFIG_FILE

WEIGHTS_FILE = "open_clip_model.safetensors"


def check_output(folder: Path) -> None:
    """Refuse, before hours of training, a folder that holds something else.

    Raises
    ------
    OutputNotWritable
        It is a file, or holds files that are no model folder.
    """
    if folder.is_file() or (
        folder.is_dir() and any(folder.iterdir()) and not (folder / CONFIG_FILE).is_file()
    ):
        raise OutputNotWritable(
            f"{folder} holds other files and is not replaced; choose a new or an empty folder."
        )


def save_local_folder(vlm: Vlm, folder: Path) -> None:
    """Write configuration, weights and, where it has files, the tokenizer; load it as ``local-dir:FOLDER``.

    Raises
    ------
    OutputNotWritable
        The folder holds other files, or cannot be written; what stood there before stays.
    """
    extras = {"templates": vlm.text.templates, "dense_logit_scale": vlm.logit_scale}
    config = {**vlm.reference.config, "semidavil": extras}
    model: Any = vlm.model
    weights = {
        name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()
    }
    with replaced_folder(folder, marker=CONFIG_FILE) as temporary:
        write_json(temporary / CONFIG_FILE, config)
        write_bytes(temporary / WEIGHTS_FILE, save(weights))
        _save_tokenizer(vlm, temporary)


def _save_tokenizer(vlm: Vlm, folder: Path) -> None:
    save_pretrained = getattr(vlm.text.tokenizer, "save_pretrained", None)
    if save_pretrained is not None:
        save_pretrained(str(folder))
    text: Any = getattr(vlm.model, "text", None)
    inner: Any = getattr(text, "config", None)
    if hasattr(inner, "save_pretrained"):
        inner.save_pretrained(str(folder))
