"""The keys of ``graphdebug attach``: they lead a debug session, which begins with the first of them."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any

from graphdebug.commands.errors import CommandError
from graphdebug.commands.finding import Target
from graphdebug.transport.dap import Client, Disconnected, RequestFailed

NAN = "graphdebug.nan"

LEAVE_SECONDS = 5.0
"""How long a farewell may take; the hub lets the job go without one, too."""


class Control:
    """Pauses the job, lets it go on, and has it stop where a NaN comes about.

    Without a key pressed the job isn't debugged, and so not slowed down. What ``lines`` say is for the
    user. Nothing here raises.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._client: Client | None = None
        self._nan = False
        self._said: list[str] = []
        self._stopped: set[int] = set()
        """Threads; debugpy never answers where one that runs is to continue."""

    @property
    def lines(self) -> list[str]:
        """What happened, and where the stopped threads stand."""
        self._look()
        return [*self._said, *(["stops where a NaN or an Inf comes about"] if self._nan else [])]

    def _look(self) -> None:
        """Take what has stopped since."""
        if self._client is not None:
            for stop in self._client.pending_events("stopped"):
                self._client.wait_for_event("stopped", timeout=0)
                self._stopped.add(stop["threadId"])
                self._said = [self._place(stop)]

    def press(self, key: str) -> None:
        """A key was pressed; those that mean nothing do nothing."""
        action = {"p": self._pause, "c": self._continue, "n": self._break_on_nan}.get(key)
        if action is None:
            return
        try:
            if self._client is None:
                self._client = self._begin()
            action(self._client)
        except (CommandError, RequestFailed) as error:
            self._said = [str(error)]
        except (Disconnected, TimeoutError) as error:
            self._said = [f"the debug session is over: {error}"]
            self.close()

    def close(self) -> None:
        """Leave the job to itself."""
        client, self._client = self._client, None
        self._stopped.clear()
        if client is not None:
            with contextlib.suppress(RequestFailed, Disconnected, TimeoutError):
                client.send("disconnect", terminateDebuggee=False).wait(timeout=LEAVE_SECONDS)
            client.close()

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

    def _pause(self, client: Client) -> None:
        for thread in self._threads(client):
            client.request("pause", threadId=thread["id"])
        self._said = ["pausing ..."]

    def _continue(self, client: Client) -> None:
        self._look()
        for thread in self._stopped:
            with contextlib.suppress(RequestFailed):
                client.request("continue", threadId=thread)
        self._stopped.clear()
        self._said = []

    def _break_on_nan(self, client: Client) -> None:
        client.request("setExceptionBreakpoints", filters=[] if self._nan else [NAN])
        self._nan = not self._nan

    def _threads(self, client: Client) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.request("threads")["threads"]
        return found

    def _place(self, stop: dict[str, Any]) -> str:
        assert self._client is not None
        try:
            frame = self._client.request("stackTrace", threadId=stop["threadId"], levels=1)[
                "stackFrames"
            ][0]
            path = os.path.basename((frame.get("source") or {}).get("path") or "")
            where = f"{path}:{frame['line']} in {frame['name']}"
        except (RequestFailed, Disconnected, TimeoutError, LookupError):
            where = "a place that isn't known"
        why = stop.get("text") or stop.get("description") or stop["reason"]
        return f"stopped at {where}: {why}"
