"""A debug session as an editor leads it, over graphdebug's own DAP client.

All that the adapter sends is checked against the protocol, and a violation fails the test.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, Any

from graphdebug.transport.dap import Client, Disconnected, RequestFailed
from support.adapters import EXIT_TIMEOUT, AdapterProcess
from support.schema import Checker
from support.transcript import Direction, Transcript

Message = dict[str, Any]
Breakpoint = int | dict[str, Any]

CLIENT = {
    "clientID": "graphdebug-tests",
    "adapterID": "graphdebug",
    "linesStartAt1": True,
    "columnsStartAt1": True,
    "pathFormat": "path",
    "locale": "en",
    "supportsVariableType": True,
    "supportsVariablePaging": True,
    "supportsRunInTerminalRequest": True,
    "supportsArgsCanBeInterpretedByShell": True,
    "supportsMemoryReferences": True,
    "supportsProgressReporting": True,
    "supportsInvalidatedEvent": True,
}
"""What the client says of itself in ``initialize``, much as VS Code does."""


Start = Callable[..., "Session"]
"""What the fixtures ``start`` and ``start_shared`` give: ``start(adapter, **options)``."""


class Session:
    """One debug session: an adapter, its client, and what passed between them.

    Use it in a ``with``, or take it from the ``start`` fixture: leaving it ends the session, the
    adapter, and raises AssertionError for what was wrong on the way.
    """

    def __init__(
        self,
        adapter: str,
        *,
        address: tuple[str, int] | None = None,
        environment: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
        on_request: Callable[[str, Message], Message | None] | None = None,
        timeout: float = 30.0,
        tolerant: bool = False,
    ) -> None:
        """Start ``adapter``, or connect to the one that listens at ``address``.

        ``tolerant``: broken streams and unanswered requests are what this test is about.
        """
        self.adapter = adapter
        self.transcript = Transcript()
        self.checker = Checker(strict=adapter != "debugpy")
        self.breakpoints: dict[str, list[Message]] = {}
        self.thread = 0
        self._environment = dict(environment or {})
        self._tolerant = tolerant
        self._terminals: list[tuple[subprocess.Popen[bytes], IO[bytes]]] = []
        self._children: list[Session] = []
        self._start: Message | None = None
        self._closed = False
        self.process: AdapterProcess | None = None
        callbacks: dict[str, Any] = {
            "observe": self._observe,
            "on_request": on_request or self._on_request,
            "timeout": timeout,
        }
        if address is not None:
            self.client = Client.connect(*address, **callbacks)
        else:
            self.process = AdapterProcess(adapter, self._environment, options)
            self.client = Client.of_process(self.process.process, **callbacks)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(check=kind is None)

    # How a session starts

    def initialize(self, **client: Any) -> Message:
        """Say who we are, as ``CLIENT`` and ``client`` have it; returns the capabilities."""
        self.capabilities = self.request("initialize", **{**CLIENT, **client})
        return self.capabilities

    def launch(self, **config: Any) -> None:
        """Start a program and configure the session; takes what ``start`` does."""
        config.setdefault("console", "internalConsole")
        self.start("launch", **config)

    def attach(self, **config: Any) -> None:
        """Attach and configure the session; takes what ``start`` does."""
        self.start("attach", **config)

    def start(
        self,
        command: str,
        *,
        breakpoints: Mapping[str, Iterable[Breakpoint]] | None = None,
        filters: Sequence[str] = (),
        functions: Iterable[str | Message] = (),
        on_waiting: Callable[[str, int], None] | None = None,
        **config: Any,
    ) -> None:
        """``launch`` or ``attach`` in the order that the protocol asks for.

        ``on_waiting`` is called once the adapter waits for a debuggee, with its host and port.
        Raises RequestFailed where the adapter refuses.
        """
        if not hasattr(self, "capabilities"):
            self.initialize()
        self._start = {"request": command, "type": "graphdebug", "name": "test", **config}
        start = self.client.send(command, **self._start)
        if on_waiting is not None:
            place = self.client.wait_for_event("debugpyWaitingForServer")
            on_waiting(place["host"], place["port"])
        self.client.wait_until(
            lambda: bool(self.client.pending_events("initialized")) or start.response is not None,
            f"'initialized' or an answer to {command!r}",
        )
        if start.response is None:
            self.client.wait_for_event("initialized")
            for path, lines in (breakpoints or {}).items():
                self.set_breakpoints(path, lines)
            if functions:
                self.functions = self.set_function_breakpoints(functions)
            self.request("setExceptionBreakpoints", filters=list(filters))
            self.request("configurationDone")
        start.wait()

    def set_breakpoints(self, path: str, lines: Iterable[Breakpoint]) -> list[Message]:
        """Set the breakpoints of a file: lines, or ``SourceBreakpoint`` objects."""
        wanted = [{"line": item} if isinstance(item, int) else item for item in lines]
        source = {"path": path, "name": os.path.basename(path)}
        body = self.request("setBreakpoints", source=source, breakpoints=wanted)
        assert len(body["breakpoints"]) == len(wanted)
        self.breakpoints[path] = body["breakpoints"]
        return self.breakpoints[path]

    def set_function_breakpoints(self, functions: Iterable[str | Message]) -> list[Message]:
        """Set the function breakpoints: names, or ``FunctionBreakpoint`` objects."""
        wanted = [{"name": item} if isinstance(item, str) else item for item in functions]
        body = self.request("setFunctionBreakpoints", breakpoints=wanted)
        found: list[Message] = body.get("breakpoints", [])
        return found

    def join(self, configuration: Message) -> Session:
        """A session of its own for a child process that the adapter announced, not started yet."""
        place = configuration["connect"]
        # The port is debugpy's own with either adapter, and so are the habits at it.
        child = Session("debugpy", address=(place["host"], place["port"]))
        self._children.append(child)
        return child

    # What an editor asks

    def request(self, command: str, /, **arguments: Any) -> Message:
        """The body of the answer; RequestFailed if there was an error."""
        return self.client.request(command, **arguments)

    def send_raw(self, *parts: bytes) -> None:
        """Write bytes to the adapter as they are."""
        assert self.process is not None and self.process.process.stdin is not None
        for part in parts:
            self.process.process.stdin.write(part)
        self.process.process.stdin.flush()

    def wait_for_adapter(self, timeout: float = EXIT_TIMEOUT) -> int | None:
        """The exit code of the adapter, or None if it still runs after ``timeout`` seconds."""
        assert self.process is not None
        code = self.process.wait(timeout)
        if code is not None:
            self.client.wait_for_end(1.0)  # its last words are on their way
        return code

    def refused(self, command: str, /, **arguments: Any) -> str:
        """The message of the error that the request is answered with."""
        try:
            body = self.request(command, **arguments)
        except RequestFailed as error:
            return str(error)
        raise AssertionError(f"{command!r} was not refused but answered: {body}")

    def wait_for_stop(self, reason: str | None = None) -> Message:
        """The next ``stopped`` event; its thread is the one that later calls mean."""
        self._wait_for_stop_or_end()
        assert self.client.pending_events("stopped"), (
            f"the program ended without the stop; it wrote:\n{self.output('stderr')}"
        )
        body = self.client.wait_for_event("stopped")
        assert reason in (None, body["reason"]), f"stopped for {body['reason']!r}, not {reason!r}"
        self.thread = body["threadId"]
        return body

    def next_stop(self) -> Message | None:
        """The next ``stopped`` event, as ``wait_for_stop``; None where the program ends instead."""
        self._wait_for_stop_or_end()
        return self.wait_for_stop() if self.client.pending_events("stopped") else None

    def stops_again(self) -> bool:
        """Whether the program stops once more, or else ends; see ``wait_for_stop``."""
        return self.next_stop() is not None

    def stack(self, thread: int | None = None, **arguments: Any) -> list[Message]:
        """The frames of the stopped thread, innermost first."""
        body = self.request("stackTrace", threadId=thread or self.thread, **arguments)
        frames: list[Message] = body["stackFrames"]
        return frames

    def frame(self) -> Message:
        """The innermost frame of the stopped thread."""
        return self.stack(startFrame=0, levels=1)[0]

    def place(self) -> tuple[str, int]:
        """File name and line of the innermost frame."""
        frame = self.frame()
        return os.path.basename(frame["source"]["path"]), frame["line"]

    def scopes(self, frame: Message | None = None) -> dict[str, Message]:
        """The scopes of a frame, by name."""
        body = self.request("scopes", frameId=(frame or self.frame())["id"])
        return {scope["name"]: scope for scope in body["scopes"]}

    def variables(self, reference: int, **arguments: Any) -> dict[str, Message]:
        """The children of a reference, by name."""
        body = self.request("variables", variablesReference=reference, **arguments)
        return {variable["name"]: variable for variable in body["variables"]}

    def locals(self, frame: Message | None = None) -> dict[str, Message]:
        """The local variables of a frame, by name."""
        return self.variables(self.scopes(frame)["Locals"]["variablesReference"])

    def evaluate(self, expression: str, context: str = "repl", **arguments: Any) -> Message:
        """Evaluate in the innermost frame of the stopped thread."""
        if "frameId" not in arguments:
            arguments["frameId"] = self.frame()["id"]
        return self.request("evaluate", expression=expression, context=context, **arguments)

    def cont(self) -> None:
        """Let the program go on."""
        self.request("continue", threadId=self.thread)

    def step(self, command: str = "next", **arguments: Any) -> tuple[str, int]:
        """``next``, ``stepIn`` or ``stepOut``; returns where that stopped."""
        self.request(command, threadId=self.thread, **arguments)
        self.wait_for_stop("step")
        return self.place()

    # What the program says

    def output(self, category: str = "stdout") -> str:
        """What came in ``output`` events of that category so far."""
        return self.transcript.output(category)

    def wait_for_output(self, text: str, category: str = "stdout") -> None:
        """Wait until ``text`` has come."""
        self.client.wait_until(
            lambda: text in self.output(category), f"{text!r} in the {category} output"
        )

    def said(self) -> str:
        """What the adapter itself said, in the debug console or on stderr; never a traceback."""
        own = [
            body["output"]
            for body in self.transcript.events("output")
            if body.get("category") not in ("stdout", "stderr", "telemetry")
        ]
        text = "".join(own) + (self.process.errors() if self.process is not None else "")
        assert "Traceback" not in text
        return text

    def wait_for_word(self, word: str) -> str:
        """What the adapter said, once ``word`` is in it."""
        self.client.wait_until(lambda: word in self.said(), f"{word!r} from the adapter", 10)
        return self.said()

    def wait_for_exit(self) -> int:
        """The program's exit code; waits for ``exited`` and ``terminated``."""
        self.client.wait_for_event("terminated")
        code: int = self.client.wait_for_event("exited", timeout=0)["exitCode"]
        return code

    def terminal_output(self) -> str:
        """What programs wrote that the adapter had us run in a terminal."""
        return "".join(
            os.pread(output.fileno(), 1 << 20, 0).decode() for _, output in self._terminals
        )

    # How a session ends

    def close(self, check: bool = True) -> None:
        """End it as an editor does; with ``check``, AssertionError for what was wrong."""
        if self._closed:
            return
        self._closed = True
        for child in self._children:
            child.close(check)
        problems = [] if self._tolerant else list(self._end())
        self.client.close_input()
        code = self.process.wait() if self.process is not None else None
        hung_up = self.client.close(timeout=1.0)
        errors = self.process.errors() if self.process is not None else ""
        print(f"--- {self.adapter}\n{self.transcript}\n{errors}")  # pytest shows it on failure
        if self.process is not None:
            if code is None:
                problems.append("the adapter did not exit after its client was gone")
            elif not hung_up:
                problems.append("the adapter has exited, and something else holds its stdout")
            if self.adapter == "graphdebug" and "Traceback" in errors:
                problems.append(f"a traceback on stderr:\n{errors}")
            self.process.end()
        for terminal, output in self._terminals:
            try:
                terminal.wait(EXIT_TIMEOUT)
            except subprocess.TimeoutExpired:
                problems.append(f"still runs in a terminal: {terminal.args!r}")
                terminal.kill()
            output.close()
        problems += self.checker.violations
        if check and problems:
            raise AssertionError("\n".join(problems))

    def _end(self) -> Iterable[str]:
        if not (self.client.ended or self.transcript.requested("disconnect")):
            with contextlib.suppress(Disconnected, RequestFailed):
                try:
                    self.client.send("disconnect", terminateDebuggee=True).wait(timeout=10)
                except TimeoutError:
                    yield "disconnect was not answered"
        unanswered = self.checker.unanswered
        if unanswered and self.adapter == "graphdebug":
            yield f"never answered: {unanswered}"

    def _wait_for_stop_or_end(self) -> None:
        self.client.wait_until(
            lambda: bool(
                self.client.pending_events("stopped") or self.client.pending_events("terminated")
            ),
            "a stop, or the end of the program",
        )

    def _observe(self, direction: Direction, message: Message) -> None:
        self.transcript.record(direction, message)
        if direction == "sent":
            self.checker.sent(message)
        else:
            self.checker.received(message)

    def _on_request(self, command: str, arguments: Message) -> Message:
        """Do what an editor does with ``runInTerminal``: really run it."""
        if command != "runInTerminal":
            raise NotImplementedError(f"{command!r} is not supported by this client")
        output = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close)
        env = {**os.environ, **self._environment, **arguments.get("env", {})}
        terminal = subprocess.Popen(
            arguments["args"],
            cwd=arguments.get("cwd") or None,
            env={key: value for key, value in env.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        self._terminals.append((terminal, output))
        return {"processId": terminal.pid}
