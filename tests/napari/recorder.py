"""An engine's client that only writes down what it is asked."""

from __future__ import annotations

from collections.abc import Iterator

from semidavil_core.engine.requests import Request
from semidavil_core.events import Done, Event


class Recorder:
    """An engine that answers everything with nothing."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def request(self, request: Request) -> Iterator[Event]:
        self.requests.append(request)
        yield Done(len(self.requests))

    def kinds(self) -> list[str]:
        kinds = [r.kind for r in self.requests]
        self.requests.clear()
        return kinds

    def first(self, kind: type[Request]) -> Request:
        return next(r for r in self.requests if isinstance(r, kind))
