"""``graphdebug adapter``: the debug adapter, on stdio or on a port."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
from typing import TYPE_CHECKING, Any

from graphdebug.adapter.serving import serve
from graphdebug.commands.errors import CommandError
from graphdebug.transport.connections import StdioConnection, StreamConnection, complain

if TYPE_CHECKING:
    from graphdebug.adapter.message_log import MessageLog

ENDPOINTS = "DEBUGPY_ADAPTER_ENDPOINTS"
LOG_DIR = "DEBUGPY_LOG_DIR"


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "adapter",
        help="speak the Debug Adapter Protocol on stdio, or on a port",
        description="The debug adapter: debugpy's, with graphdebug's parts on top.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=_port, help="port to listen on; stdio without it")
    parser.add_argument("--log-dir", help="directory for logs: ours and debugpy's")
    parser.add_argument("--log-stderr", action="store_true", help="let debugpy log to stderr")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run it."""
    options = [
        *(["--log-dir", arguments.log_dir] if arguments.log_dir else []),
        *(["--log-stderr"] if arguments.log_stderr else []),
    ]
    log = _log(arguments.log_dir)
    if arguments.port is None:
        return asyncio.run(_on_stdio(options, log))
    return asyncio.run(_on_port(arguments.host, arguments.port, options, log))


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port: 0 to 65535 is expected")
    return number


def _log(option: str | None) -> MessageLog | None:
    """The log that the option asks for, or the variable that debugpy too takes it from."""
    directory = option or os.environ.get(LOG_DIR)
    if not directory:
        return None
    from graphdebug.adapter.message_log import MessageLog

    try:
        return MessageLog(directory)
    except OSError as error:
        raise CommandError(
            f'can\'t write logs to "{directory}": {error.strerror}',
            f"name another directory with {'--log-dir' if option else LOG_DIR}",
        ) from None


async def _on_stdio(options: list[str], log: MessageLog | None) -> int:
    client = StdioConnection()
    client.log = None if log is None else log.session()
    main = asyncio.current_task()
    assert main is not None
    with contextlib.suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main.cancel)
    try:
        code = await serve(client, options, leave_endpoints=True)
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM
    if code:
        complain("the client sent what isn't the Debug Adapter Protocol")
    return code


async def _on_port(host: str, port: int, options: list[str], log: MessageLog | None) -> int:
    """Serve clients side by side until none is left, as debugpy's adapter does, or told to end."""
    stop = asyncio.Event()
    clients = 0

    async def client_came(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal clients
        client = StreamConnection(reader, writer)
        client.log = None if log is None else log.session()
        clients += 1
        try:
            await serve(client, options, leave_endpoints=False)
        finally:
            clients -= 1
            if client.heard and not clients:
                stop.set()

    try:
        server = await asyncio.start_server(client_came, host, port)
    except OSError as error:
        raise CommandError(
            f"can't listen on {host}:{port}: {error.strerror or error}",
            "choose another --port, or --port 0 for any that is free",
        ) from None
    endpoint = server.sockets[0].getsockname()
    file = os.environ.get(ENDPOINTS)
    if file:
        with open(file, "w") as output:
            json.dump({"client": {"host": endpoint[0], "port": endpoint[1]}}, output)
    with contextlib.suppress(NotImplementedError):
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        async with server:
            await stop.wait()
    finally:
        if file:
            with contextlib.suppress(OSError):
                os.remove(file)
    return 0
