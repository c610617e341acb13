"""Which language models and devices there are, asked of the engine; downloads when a person wants one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from qtpy.QtCore import QObject, QTimer

from semidavil_core.engine.client import EngineClient
from semidavil_core.engine.requests import DownloadVlm, FindVlm, ListDevices
from semidavil_core.events import DevicesFound, Event, Notice, StageProgress, StageStarted, VlmFound
from semidavil_napari._engine_memory import EngineMemory, iter_answer, iter_greeting
from semidavil_napari._jobs import EngineJobs, Job
from semidavil_napari._panels.guidance import GuidancePanel
from semidavil_napari._session import Stage

_FIND: Final = "find the language model"
_DEVICES: Final = "find the devices"
_TYPING_MS: Final = 600


class GuidanceController(QObject):
    """Keeps the guidance panel true.

    Parameters
    ----------
    panel, jobs
        The panel and the engine's jobs.
    run
        Starts a loud job with a sentence to begin with, unless one runs.
    """

    def __init__(
        self,
        panel: GuidancePanel,
        jobs: EngineJobs,
        run: Callable[[str, Job], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._panel, self._jobs, self._run = panel, jobs, run
        self._wanted = self._downloading = ""
        self._total = 0.0
        self._knows_devices = False
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(_TYPING_MS)
        self._typing.timeout.connect(self._find)
        panel.changed.connect(self._typing.start)
        panel.download_wanted.connect(self._on_download)
        panel.cancel_wanted.connect(jobs.stop)
        jobs.happened.connect(self._on_event)
        jobs.quiet_failed.connect(self._on_quiet_failed)
        jobs.quiet_ended.connect(lambda _: self._ask_for_devices())
        jobs.ended.connect(self._on_ended)
        jobs.failed.connect(self._on_ended)

    def _find(self) -> None:
        """Look for a model that nobody has looked for, once its name is typed."""
        vlm = self._panel.value().vlm
        if vlm and self._panel.found(vlm) is None and self._panel.validation_error() is None:
            self._jobs.start_when_idle(_FIND, partial(_find_job, vlm))

    def _ask_for_devices(self) -> None:
        # Only of an engine that runs anyway: none is started for it.
        if not self._knows_devices and self._jobs.engine_pid is not None:
            self._knows_devices = True
            self._jobs.start_when_idle(_DEVICES, _devices_job)

    def _on_download(self, vlm: str) -> None:
        self._wanted = vlm
        self._run(f"Downloading the language model {vlm} …", partial(_download_job, vlm))

    def _on_event(self, event: Event) -> None:
        match event:
            case VlmFound():
                self._panel.setFound(event.vlm, event.here, event.problem)
            case DevicesFound():
                self._panel.setDevices(event.devices)
            case StageStarted(stage=Stage.DOWNLOAD):
                self._downloading, self._total = self._wanted, event.total
                self._panel.setProgress(self._downloading, 0.0, self._total)
            case StageProgress() if self._downloading and self._jobs.quiet is None:
                self._panel.setProgress(self._downloading, event.done, self._total)

    def _on_quiet_failed(self, key: str, sentence: str) -> None:
        if key == _FIND:
            self._panel.setFound(self._panel.value().vlm, here=False, problem=sentence)

    def _on_ended(self, _: str = "") -> None:
        if self._downloading:
            self._downloading = ""
            self._panel.setProgress("")
        self._ask_for_devices()


def _find_job(vlm: str, client: EngineClient, memory: EngineMemory, _: Callable[[], int]) -> Iterator[Event]:
    yield from iter_greeting(client, memory)
    yield from iter_answer(client, FindVlm(vlm))


def _devices_job(client: EngineClient, memory: EngineMemory, _: Callable[[], int]) -> Iterator[Event]:
    yield from iter_greeting(client, memory)
    yield from iter_answer(client, ListDevices())


def _download_job(
    vlm: str, client: EngineClient, memory: EngineMemory, stops: Callable[[], int]
) -> Iterator[Event]:
    yield from iter_greeting(client, memory)
    if stops():
        return
    for event in iter_answer(client, DownloadVlm(vlm)):
        yield event
        if isinstance(event, VlmFound) and event.here:
            yield Notice(f"The language model {vlm} is on this machine now.")
