"""The keys of ``graphdebug attach``: they lead a debug session, which begins with the first of them."""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import threading
from typing import Any

from graphdebug.commands.errors import CommandError
from graphdebug.commands.finding import Target
from graphdebug.transport.dap import Client, Disconnected, RequestFailed

NAN = "graphdebug.nan"

KEYS = "pcn"

LOOK_SECONDS = 0.1
"""How often stops are taken note of."""

LEAVE_SECONDS = 5.0
"""How long a farewell may take; the hub lets the job go without one, too."""


class Control:
    """Pauses the job, lets it go on, and has it stop where a NaN comes about.

    Without a key pressed the job isn't debugged, and so not slowed down. The session is led on a thread
    of its own, so that the picture goes on whatever the job does; ``lines`` are for the user.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._keys: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._client: Client | None = None
        self._said = ""
        self._nan = False
        self._pausing = False
        self._stops: dict[int, str] = {}

    @property
    def lines(self) -> list[str]:
        """What happens, and where the stopped threads stand."""
        said = [self._said, *self._stops.values()]
        return [*filter(None, said), *(["stops where a NaN or an Inf comes about"] * self._nan)]

    def press(self, key: str) -> None:
        """A key was pressed; those that mean nothing do nothing."""
        if key not in KEYS:
            return
        self._keys.put(key)
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._lead, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Leave the job to itself."""
        if self._thread is not None:
            self._keys.put("")
            self._thread.join(LEAVE_SECONDS)
        if self._client is not None:
            self._client.close()

    def _lead(self) -> None:
        self._said = "the debugger is on its way into the job ..."
        try:
            self._client = client = self._begin()
            self._said = ""
            while (key := self._next(client)) != "":
                try:
                    self._act(client, key)
                except RequestFailed as error:
                    self._said = str(error)
            with contextlib.suppress(RequestFailed):
                client.send("disconnect", terminateDebuggee=False).wait(timeout=LEAVE_SECONDS)
        except (CommandError, RequestFailed) as error:
            self._said = str(error)
        except (Disconnected, TimeoutError, OSError) as error:
            self._said = f"the debug session is over: {error}"
        finally:
            client_, self._client = self._client, None
            self._nan, self._pausing, self._stops = False, False, {}
            if client_ is not None:
                client_.close()

    def _next(self, client: Client) -> str:
        """The next key; until then stops are taken note of. Raises Disconnected."""
        while True:
            with contextlib.suppress(queue.Empty):
                return self._keys.get(timeout=LOOK_SECONDS)
            for event in client.take_events():
                if event.get("event") == "stopped":
                    self._stopped(client, event["body"])
            if client.ended:
                raise Disconnected("the hub has closed it")

    def _begin(self) -> Client:
        link = self._target.debug()

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()

        client = Client(link.makefile("rb"), link.makefile("wb"), hang_up=hang_up)
        client.request("initialize", adapterID="graphdebug", pathFormat="path")
        attach = client.send("attach")
        client.wait_until(
            lambda: bool(client.pending_events("initialized")) or attach.response is not None,
            "the job to be debugged",
        )
        if attach.response is None:
            client.request("setExceptionBreakpoints", filters=[])
            client.request("configurationDone")
        attach.wait()
        return client

    def _act(self, client: Client, key: str) -> None:
        if key == "n":
            client.request("setExceptionBreakpoints", filters=[] if self._nan else [NAN])
            self._nan = not self._nan
        elif key == "p" and not self._pausing:
            self._pausing = True
            if not self._stops:
                self._said = "pausing: threads stop once they run Python ..."
            client.request("pause", threadId=self._threads(client)[0]["id"])
        elif key == "c":
            self._pausing, self._said = False, ""
            self._go_on(client, *self._stops)
            self._stops = {}

    def _go_on(self, client: Client, *threads: int) -> None:
        """Let all go on; nothing waits for the answer, which may be late."""
        for thread in threads[:1]:
            client.send("continue", threadId=thread)

    def _threads(self, client: Client) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.request("threads")["threads"]
        return found

    def _stopped(self, client: Client, stop: dict[str, Any]) -> None:
        """One that was to pause, and came to it only after the others were let go on, goes on, too."""
        if stop["reason"] == "pause" and not self._pausing:
            return self._go_on(client, stop["threadId"])
        self._said = ""
        self._stops = {**self._stops, stop["threadId"]: self._place(client, stop)}
        return None

    def _place(self, client: Client, stop: dict[str, Any]) -> str:
        try:
            frame = client.request("stackTrace", threadId=stop["threadId"], levels=1)[
                "stackFrames"
            ][0]
            path = os.path.basename((frame.get("source") or {}).get("path") or "")
            where = f"{path}:{frame['line']} in {frame['name']}"
        except (RequestFailed, LookupError):
            where = "a place that isn't known"
        why = stop.get("text") or stop.get("description") or stop["reason"]
        return f"stopped at {where}: {why}"
