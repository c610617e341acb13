"""Fetching a model from a hub of a few lines on this machine, through the real client."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from semidavil_core.control import RunControl
from semidavil_core.errors import UnknownModel, WeightsUnavailable
from semidavil_core.events import Event, StageProgress, StageStarted
from semidavil_core.vlm.download import HubFile, hub_file, iter_download, missing_package, vlm_is_here
from semidavil_core.vlm.model_spec import parse_spec
from semidavil_core.vlm.presets import PRESETS

COMMIT = "a" * 40
PIECE = 1_000_000


class Hub(ThreadingHTTPServer):
    """Serves the files of one repository; `gate` closed: it stops sending after the second piece."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files, self.gate = files, threading.Event()
        self.gate.set()
        self.sent: list[str] = []


class Answer(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: Any) -> None:
        """Stay silent."""

    def do_HEAD(self) -> None:
        self._headers()

    def do_GET(self) -> None:
        content = self._headers()
        with suppress(OSError):
            for start in range(0, len(content), PIECE):
                self.wfile.write(content[start : start + PIECE])
                self.server.sent.append(self.path)
                if start:
                    self.server.gate.wait(20)

    def _headers(self) -> bytes:
        name = self.path.rpartition("/")[2]
        content = self.server.files.get(name, b"")
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-") or 0)
        rest = content[begin:]
        self.send_response(404 if name not in self.server.files else 206 if begin else 200)
        if name not in self.server.files:
            self.send_header("X-Error-Code", "EntryNotFound")
        else:
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Linked-Size", str(len(content)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        return rest


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub that has the weights of `natural-gpu`: three and a half pieces of noise."""
    server = Hub({"open_clip_pytorch_model.bin": bytes(3 * PIECE + PIECE // 2)})
    address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", PIECE // 4)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.gate.set()
    server.shutdown()
    server.server_close()


def accept(_: object) -> None:
    """A check that everything passes."""


def fetch(name: str, heard: Callable[[Event], object] = accept, **options: Any) -> tuple[list[Event], bool]:
    """Download; `heard` is called with every megabyte told."""
    events, work = [], iter_download(name, check=accept, **options)
    while True:
        try:
            events.append(next(work))
        except StopIteration as end:
            return events, end.value
        if isinstance(events[-1], StageProgress):
            heard(events[-1])


def test_a_download_tells_its_megabytes_and_the_model_is_here_afterwards(hub: Hub) -> None:
    assert not vlm_is_here("natural-gpu")
    hub.gate.clear()
    threading.Timer(1.0, hub.gate.set).start()
    events, here = fetch("natural-gpu")
    assert here
    assert vlm_is_here("natural-gpu")
    assert StageStarted("downloading the language model", 3.5, "MB") in events
    done = [e.done for e in events if isinstance(e, StageProgress)]
    assert done == sorted(done)
    assert done
    assert isinstance(events[-1], StageStarted)  # checking


def test_stop_ends_a_download_even_of_a_hub_that_hangs_and_leaves_nothing_of_it(hub: Hub) -> None:
    hub.gate.clear()
    control = RunControl()
    _, here = fetch("natural-gpu", control=control, heard=lambda _: control.stop())
    assert not here
    hub.gate.set()
    for thread in threading.enumerate():
        if thread.name == "vlm-download":
            thread.join(20)
    assert not vlm_is_here("natural-gpu")
    assert not list(Path(constants.HF_HUB_CACHE).rglob("*.incomplete"))
    assert fetch("natural-gpu")[1]


def test_a_hub_that_is_not_there_is_told_with_what_to_do(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.files.clear()
    with pytest.raises(WeightsUnavailable, match=r"could not be downloaded.*local-dir:"):
        fetch("natural-gpu")


def test_a_model_that_does_not_load_is_refused_after_the_download(hub: Hub) -> None:
    def refuse(name: str) -> None:
        raise WeightsUnavailable(f"{name} is damaged.")

    with pytest.raises(WeightsUnavailable, match="natural-gpu is damaged"):
        list(iter_download("natural-gpu", check=refuse))


def test_nothing_is_fetched_for_a_model_that_ships_with_the_package() -> None:
    assert vlm_is_here("mini")
    events, here = fetch("mini")
    assert here
    assert [e for e in events if isinstance(e, StageProgress)] == []


@pytest.mark.parametrize("preset", [p for p in PRESETS.values() if p.size_mb], ids=lambda p: p.name)
def test_every_preset_to_download_has_its_place_on_the_hub(preset: Any) -> None:
    where = hub_file(parse_spec(preset.name))
    assert where is not None
    assert where.repository.count("/") == 1
    assert where.names


def test_models_by_tag_and_by_file_are_found_on_the_hub_too() -> None:
    assert hub_file(parse_spec("ViT-B-16:openai")) == HubFile(
        "timm/vit_base_patch16_clip_224.openai",
        ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
    )
    named = hub_file(parse_spec("ViTamin-S:datacomp1b"))
    assert named == HubFile("jienengchen/ViTamin-S", ("pytorch_model.safetensors", "pytorch_model.bin"))


def test_an_unknown_model_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(UnknownModel):
        vlm_is_here("no such model")


def test_a_package_that_a_preset_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semidavil_core.vlm.download.find_spec", lambda _: None)
    assert missing_package("biomedical") == "transformers"
    assert missing_package("mini") is None
