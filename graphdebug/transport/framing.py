"""The Debug Adapter Protocol's base framing: a ``Content-Length`` header, then JSON in UTF-8.

Both of graphdebug's links use it, the one to the editor and the one to the runtime. Frames are
counted in bytes. Nothing here does I/O: bytes go in, messages come out.

https://microsoft.github.io/debug-adapter-protocol/overview#base-protocol
"""

from __future__ import annotations

import json
import string
from typing import Any

Message = dict[str, Any]

HEADER_LIMIT = 4096
"""Bytes that a header may take."""
BODY_LIMIT = 16 * 1024 * 1024
"""Bytes that a body may take: 16 MiB."""


class FramingError(ValueError):
    """Bytes that aren't a frame; the stream can't be read on from here."""


class OversizeError(ValueError):
    """A frame whose body is over the limit. It is skipped, and the stream can be read on."""


class BodyError(ValueError):
    """A frame whose body isn't a JSON object. The stream can be read on."""


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)


def encode(message: Message) -> bytes:
    """``message`` as one frame. Raises ValueError for what JSON can't say, NaN included."""
    body = _ENCODER.encode(message).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Parser:
    """Finds messages in a stream of bytes, however it was cut.

    ``feed`` appends bytes, ``next`` takes the next message out, or returns None where more are
    needed. Memory is bounded: the body of a frame over ``body_limit`` is thrown away as it comes.
    """

    def __init__(self, body_limit: int = BODY_LIMIT) -> None:
        self.limit = body_limit
        self._buffer = bytearray()
        self._length: int | None = None
        self._skip = 0

    def feed(self, data: bytes) -> None:
        """Append what was read."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        self._buffer += data

    @property
    def partial(self) -> bool:
        """Whether the stream stands in the middle of a frame."""
        return bool(self._buffer) or self._length is not None or self._skip > 0

    def next(self) -> Message | None:
        """The next message.

        Raises FramingError when the stream is lost, OversizeError and BodyError when only this
        message is.
        """
        if self._length is None and not self._read_header():
            return None
        assert self._length is not None
        if self._length > self.limit:
            self._drop_body()
        if len(self._buffer) < self._length:
            return None
        body = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        self._length = None
        return _decode(body)

    def _read_header(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > HEADER_LIMIT:
                raise FramingError(f"no header within {HEADER_LIMIT} bytes")
            # Garbage shows in its first bytes; to wait for the rest of it would look like a hang.
            if not _may_start_header(bytes(self._buffer[:64])):
                raise FramingError(f"not a header: {bytes(self._buffer[:40])!r}")
            return False
        self._length = _content_length(bytes(self._buffer[:end]))
        del self._buffer[: end + 4]
        return True

    def _drop_body(self) -> None:
        length, self._length = self._length, None
        assert length is not None
        here = min(length, len(self._buffer))
        del self._buffer[:here]
        self._skip = length - here
        raise OversizeError(f"a message of {length} bytes, over the limit of {self.limit}")


_HEADER_NAME = string.ascii_letters.encode() + b"-"


def _may_start_header(data: bytes) -> bool:
    name = data.split(b":", 1)[0]
    return len(name) < 40 and not name.strip(_HEADER_NAME)


def _content_length(header: bytes) -> int:
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            if value.strip().isdigit():
                return int(value)
            raise FramingError(f"not a length: {value[:40]!r}")
    raise FramingError(f"a header without Content-Length: {header[:40]!r}")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _decode(body: bytes) -> Message:
    try:
        message = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BodyError(f"not JSON: {error}") from None
    if not isinstance(message, dict):
        raise BodyError(f"a JSON object is expected, not {type(message).__name__}")
    return message
