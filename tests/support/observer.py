"""An observer of the runtime for tests: runs a program under it and collects what it reports."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from graphdebug.observation.injection import environment
from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.model import Node, Step
from graphdebug.protocol.runtime import (
    EVENTS,
    BoundaryEvent,
    Breakpoint,
    ConfigureArguments,
    GraphEvent,
    Invitation,
    StepEvent,
)
from graphdebug.protocol.wire import from_wire, to_wire
from graphdebug.transport.endpoint import Listener, new_token
from graphdebug.transport.framing import Parser, encode


class Observation:
    """One program, run to its end without a debugger, and all that its runtimes said."""

    def __init__(
        self,
        program: Path,
        *args: str,
        configuration: Configuration | None = None,
        breakpoints: dict[str, tuple[Breakpoint, ...]] | None = None,
        filters: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
        timeout: float = 120,
    ) -> None:
        self.events: list[Any] = []
        self._errors: list[Exception] = []
        self._configure = ConfigureArguments(
            configuration or Configuration(), breakpoints or {}, filters
        )
        self._listener = Listener()
        self._threads: list[threading.Thread] = []
        invitation = Invitation(self._listener.endpoint, new_token(), self._configure.configuration)
        base = {**os.environ, **(env or {})}
        accepting = threading.Thread(target=self._accept)
        accepting.start()
        try:
            process = subprocess.run(
                [sys.executable, str(program), *args],
                env={**base, **environment(invitation, base)},
                capture_output=True,
                text=True,
                timeout=timeout,
            )
        finally:
            self._listener.socket.shutdown(2)
            accepting.join()
            for thread in self._threads:
                thread.join()
            self._listener.close()
        if self._errors:
            raise self._errors[0]
        self.returncode, self.stdout, self.stderr = (
            process.returncode,
            process.stdout,
            process.stderr,
        )

    def of(self, kind: type) -> list[Any]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def steps(self) -> list[Step]:
        """All steps, in order."""
        return [event.step for event in self.of(StepEvent)]

    def nodes(self, step: int) -> tuple[Node, ...]:
        """The nodes of a step, by its index."""
        graph = self.of(StepEvent)[step].graph
        assert graph is not None, "the step has no nodes"
        parts = [event.nodes for event in self.of(GraphEvent) if event.graph == graph]
        assert parts
        return tuple(node for part in parts for node in part)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._listen, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _listen(self, connection: Any) -> None:
        """An error here would look as if the program had said nothing more."""
        try:
            self._serve(connection)
        except Exception as error:
            self._errors.append(error)

    def _serve(self, connection: Any) -> None:
        parser, seq = Parser(), 0
        while data := connection.recv(65536):
            parser.feed(data)
            while (message := parser.next()) is not None:
                if message["type"] != "event":
                    assert message["success"], message
                    continue
                event = from_wire(EVENTS[message["event"]], message["body"])
                self.events += event.each() if isinstance(event, StepEvent) else [event]
                request = self._reaction(message["event"], event)
                if request is not None:
                    seq += 1
                    connection.sendall(encode({"type": "request", "seq": seq, **request}))
        connection.close()

    def _reaction(self, name: str, event: Any) -> dict[str, Any] | None:
        if name == "hello":
            return {"command": "configure", "arguments": to_wire(self._configure)}
        if isinstance(event, BoundaryEvent):
            return {
                "command": "resume",
                "arguments": {"boundary": event.boundary, "stop": False},
            }
        return None
