"""Messages over pipes: taken and written at once, and nobody waits for who doesn't read."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

from graphdebug.transport.connections import Fault, PipeConnection, Taken
from graphdebug.transport.framing import Message, Parser, encode


def event(number: int, **body: Any) -> Message:
    return {"type": "event", "event": "output", "seq": number, "body": body}


class Peer:
    """The other ends of a connection's two pipes."""

    def __init__(self) -> None:
        theirs, self.writes = os.pipe()
        self.reads, ours = os.pipe()
        self.connection = PipeConnection(theirs, ours)
        self.came: list[Taken] = []
        self.rests = 0

    def take(self, came: Taken) -> None:
        self.came.append(came)

    def rest(self) -> None:
        self.rests += 1

    def write(self, *data: bytes) -> None:
        os.write(self.writes, b"".join(data))

    def hang_up(self) -> None:
        for file in (self.writes, self.reads):
            with contextlib.suppress(OSError):
                os.close(file)


@contextlib.asynccontextmanager
async def peer() -> AsyncIterator[Peer]:
    other = Peer()
    try:
        yield other
    finally:
        other.hang_up()
        await other.connection.close()


def test_what_comes_together_is_taken_together() -> None:
    async def main() -> None:
        async with peer() as other:
            half = encode(event(3))
            other.write(encode(event(1)), encode(event(2)), half[:20])
            receiving = asyncio.ensure_future(other.connection.receive(other.take, other.rest))
            while not other.rests:
                await asyncio.sleep(0)
            assert other.came == [[event(1), event(2)]]
            other.write(half[20:])
            other.hang_up()
            await receiving
            assert other.came[1:] == [[event(3)]]

    asyncio.run(main())


def test_what_is_held_is_written_in_one_piece() -> None:
    async def main() -> None:
        async with peer() as other:
            os.set_blocking(other.reads, False)
            other.connection.hold()
            other.connection.send(event(1))
            other.connection.send(event(2))
            with pytest.raises(BlockingIOError):
                os.read(other.reads, 1)
            other.connection.release()
            assert os.read(other.reads, 4096) == encode(event(1)) + encode(event(2))
            other.connection.send(event(3))
            assert os.read(other.reads, 4096) == encode(event(3))
            other.connection.hold()
            other.connection.send(event(4))
            await other.connection.close()
            assert os.read(other.reads, 4096) == encode(event(4))

    asyncio.run(main())


def test_who_does_not_read_holds_nobody_up() -> None:
    """More than a pipe takes, in pieces of all sizes; read when all of it has been sent."""

    async def main() -> list[Message]:
        async with peer() as other:
            for number in range(40):
                other.connection.send(event(number, text="x" * (number * 997 % 30_000)))
            parser, found = Parser(), []
            while len(found) < 40:
                parser.feed(await asyncio.to_thread(os.read, other.reads, 65536))
                while (message := parser.next()) is not None:
                    found.append(message)
            return found

    assert [message["seq"] for message in asyncio.run(main())] == list(range(40))


def test_what_takes_may_fail() -> None:
    async def main() -> None:
        async with peer() as other:
            other.write(encode(event(1)))

            def take(came: Taken) -> None:
                raise LookupError("nobody takes it")

            await other.connection.receive(take)

    with pytest.raises(LookupError):
        asyncio.run(main())


def test_nothing_is_taken_after_what_is_no_frame() -> None:
    async def main() -> None:
        async with peer() as other:
            other.write(encode(event(1)), b"garbage\r\n\r\n", encode(event(2)))
            await other.connection.receive(other.take)
            ((first, fault),) = other.came
            assert first == event(1)
            assert isinstance(fault, Fault) and fault.fatal

    asyncio.run(main())
