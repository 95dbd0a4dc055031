"""The server's process: it ends with its client, and leaves nothing behind, however that goes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psutil
import pytest
from support.lsp import SERVER
from support.processes import wait_until

from graphdebug.transport.framing import Message, Parser, encode

TEXT = "import tensorflow as tf\n@tf.function\ndef f(x):\n    return x\n"


@pytest.mark.parametrize("way", ["killed", "hung up", "told"])
def test_nothing_is_left_of_it(way: str, tmp_path: Path) -> None:
    with subprocess.Popen(
        SERVER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as server:
        assert server.stdin is not None
        say(server, "initialize", 1, processId=None, rootUri=None, capabilities={})
        say(server, "initialized")
        document = {"uri": (tmp_path / "x.py").as_uri(), "languageId": "python", "version": 1}
        say(server, "textDocument/didOpen", textDocument={**document, "text": TEXT})
        assert hear(server, "textDocument/publishDiagnostics")["params"]["diagnostics"]
        children = psutil.Process(server.pid).children()
        assert children  # the one that analyses
        if way == "killed":
            server.kill()
        elif way == "hung up":
            server.stdin.close()
        else:
            say(server, "shutdown", 2)
            say(server, "exit")
        code = server.wait(10)
        assert server.stderr is not None and server.stderr.read() == b""
    assert code == {"killed": -9, "hung up": 0, "told": 0}[way]
    wait_until(lambda: not any(child.is_running() for child in children), "its children to end")


def say(server: subprocess.Popen[bytes], method: str, number: int = 0, **params: object) -> None:
    message: Message = {"jsonrpc": "2.0", "method": method}
    if number:
        message["id"] = number
    if params or not number:
        message["params"] = params
    assert server.stdin is not None
    server.stdin.write(encode(message))
    server.stdin.flush()


def hear(server: subprocess.Popen[bytes], method: str) -> Message:
    """The next such notification."""
    assert server.stdout is not None
    parser = Parser()
    while data := server.stdout.read1():  # type: ignore[attr-defined]
        # pygls says the charset too, in a header of its own.
        parser.feed(data)
        while (message := parser.next()) is not None:
            if message.get("method") == method:
                return message
    raise AssertionError("it closed its output")
