"""Frames cut anywhere come out whole; what isn't a frame is named, and memory stays bounded."""

from __future__ import annotations

import random

import pytest

from graphdebug.transport.framing import (
    BodyError,
    FramingError,
    OversizeError,
    Parser,
    encode,
)


def drain(parser: Parser) -> list[dict[str, object]]:
    found = []
    while (message := parser.next()) is not None:
        found.append(message)
    return found


def test_frames_cut_anywhere() -> None:
    messages = [{"seq": i, "text": "é" * i, "nested": {"list": [1, None, True]}} for i in range(30)]
    stream = b"".join(map(encode, messages))
    rng = random.Random(7)
    for _ in range(20):
        parser, found, at = Parser(), [], 0
        while at < len(stream):
            size = rng.choice((1, 2, 3, 17, 400))
            parser.feed(stream[at : at + size])
            at += size
            found += drain(parser)
        assert found == messages
        assert not parser.partial


def test_other_headers_and_case_are_accepted() -> None:
    parser = Parser()
    parser.feed(b"content-length: 2\r\nContent-Type: application/vscode-jsonrpc\r\n\r\n{}")
    assert parser.next() == {}


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"{}{}", b"Content-Length: x\r\n\r\n{}",
     b"Content-Length: -1\r\n\r\n", b"A" * 10_000, b"X-Other: 1\r\n\r\n{}"],
)  # fmt: skip
def test_garbage_is_refused(garbage: bytes) -> None:
    parser = Parser()
    parser.feed(garbage)
    with pytest.raises(FramingError):
        parser.next()


@pytest.mark.parametrize("body", [b"[1]", b"nul", b"\xff\xfe", b'{"a":'])
def test_a_bad_body_loses_only_itself(body: bytes) -> None:
    parser = Parser()
    parser.feed(b"Content-Length: %d\r\n\r\n%b" % (len(body), body) + encode({"ok": 1}))
    with pytest.raises(BodyError):
        parser.next()
    assert parser.next() == {"ok": 1}


def test_an_oversize_body_is_skipped_as_it_comes() -> None:
    parser = Parser(body_limit=1000)
    parser.feed(b"Content-Length: 5000\r\n\r\n" + b"x" * 100)
    with pytest.raises(OversizeError):
        parser.next()
    for _ in range(49):
        parser.feed(b"x" * 100)
        assert parser.next() is None
        assert len(parser._buffer) == 0
    parser.feed(encode({"ok": 1}))
    assert parser.next() == {"ok": 1}


def test_nan_is_not_json() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        encode({"value": float("nan")})
