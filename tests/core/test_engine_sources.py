"""Images with separate channels, and a labelled source that lists its classes otherwise than the bundle."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from semidavil_core.adaptation.editable_domain import RelabelledDomain
from semidavil_core.classes import ClassSet
from semidavil_core.control import RunControl
from semidavil_core.data.domains import MemoryDomain, Sample
from semidavil_core.engine.handlers import EngineSession
from semidavil_core.engine.requests import ArrayMap, Request, SetImage, SetSource, request_from_frame


def ask(session: EngineSession, request: Request) -> None:
    list(session.handle(request, RunControl()))


def test_separate_channels_are_stretched_each_by_itself_and_colours_together() -> None:
    image = np.zeros((20, 30, 3), np.uint16)
    image[:10, :, 0], image[:10, :, 1], image[:10, :, 2] = 100, 10_000, 60_000
    session = EngineSession()
    ask(session, SetImage("channels", image, (0, 1, 2), "YXC"))
    ask(session, SetImage("colours", image))
    channels, colours = (session._target.sample(name).image for name in ("channels", "colours"))
    assert channels[0, 0].min() > 200
    assert colours[0, 0, 0] < 10 < 200 < colours[0, 0, 2]


def test_the_axes_travel_with_the_request() -> None:
    sent = SetImage("a", np.zeros((4, 5, 2)), (0, 1, None), "YXC")
    _, received = request_from_frame(sent.to_frame(1))
    assert (received.axes, received.channels) == ("YXC", (0, 1, None))


def test_a_source_beside_a_bundle_is_matched_by_the_names_of_its_classes_and_never_by_their_places() -> None:
    labels = np.tile(np.arange(3, dtype=np.uint8), (20, 10))
    theirs, bundle = ClassSet.from_names(["sky", "cell", "road"]), ClassSet.from_names(["road", "Sky", "car"])
    session = EngineSession()
    ask(session, SetSource(None, theirs, ArrayMap(a=np.zeros((20, 30, 3), np.uint8)), ArrayMap(a=labels)))
    session._bundle = SimpleNamespace(classes=bundle)
    np.testing.assert_array_equal(session._matched_source()[0].labels[:, :3], [[1, 255, 0]] * 20)
    session._bundle = SimpleNamespace(classes=theirs)
    np.testing.assert_array_equal(session._matched_source()[0].labels, labels)


def test_a_renamed_class_of_one_set_is_matched_unless_only_names_count() -> None:
    domain = MemoryDomain([Sample("a", np.zeros((1, 2, 3), np.uint8), np.array([[0, 1]], np.uint8))])
    old, new = ClassSet.from_names(["car", "sky"]), ClassSet.from_names(["vehicle", "sky"])
    np.testing.assert_array_equal(RelabelledDomain(domain, old, new)[0].labels, [[0, 1]])
    np.testing.assert_array_equal(RelabelledDomain(domain, old, new, by_name=True)[0].labels, [[255, 1]])
