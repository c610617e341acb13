"""The file that ``--json FILE`` of a command names; ``-`` is standard output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semidavil_core.atomic_files import write_json
from semidavil_core.commands.outputs import check_file
from semidavil_core.commands.running import Outcome


def check_json(target: Path | None) -> None:
    """Make sure, before long work, that the file can be written.

    Raises
    ------
    OutputNotWritable
        It cannot.
    """
    if target is not None and not _is_stdout(target):
        check_file(target)


def json_outcome(content: Mapping[str, Any], target: Path | None, in_words: str) -> Outcome:
    """Write `content` where a person wants it; what is printed is `in_words`, or the JSON if it was asked for there."""
    if target is not None and not _is_stdout(target):
        write_json(target, content)
    return Outcome(content, json.dumps(content, indent=1) if _is_stdout(target) else in_words)


def _is_stdout(target: Path | None) -> bool:
    return str(target) == "-"
