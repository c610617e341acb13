"""Frames: what is written is what is read, and damage is told, never believed."""

from __future__ import annotations

import contextlib
import io
import json
import struct

import numpy as np
import pytest

from semidavil_core.classes import ClassSet
from semidavil_core.engine.protocol import (
    MAGIC,
    MAX_HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    Frame,
    read_frame,
    write_frame,
)
from semidavil_core.engine.requests import (
    Adapt,
    ArrayMap,
    DownloadVlm,
    FindVlm,
    ListDevices,
    PrepareFromSource,
    Request,
    SetClasses,
    SetImage,
    SetScribbles,
    SetSource,
    Stop,
    ZeroShot,
    request_from_frame,
)
from semidavil_core.errors import EngineFailed, InvalidClasses
from semidavil_core.settings import Budget


def wire(frame: Frame) -> bytes:
    stream = io.BytesIO()
    write_frame(stream, frame)
    return stream.getvalue()


class OneByteAtATime(io.RawIOBase):
    """A pipe that gives and takes as little as a pipe may."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = bytearray(content)

    def readinto(self, target) -> int:
        chunk = self.content[: min(1, len(target))]
        target[: len(chunk)] = chunk
        del self.content[: len(chunk)]
        return len(chunk)

    def write(self, data) -> int:
        self.content += bytes(data[:1])
        return 1


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "<u2", "<i4", "<i8", ">i4", "<f2", "<f4", ">f8"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (0, 5), (4, 5), (2, 3, 4)])
def test_an_array_of_any_plain_type_and_shape_survives(dtype: str, shape: tuple[int, ...]) -> None:
    array = (np.random.default_rng(0).random(shape) * 100).astype(dtype)
    frame = read_frame(io.BytesIO(wire(Frame({"a": 1}, {"x": array}))))
    assert frame is not None
    assert frame.body == {"a": 1}
    assert frame.arrays["x"].dtype == array.dtype.newbyteorder("<")
    np.testing.assert_array_equal(frame.arrays["x"], array)


def test_strided_views_survive_and_stay_writable() -> None:
    array = np.arange(24).reshape(4, 6)[::2, ::-3]
    frame = read_frame(io.BytesIO(wire(Frame({}, {"x": array}))))
    assert frame is not None
    np.testing.assert_array_equal(frame.arrays["x"], array)
    frame.arrays["x"][0, 0] = 7


def test_many_random_messages_follow_one_another() -> None:
    rng = np.random.default_rng(3)
    frames = [
        Frame(
            {"n": n, "text": "ü€\n" * int(rng.integers(0, 9)), "list": [None, 1.5, {"deep": True}]},
            {
                f"a{k}": rng.integers(0, 255, rng.integers(0, 7, 2)).astype("u1")
                for k in range(int(rng.integers(0, 5)))
            },
        )
        for n in range(50)
    ]
    stream = OneByteAtATime(b"".join(map(wire, frames)))
    for sent in frames:
        got = read_frame(stream)
        assert got is not None
        assert got.body == sent.body
        assert got.arrays.keys() == sent.arrays.keys()
        assert all(np.array_equal(got.arrays[k], sent.arrays[k]) for k in sent.arrays)
    assert read_frame(stream) is None


def test_a_pipe_that_takes_one_byte_at_a_time_gets_everything() -> None:
    stream = OneByteAtATime()
    frame = Frame({"a": "b"}, {"x": np.arange(10)})
    write_frame(stream, frame)
    assert bytes(stream.content) == wire(frame)


def test_every_cut_of_a_message_is_told_and_none_is_believed() -> None:
    whole = wire(Frame({"a": 1}, {"x": np.arange(6, dtype=np.uint8)}))
    for length in range(1, len(whole)):
        with pytest.raises(EngineFailed):
            read_frame(io.BytesIO(whole[:length]))


def test_flipped_bytes_give_a_frame_or_an_engine_error_and_nothing_else() -> None:
    whole = wire(Frame({"a": 1}, {"x": np.arange(6, dtype=np.uint8)}))
    rng = np.random.default_rng(0)
    for _ in range(2000):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= int(rng.integers(1, 256))
        with contextlib.suppress(EngineFailed):
            read_frame(io.BytesIO(bytes(damaged)))


@pytest.mark.parametrize(
    ("header", "payload"), [(MAX_HEADER_BYTES + 1, 0), (10, MAX_PAYLOAD_BYTES + 1), (2**32 - 1, 2**64 - 1)]
)
def test_a_length_beyond_the_limits_is_refused_before_anything_is_allocated(
    header: int, payload: int
) -> None:
    with pytest.raises(EngineFailed, match="too large"):
        read_frame(io.BytesIO(struct.pack(">4sIQ", MAGIC, header, payload)))


@pytest.mark.parametrize(
    "description",
    [
        {"name": "x", "dtype": "|O", "shape": [1]},
        {"name": "x", "dtype": "<U4", "shape": [1]},
        {"name": "x", "dtype": "|u1", "shape": [-1]},
        {"name": "x", "dtype": "|u1", "shape": [2]},
        {"name": "x", "dtype": "|u1", "shape": [1.0]},
        {"name": "x", "dtype": "|u1", "shape": [2**40, 2**40]},
        {"name": "x", "dtype": "|u1", "shape": 1},
        {"name": 3, "dtype": "|u1", "shape": [1]},
        {"dtype": "|u1", "shape": [1]},
        "x",
    ],
)
def test_an_array_description_that_lies_is_refused(description: object) -> None:
    header = json.dumps({"body": {}, "arrays": [description]}).encode()
    with pytest.raises(EngineFailed):
        read_frame(io.BytesIO(struct.pack(">4sIQ", MAGIC, len(header), 1) + header + b"\0"))


def test_a_shell_greeting_before_the_first_message_is_quoted_with_the_remedy() -> None:
    with pytest.raises(EngineFailed, match=r"Welcome.*standard output"):
        read_frame(io.BytesIO(b"Welcome to the cluster!\n"))


@pytest.mark.parametrize(
    "array", [np.array(["a"]), np.array([None]), np.zeros(1, complex), np.zeros((1,) * 9)]
)
def test_what_is_no_plain_array_is_refused_before_a_byte_is_written(array: np.ndarray) -> None:
    stream = io.BytesIO()
    with pytest.raises(EngineFailed, match="'x'"):
        write_frame(stream, Frame({}, {"x": array}))
    assert stream.getvalue() == b""


def test_numpy_scalars_in_a_message_become_plain_numbers() -> None:
    frame = read_frame(io.BytesIO(wire(Frame({"iou": np.float32(0.5), "n": np.int64(3)}))))
    assert frame is not None
    assert frame.body == {"iou": 0.5, "n": 3}


CLASSES = ClassSet.from_names(["road", "sky"])
REQUESTS: list[Request] = [
    Stop(),
    Adapt(Budget(seconds=3.0)),
    Adapt(Budget(steps=2)),
    SetClasses(CLASSES),
    SetSource("folder", CLASSES),
    SetSource(),
    PrepareFromSource(CLASSES, "mini", Budget(steps=1), {"lr": 0.1}),
    SetScribbles("a", None),
    ZeroShot("a"),
    ZeroShot("a", "mini", CLASSES, "cpu"),
    FindVlm("natural"),
    DownloadVlm("natural"),
    ListDevices(),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: r.kind)
def test_a_request_without_arrays_survives(request_: Request) -> None:
    frame = read_frame(io.BytesIO(wire(request_.to_frame(7))))
    assert frame is not None
    assert request_from_frame(frame) == (7, request_)


def test_requests_with_arrays_survive() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    _, got = request_from_frame(SetImage("dir/a.png", image, (0, 1, 2)).to_frame(1))
    assert isinstance(got, SetImage)
    assert got.name == "dir/a.png"
    assert got.channels == (0, 1, 2)
    np.testing.assert_array_equal(got.image, image)
    _, strokes = request_from_frame(SetScribbles("a", image[..., 0], (0, 0, 2, 2)).to_frame(1))
    assert isinstance(strokes, SetScribbles)
    assert strokes.labels is not None
    assert strokes.region == (0, 0, 2, 2)
    _, source = request_from_frame(
        SetSource(images=ArrayMap({"x/y": image}), labels=ArrayMap({"x/y": image[..., 0]})).to_frame(1)
    )
    assert isinstance(source, SetSource)
    assert source.images["x/y"].shape == (2, 2, 3)
    assert source.labels["x/y"].shape == (2, 2)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"request": "Nonsense"},
        {"request": "Adapt", "speed": 3},
        {"request": "SetImage"},
        {"request": ["Stop"]},
    ],
)
def test_a_foreign_request_is_an_engine_error(body: dict[str, object]) -> None:
    with pytest.raises(EngineFailed):
        request_from_frame(Frame(body))


def test_a_class_list_that_breaks_the_rules_is_told_as_such() -> None:
    with pytest.raises(InvalidClasses, match="more than once"):
        request_from_frame(
            Frame({"id": 1, "request": "SetClasses", "classes": [{"name": "a"}, {"name": "A"}]})
        )
