"""Fetching a vision-language model when a person asks for it: with progress, and so that Stop ends it.

The weights go into the hub client's cache, where loading finds them; a download that was stopped leaves nothing there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import open_clip
from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError
from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME
from tqdm import tqdm  # type: ignore[import-untyped]

from semidavil_core.control import RunControl
from semidavil_core.errors import SemiDavilError
from semidavil_core.events import Event, StageProgress, StageStarted
from semidavil_core.vlm.library_errors import unavailable
from semidavil_core.vlm.model_spec import CONFIG_FILE, HUB_FILE, ModelSpec, parse_spec

STAGE: Final = "downloading the language model"
_CHECK: Final = "checking the language model"
_MEGABYTE: Final = 1e6
_TICK_SECONDS: Final = 0.2
_LINGER_SECONDS: Final = 2.0  # for a stopped download to notice; a connection that hangs is left alone


@dataclass(frozen=True)
class HubFile:
    """Weights on the hub."""

    repository: str
    names: tuple[str, ...]
    """File names to look for, the preferred one first."""


class _Stopped(Exception):
    """A person ended the download."""


@dataclass
class _Meter:
    """What the downloading thread tells, and is told."""

    done: float = 0.0
    total: float = 0.0
    stopped: bool = False
    error: BaseException | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, total: float | None, initial: float | None) -> None:
        self.total, self.done = float(total or 0), float(initial or 0)

    def add(self, count: float) -> None:
        if self.stopped:
            raise _Stopped
        with self._lock:
            self.done += count


def hub_file(spec: ModelSpec) -> HubFile | None:
    """Where the weights of a model lie on the hub; None for models that are on this machine, or that are not on the hub."""
    if spec.is_local:
        return None
    if spec.pretrained is not None and spec.pretrained.startswith(HUB_FILE):
        repository, _, name = spec.pretrained.removeprefix(HUB_FILE).rpartition("/")
        return HubFile(repository, (name,))
    if spec.model.startswith("hf-hub:"):
        return HubFile(spec.model.removeprefix("hf-hub:"), (HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME))
    address = open_clip.get_pretrained_cfg(spec.model, spec.pretrained or "").get("hf_hub", "")
    repository, _, name = address.rpartition("/")
    if not repository:
        return None
    if not name:
        return HubFile(repository, (HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME))
    twin = Path(name).with_suffix(".safetensors").name  # open_clip prefers it where there is one
    return HubFile(repository, (twin, name) if name.endswith((".bin", ".pth")) else (name,))


def vlm_is_here(text: str, cache_dir: str | None = None) -> bool:
    """Whether a model's weights are on this machine; nothing is fetched and nothing is loaded.

    Raises
    ------
    UnknownModel
        `text` names no model.
    """
    spec = parse_spec(text)
    if spec.is_local:
        return True
    where = hub_file(spec)
    if where is None:
        return False
    configured = not spec.model.startswith("hf-hub:") or _cached(where.repository, CONFIG_FILE, cache_dir)
    return configured and any(_cached(where.repository, name, cache_dir) for name in where.names)


def missing_package(text: str) -> str | None:
    """Name of a package that a preset needs and that is not installed."""
    preset = parse_spec(text).preset
    return next((name for name in (preset.needs if preset else ()) if find_spec(name) is None), None)


def iter_download(
    text: str,
    control: RunControl | None = None,
    *,
    check: Callable[[str], object],
    cache_dir: str | None = None,
) -> Generator[Event, None, bool]:
    """Fetch a model's weights into the cache.

    Parameters
    ----------
    text
        A preset's name or any other name that :func:`~semidavil_core.vlm.model_spec.parse_spec` reads.
    control
        Stop ends the download.
    check
        Loads the model, which fetches the small files that belong to it and proves that all of it works.
    cache_dir
        Where downloads are kept; None for the hub client's default.

    Yields
    ------
    Event
        ``StageStarted`` and ``StageProgress`` in megabytes.

    Returns
    -------
    bool
        Whether the model is here now; False after a stop.

    Raises
    ------
    UnknownModel
        `text` names no model.
    WeightsUnavailable
        The hub cannot be reached, or has no such model.
    """
    control, spec = control or RunControl(), parse_spec(text)
    where = hub_file(spec)
    if where is not None:
        size = float(spec.preset.size_mb) if spec.preset else 0.0
        yield StageStarted(STAGE, size, "MB")
        fetch = partial(_fetch, where, cache_dir)
        if not (yield from _iter_in_thread(fetch, spec, control, size)):
            return False
    yield StageStarted(_CHECK, 0)
    return (yield from _iter_in_thread(lambda _: check(text), spec, control, 0.0))


def _iter_in_thread(
    work: Callable[[_Meter], object], spec: ModelSpec, control: RunControl, announced: float
) -> Generator[Event, None, bool]:
    """Tell of `work` while it runs in a thread of its own: a connection that hangs must not hold up Stop."""
    meter = _Meter()
    thread = threading.Thread(target=_guarded, args=(work, meter), name="vlm-download", daemon=True)
    thread.start()
    told = -1.0
    while thread.is_alive():
        thread.join(_TICK_SECONDS)
        if control.stop_requested:
            meter.stopped = True
            thread.join(_LINGER_SECONDS)
            return False
        total, done = meter.total / _MEGABYTE, meter.done / _MEGABYTE
        if total and abs(total - announced) > 1:
            announced = total
            yield StageStarted(STAGE, round(total, 1), "MB")
        if total and done - told >= 1:
            told = done
            yield StageProgress(round(done))
    if isinstance(meter.error, SemiDavilError):
        raise meter.error
    if meter.error is not None:
        raise unavailable(spec, meter.error, allow_download=True) from meter.error
    return True


def _guarded(work: Callable[[_Meter], object], meter: _Meter) -> None:
    try:
        work(meter)
    except _Stopped:
        pass
    except Exception as error:  # noqa: BLE001 - the hub's client raises errors of a dozen libraries; told by the other thread
        meter.error = error


def _fetch(where: HubFile, cache_dir: str | None, meter: _Meter) -> None:
    """Fetch the first of the names that the repository has."""
    with _plain_transfers():
        for name in where.names[:-1]:
            try:
                _download(where.repository, name, cache_dir, meter)
            except EntryNotFoundError:
                continue
            return
        _download(where.repository, where.names[-1], cache_dir, meter)


def _download(repository: str, name: str, cache_dir: str | None, meter: _Meter) -> None:
    hf_hub_download(repository, name, cache_dir=cache_dir, tqdm_class=_bar(meter))


def _bar(meter: _Meter) -> Any:
    """The progress bar class that the hub's client fills: it prints nothing and keeps `meter`."""

    class Bar(tqdm):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            options.pop("name", None)
            meter.begin(options.get("total"), options.get("initial"))
            super().__init__(*arguments, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            meter.add(n or 0)
            return None

    return Bar


@contextmanager
def _plain_transfers() -> Iterator[None]:
    """Fetch over plain HTTPS: the hub's own transfer library counts twice and cannot be interrupted."""
    before = constants.HF_HUB_DISABLE_XET
    constants.HF_HUB_DISABLE_XET = True
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_XET = before


def _cached(repository: str, name: str, cache_dir: str | None) -> bool:
    return isinstance(try_to_load_from_cache(repository, name, cache_dir=cache_dir), str)
