"""The process that analyses texts: ``python -m graphdebug.language_server.analyser``.

A process of its own, since a parse holds Python's lock for longer than an editor should wait, and
since a text can be such that Python's parser dies of it. It reads ``{path, text}`` messages on stdin
and answers each with the findings on stdout, until stdin ends.
"""

from __future__ import annotations

import os

from graphdebug.analysis import analyse
from graphdebug.language_server.findings import Findings
from graphdebug.protocol.wire import to_wire
from graphdebug.transport.framing import Parser, encode

CHUNK = 65536


def findings(text: str, path: str) -> Findings:
    """What the analysis of ``text`` finds; never raises."""
    analysis = analyse(text, path)
    return Findings(analysis.blocks, analysis.functions, analysis.error)


def main() -> None:
    """Until stdin ends."""
    parser = Parser()
    while data := os.read(0, CHUNK):
        parser.feed(data)
        while (message := parser.next()) is not None:
            answer = memoryview(encode(to_wire(findings(message["text"], message["path"]))))
            while answer:
                answer = answer[os.write(1, answer) :]


if __name__ == "__main__":
    main()
