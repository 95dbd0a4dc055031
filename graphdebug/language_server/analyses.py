"""Analyses of the open documents, made in the background by a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from graphdebug.language_server import background
from graphdebug.language_server.analyser import CHUNK
from graphdebug.language_server.findings import Findings
from graphdebug.protocol.wire import from_wire
from graphdebug.transport.framing import FramingError, Message, Parser, encode

_log = logging.getLogger(__name__)

QUIET_SECONDS = 0.15
"""How long a document must be left alone before a change of it is analysed."""

LIMIT_SECONDS = 30.0
"""How long one analysis may take; the process is then ended, and the text has no findings."""

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

Found = Callable[[str, list[str], Findings], None]
"""Is told of a document's findings: its URI, the lines that were analysed, what was found."""


class Analyses:
    """One analysis at a time, of the document that changed last first.

    A text that was overtaken by a newer one before its turn is never analysed. All methods are
    called on the loop.
    """

    def __init__(self, found: Found) -> None:
        self._found = found
        self._wanted: dict[str, tuple[str, list[str]]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._wish = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    def want(self, uri: str, path: str, lines: list[str], *, now: bool = False) -> None:
        """Analyse these lines, once they are left alone; ``now`` where nobody is typing."""
        self.forget(uri)

        def due() -> None:
            self._timers.pop(uri, None)
            self._wanted[uri] = path, lines
            self._wish.set()

        if self._task is None:
            self._task = background.start(self._run())
        if now:
            due()
        else:
            loop = asyncio.get_running_loop()
            self._timers[uri] = loop.call_later(QUIET_SECONDS, due)

    def forget(self, uri: str) -> None:
        """Nobody wants this document's findings any more."""
        self._wanted.pop(uri, None)
        timer = self._timers.pop(uri, None)
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """End the process."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            while True:
                await self._wish.wait()
                self._wish.clear()
                while self._wanted:
                    await self._analyse_one()
        finally:
            await self._end_process()

    async def _analyse_one(self) -> None:
        uri, (path, lines) = self._wanted.popitem()
        findings = await self._analysed({"path": path, "text": "\n".join(lines)})
        try:
            self._found(uri, lines, findings)
        except Exception:
            _log.exception("the findings of %s can't be shown", uri)

    async def _analysed(self, message: Message) -> Findings:
        """Nothing is found in a text that the process can't take."""
        try:
            return await asyncio.wait_for(self._ask(message), LIMIT_SECONDS)
        except (OSError, EOFError, FramingError, asyncio.TimeoutError):
            await self._end_process()
            return Findings()

    async def _ask(self, message: Message) -> Findings:
        process = self._process
        if process is None:
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "graphdebug.language_server.analyser",
                env={**os.environ, "PYTHONPATH": _path()},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(encode(message))
        await process.stdin.drain()
        parser = Parser()
        answer: Any = None
        while answer is None:
            data = await process.stdout.read(CHUNK)
            if not data:
                raise EOFError
            parser.feed(data)
            answer = parser.next()
        return from_wire(Findings, answer)

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            # Both pipes end here: one that is left until the loop has ended complains of that.
            assert process.stdin is not None
            process.stdin.close()
            await process.communicate()


def _path() -> str:
    """Where the process finds graphdebug: this one may have found it where no other would look."""
    return os.pathsep.join(filter(None, (os.path.dirname(PACKAGE), os.environ.get("PYTHONPATH"))))
