"""Frames: how one message (a JSON object and any number of arrays) lies on a byte stream.

A frame is ``magic (4) | header length (uint32) | payload length (uint64) | header (UTF-8 JSON) | payload``, lengths big-endian. The header
holds the message under ``body`` and under ``arrays`` one ``{name, dtype, shape}`` per array; the payload is their C-ordered,
little-endian buffers end to end. Nothing is ever unpickled, only plain number types pass, and every length is checked against
a limit and against the others before a byte is allocated.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.errors import EngineFailed

PROTOCOL_VERSION: Final = 1
MAGIC: Final = b"SDV\x01"
MAX_HEADER_BYTES: Final = 16 * 2**20
MAX_PAYLOAD_BYTES: Final = 16 * 2**30
MAX_ARRAYS: Final = 4096
MAX_DIMENSIONS: Final = 8
_PREFIX: Final = struct.Struct(">4sIQ")
_DTYPES: Final = frozenset(
    ["|b1", "|u1", "|i1", *(f"<{kind}{size}" for kind in "iu" for size in (2, 4, 8)), "<f2", "<f4", "<f8"]
)


@dataclass(frozen=True)
class Frame:
    """One message.

    Parameters
    ----------
    body
        A JSON object.
    arrays
        Arrays by name; integer, floating-point or Boolean.
    """

    body: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def encoded(frame: Frame) -> list[bytes | memoryview]:
    """The buffers that make up `frame` on the wire; array buffers are not copied where they lie in C order.

    Raises
    ------
    EngineFailed
        An array's type or the message's size is beyond the protocol.
    """
    arrays = {name: _portable(name, array) for name, array in frame.arrays.items()}
    described = [{"name": n, "dtype": a.dtype.str, "shape": list(a.shape)} for n, a in arrays.items()]
    header = json.dumps({"body": frame.body, "arrays": described}, default=_plain).encode()
    payload = sum(a.nbytes for a in arrays.values())
    _check_lengths(len(header), payload)
    buffers = [a.reshape(-1).view(np.uint8).data for a in arrays.values() if a.nbytes]
    return [_PREFIX.pack(MAGIC, len(header), payload) + header, *buffers]


def write_frame(stream: BinaryIO, frame: Frame) -> None:
    """Write `frame` whole and flush; nothing is written where :func:`encoded` refuses it."""
    write_buffers(stream, encoded(frame))


def write_buffers(stream: BinaryIO, buffers: Iterable[bytes | memoryview]) -> None:
    """Write every byte (an unbuffered pipe may take less at a time) and flush."""
    for buffer in buffers:
        view = memoryview(buffer)
        while len(view):
            view = view[stream.write(view) :]
    stream.flush()


def read_frame(stream: BinaryIO) -> Frame | None:
    """Read one frame; None where the stream ends between two frames.

    Raises
    ------
    EngineFailed
        The bytes are no frame: wrong magic, impossible lengths, a foreign array type, or an end in the middle.
    """
    prefix = bytearray(_PREFIX.size)
    got = _read_into(stream, memoryview(prefix))
    if got == 0:
        return None
    if not MAGIC.startswith(bytes(prefix[: min(got, len(MAGIC))])):
        raise EngineFailed(
            f"The engine's stream holds {bytes(prefix[:got])!r} where a message should begin; "
            "let its start command print nothing to standard output (check the shell's start-up files)."
        )
    if got < len(prefix):
        raise _truncated()
    _, header_bytes, payload_bytes = _PREFIX.unpack(prefix)
    _check_lengths(header_bytes, payload_bytes)
    body, descriptions = _parse_header(_read_exactly(stream, header_bytes))
    layouts = _layouts(descriptions, payload_bytes)
    return Frame(body, {name: _read_array(stream, dtype, shape) for name, dtype, shape in layouts})


def _portable(name: str, array: NDArray[Any]) -> NDArray[Any]:
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")) if array.ndim else array.copy()
    if little.dtype.str not in _DTYPES or little.ndim > MAX_DIMENSIONS:
        raise EngineFailed(
            f"The array {name!r} has type {array.dtype} and {array.ndim} dimensions; the engine takes integers, "
            f"floating-point numbers and Booleans of at most {MAX_DIMENSIONS} dimensions."
        )
    return little


def _plain(value: Any) -> Any:
    """JSON for the NumPy scalars that metrics tend to be."""
    if isinstance(value, np.generic):
        return value.item()
    raise EngineFailed(
        f"A message holds a {type(value).__name__}, which is not JSON; send numbers, texts, lists and arrays."
    )


def _check_lengths(header: int, payload: int) -> None:
    if header > MAX_HEADER_BYTES or payload > MAX_PAYLOAD_BYTES:
        raise EngineFailed(
            f"A message of {header} + {payload} bytes is too large; allowed are {MAX_HEADER_BYTES} bytes of header "
            f"and {MAX_PAYLOAD_BYTES} bytes of arrays: send smaller images."
        )


def _parse_header(raw: bytearray) -> tuple[dict[str, Any], list[Any]]:
    try:
        header = json.loads(raw)
        body, descriptions = header["body"], header["arrays"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise EngineFailed(f"A message's header is damaged ({error}); restart the engine.") from error
    if not isinstance(body, dict) or not isinstance(descriptions, list) or len(descriptions) > MAX_ARRAYS:
        raise EngineFailed(
            "A message's header is damaged (not an object with a short list of arrays); restart the engine."
        )
    return body, descriptions


def _layouts(descriptions: list[Any], payload_bytes: int) -> list[tuple[str, np.dtype[Any], tuple[int, ...]]]:
    layouts = [_layout(d) for d in descriptions]
    promised = sum(dtype.itemsize * math.prod(shape) for _, dtype, shape in layouts)
    if promised != payload_bytes or len({name for name, _, _ in layouts}) != len(layouts):
        raise EngineFailed(
            f"A message promises arrays of {promised} bytes but carries {payload_bytes}; restart the engine."
        )
    return layouts


def _layout(description: Any) -> tuple[str, np.dtype[Any], tuple[int, ...]]:
    try:
        name, code, shape = description["name"], description["dtype"], tuple(description["shape"])
    except (KeyError, TypeError) as error:
        raise EngineFailed(f"A message describes an array as {description!r}; restart the engine.") from error
    sizes_fit = len(shape) <= MAX_DIMENSIONS and all(
        type(n) is int and 0 <= n <= MAX_PAYLOAD_BYTES for n in shape
    )
    if not isinstance(name, str) or not isinstance(code, str) or code not in _DTYPES or not sizes_fit:
        raise EngineFailed(f"A message describes an array as {description!r}; restart the engine.")
    return name, np.dtype(code), shape


def _read_array(stream: BinaryIO, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    flat = np.empty(math.prod(shape), dtype)
    if flat.nbytes and _read_into(stream, flat.view(np.uint8).data) < flat.nbytes:
        raise _truncated()
    return flat.reshape(shape)


def _read_exactly(stream: BinaryIO, count: int) -> bytearray:
    buffer = bytearray(count)
    if _read_into(stream, memoryview(buffer)) < count:
        raise _truncated()
    return buffer


def _read_into(stream: BinaryIO, target: memoryview) -> int:
    """Fill `target` as far as the stream goes (a pipe gives short reads) and return the bytes read."""
    done = 0
    while done < len(target):
        got = stream.readinto(target[done:])  # type: ignore[attr-defined]
        if not got:
            break
        done += got
    return done


def _truncated() -> EngineFailed:
    return EngineFailed("The engine's stream ended in the middle of a message; the other side is gone.")
