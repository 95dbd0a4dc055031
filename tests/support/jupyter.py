"""A real Jupyter server for tests, and its kernels as a notebook speaks to them."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import websocket

from support import npm
from support.npm import ROOT
from support.processes import wait_until

LAB = ROOT / "extension" / "jupyterlab"
WAIT = 60.0
"""Seconds that anything may take: a first import of TensorFlow on a busy machine."""

Json = Any


def build() -> None:
    """JupyterLab's extension and a browser, where they are missing: a minute once, then seconds."""
    npm.browser()
    npm.install(npm.SHARED, LAB)
    with npm.one_at_a_time("labextension"):
        environment = {**os.environ, "PYTHON": sys.executable}
        command = [ROOT / "scripts" / "labextension"]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


class Server:
    """``jupyter lab`` with graphdebug's extension as an installation has it, in directories of its own."""

    def __init__(self, root: Path, environment: dict[str, str], *options: str) -> None:
        self.root = root
        self.notebooks = root / "notebooks"
        self.token = secrets.token_hex(16)
        self.environment = {**os.environ, **environment, **_directories(root)}
        self.notebooks.mkdir(parents=True)
        settings = root / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        notifications = {"fetchNews": "false", "checkForUpdates": False}
        (settings / "notification.jupyterlab-settings").write_text(json.dumps(notifications))
        enabled = root / "config" / "jupyter_server_config.d"
        enabled.mkdir()
        (enabled / "graphdebug.json").write_bytes((LAB / "jupyter_server_config.json").read_bytes())
        built = ROOT / "graphdebug" / "jupyter" / "labextension"
        labextensions = root / "data" / "labextensions" / "@graphdebug"
        labextensions.mkdir(parents=True)
        (labextensions / "jupyterlab").symlink_to(built)
        self._log = (root / "server.log").open("wb")
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
                "--port=0", f"--IdentityProvider.token={self.token}",
                f"--ServerApp.root_dir={self.notebooks}", "--LabApp.news_url=None",
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
                "--LabApp.extension_manager=readonly", "--LabApp.expose_app_in_browser=True",
                *options,
            ],
            env=self.environment, stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.url = self._url()

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return (self.root / "server.log").read_text()

    def _url(self) -> str:
        found: list[str] = []

        def answers() -> bool:
            assert self._process.poll() is None, self.log
            for file in (self.root / "run").glob("jpserver-*.json"):
                with contextlib.suppress(json.JSONDecodeError):  # it is being written
                    found[:] = [json.loads(file.read_text())["url"].rstrip("/")]
            return bool(found) and self._answers(found[0])

        wait_until(answers, "the server to answer", WAIT)
        return found[0]

    def _answers(self, url: str) -> bool:
        try:
            return bool(self._request(url + "/api/status", "GET", None, self.token))
        except (OSError, urllib.error.HTTPError):
            return False

    def get(self, path: str) -> Json:
        """A JSON answer."""
        return self._request(self.url + path, "GET", None, self.token)

    def send(self, method: str, path: str, body: Json = None) -> Json:
        """The same, for a request with a body."""
        return self._request(self.url + path, method, body, self.token)

    def _request(self, url: str, method: str, body: Json, token: str | None) -> Json:
        request = urllib.request.Request(url, method=method)
        if token is not None:
            request.add_header("Authorization", f"token {token}")
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(request, data, timeout=WAIT) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def refusal(self, method: str, path: str, token: str | None, body: Json = None) -> int:
        """The status of a request that isn't answered."""
        try:
            answer = self._request(self.url + path, method, body, token)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        raise AssertionError(f"{method} {path} was answered: {answer}")

    def kernel(self, **body: Json) -> Kernel:
        """A new one."""
        started = self.send("POST", "/api/kernels", {"name": "python3", **body})
        return Kernel(self, started["id"])

    def close(self) -> None:
        """End it, and its kernels."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._log.close()


def _directories(root: Path) -> dict[str, str]:
    config = root / "config"
    return {
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_DATA_DIR": str(root / "data"),
        "JUPYTER_RUNTIME_DIR": str(root / "run"),
        "JUPYTERLAB_SETTINGS_DIR": str(config / "lab" / "user-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(config / "lab" / "workspaces"),
        "IPYTHONDIR": str(root / "ipython"),
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_ENABLE_ONEDNN_OPTS": "0",
    }


class _Socket:
    """A websocket, read by a thread of its own."""

    def __init__(self, url: str, token: str | None) -> None:
        header = [] if token is None else [f"Authorization: token {token}"]
        self._socket = websocket.create_connection(
            url.replace("http", "ws", 1), header=header, timeout=WAIT
        )
        self._socket.settimeout(None)
        self.messages: list[Json] = []
        self._new = threading.Condition()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        try:
            while text := self._socket.recv():
                with self._new:
                    self.messages.append(json.loads(text))
                    self._new.notify_all()
        except (OSError, websocket.WebSocketException):
            pass  # it is closed

    def send(self, message: Json) -> None:
        """Send it."""
        self._socket.send(json.dumps(message))

    def wait(self, wanted: Callable[[Json], bool], what: str, since: int = 0) -> Json:
        """The first message of that kind, from number ``since`` on, come or to come."""

        def found() -> Json:
            return next((item for item in self.messages[since:] if wanted(item)), None)

        with self._new:
            if not self._new.wait_for(lambda: found() is not None, WAIT):
                last = [json.dumps(item)[:200] for item in self.messages[since:]]
                raise TimeoutError(f"waited for {what}; came: " + "\n".join(last))
            return found()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
        self._thread.join()


class Events(_Socket):
    """The websocket of a kernel's events, as the sidebar hears them."""

    def of(self, event: str) -> list[Json]:
        """The bodies of all that came of one kind."""
        return [item["body"] for item in self.messages if item["event"] == event]

    def next(self, event: str, since: int = 0) -> Json:
        """The body of the first one of that kind, come or to come."""
        return self.wait(lambda item: item["event"] == event, event, since)["body"]

    def step_after(self, index: int) -> Json:
        """The first step that was told of beyond that one, told or to be told."""
        found = self.wait(
            lambda item: item["event"] == "graphdebugStep"
            and item["body"]["step"]["index"] > index,
            f"a step after {index}",
        )  # fmt: skip
        return found["body"]["step"]


class Kernel:
    """One of a server's, over the websocket that JupyterLab uses, too."""

    def __init__(self, server: Server, id: str) -> None:
        self.server, self.id = server, id
        self.path = f"/graphdebug/kernels/{id}"
        self._seq = 0
        self._connect()

    def _connect(self) -> None:
        url = f"{self.server.url}/api/kernels/{self.id}/channels?session_id={uuid.uuid4().hex}"
        self._socket = _Socket(url, self.server.token)

    def events(self) -> Events:
        """A new websocket of its events."""
        return Events(f"{self.server.url}{self.path}/events", self.server.token)

    def get(self, noun: str) -> Json:
        """A record."""
        return self.server.get(f"{self.path}/{noun}")

    def steps(self, count: int) -> list[Json]:
        """All steps, of which there are so many once what was sent has come."""
        wait_until(
            lambda: self.get("steps?begin=0&end=0")["total"] >= count, f"{count} steps", WAIT
        )
        found: list[Json] = self.get("steps")["steps"]
        assert len(found) == count, found
        return found

    def steps_end(self, losses: list[float]) -> None:
        """Wait until the last steps are those that had these losses."""

        def came() -> bool:
            last = self.get("steps")["steps"][-len(losses) :]
            found = [step.get("loss") for step in last]
            return all(
                one is not None and abs(one - other) < 1e-6
                for one, other in zip(found, losses, strict=True)
            )

        wait_until(came, f"steps with the losses {losses}", WAIT)

    def begin(self, code: str) -> str:
        """Start a cell; names it."""
        content = {
            "code": code, "silent": False, "store_history": True, "user_expressions": {},
            "allow_stdin": False, "stop_on_error": True,
        }  # fmt: skip
        return self._send("shell", "execute_request", content)

    def wait_for_output(self, cell: str) -> None:
        """Wait until a cell has printed something."""
        self._wait(cell, "stream")

    def end(self, cell: str) -> list[Json]:
        """Wait until a cell is over; its outputs."""
        reply = self._wait(cell, "execute_reply")
        self._wait(cell, "status", lambda content: content["execution_state"] == "idle")
        outputs = [
            {"type": item["msg_type"], **item["content"]}
            for item in self._of(cell)
            if item["msg_type"] in ("stream", "error", "execute_result", "display_data")
        ]
        return [{**item, "status": reply["content"]["status"]} for item in outputs]

    def run(self, code: str) -> list[Json]:
        """Run a cell; its outputs."""
        return self.end(self.begin(code))

    def debug(self, command: str, **arguments: Json) -> Json:
        """A request to the debugger in the kernel; the body of its answer."""
        self._seq += 1
        content = {"type": "request", "seq": self._seq, "command": command, "arguments": arguments}
        request = self._send("control", "debug_request", content)
        answer = self._wait(request, "debug_reply")["content"]
        assert answer.get("success", True), answer
        return answer.get("body") or {}

    def attach_debugger(self) -> None:
        """As JupyterLab does where its debugger is turned on."""
        self.debug("initialize", clientID="test", adapterID="", linesStartAt1=True)
        self.debug("attach")

    def stopped(self, since: int) -> Json:
        """The body of the next ``stopped``."""
        found = self._socket.wait(
            lambda item: item["msg_type"] == "debug_event"
            and item["content"]["event"] == "stopped",
            "a stop", since,
        )  # fmt: skip
        return found["content"]["body"]

    @property
    def seen(self) -> int:
        """How many messages came so far."""
        return len(self._socket.messages)

    def restart(self) -> None:
        """As from the notebook's menu."""
        self.server.send("POST", f"/api/kernels/{self.id}/restart")

    def interrupt(self) -> None:
        """The same."""
        self.server.send("POST", f"/api/kernels/{self.id}/interrupt")

    def shut_down(self) -> None:
        """The same."""
        self.server.send("DELETE", f"/api/kernels/{self.id}")
        self.hang_up()

    def hang_up(self) -> None:
        """Close the websocket."""
        self._socket.close()

    def _send(self, channel: str, kind: str, content: Json) -> str:
        id = uuid.uuid4().hex
        header = {"msg_id": id, "msg_type": kind, "username": "", "session": "test", "version": "5.4",
                  "date": ""}  # fmt: skip
        self._socket.send(
            {"header": header, "parent_header": {}, "metadata": {}, "content": content,
             "channel": channel, "buffers": []}
        )  # fmt: skip
        return id

    def _wait(
        self, request: str, kind: str, wanted: Callable[[Json], bool] = lambda content: True
    ) -> Json:
        return self._socket.wait(
            lambda item: item["parent_header"].get("msg_id") == request
            and item["msg_type"] == kind and wanted(item["content"]),
            kind,
        )  # fmt: skip

    def _of(self, request: str) -> list[Json]:
        return [item for item in list(self._socket.messages)
                if item["parent_header"].get("msg_id") == request]  # fmt: skip
