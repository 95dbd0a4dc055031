"""Hover: what a breakpoint on the line does, and the nodes that the line made, live."""

from __future__ import annotations

from collections.abc import Iterator

from lsprotocol import types

from graphdebug.language_server import descriptions
from graphdebug.language_server.documents import Document
from graphdebug.language_server.live import LiveLines
from graphdebug.language_server.record import LineRecord
from graphdebug.language_server.server import Server
from graphdebug.protocol.model import Node

ROWS = 16
"""Different nodes of a line that are listed; of more, their number."""


def register(server: Server) -> None:
    """Add the feature."""

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(params: types.HoverParams) -> types.Hover | None:
        document = server.documents.get(params.text_document.uri)
        line = params.position.line + 1
        if document is None or line > len(document.text.lines):
            return None
        live = server.live.lines(document)
        parts = [*_bindings(document, line), *_live(live, line)]
        if not parts:
            return None
        if server.live.unknown(document):
            parts.append("_The file was changed since the program read it: no values are shown._")
        text = "\n\n".join(parts)
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text))


def table(record: LineRecord, running: bool) -> str:
    """The nodes of a line in its last step, as Markdown; what ran often once, as it ran last."""
    rows = ["| node | phase | made | device | time |", "|---|---|---|---|---|"]
    times: dict[tuple[str, str, str], list[Node]] = {}
    for node in record.nodes:
        times.setdefault((node.name, node.op_type, node.phase), []).append(node)
    rows += [_row(ran[-1], len(ran)) for ran in list(times.values())[:ROWS]]
    if len(times) > ROWS:
        rows.append(f"| and {len(times) - ROWS} more | | | | |")
    ended = "" if running else ", in a run that has ended"
    return "\n".join([f"{descriptions.step(record.step)}{ended}", "", *rows])


def _bindings(document: Document, line: int) -> Iterator[str]:
    then = document.then(line)
    if then is not None:
        for block in document.findings.at(then):
            yield f"**breakpoint** {block.kind}: {_escaped(block.reason)}"


def _live(live: LiveLines | None, line: int) -> Iterator[str]:
    if live is None:
        return
    record = live.lines.get(line)
    if record is not None:
        yield table(record, live.observed.running)
        if len(record.changes) > 1:
            yield "\n".join(
                f"- from step {change.step}: {_escaped(change.made) or 'nothing'}"
                for change in record.changes
            )
    for step in live.steps.get(line, ()):
        if record is None or step.index != record.step.index:
            yield descriptions.step(step)
    for alert in live.alerts.get(line, ()):
        place = "" if alert.step is None else f" (step {alert.step})"
        yield f"**{alert.kind}**{place}: {_escaped(alert.message)}"


def _row(node: Node, times: int) -> str:
    name = node.name if node.name == node.op_type else f"{node.name} ({node.op_type})"
    name += f" × {times}" if times > 1 else ""
    cells = (
        name,
        node.phase,
        descriptions.tensors(node.outputs),
        node.device,
        descriptions.duration(node.duration_ns),
    )
    return f"| {' | '.join(_escaped(cell) for cell in cells)} |"


def _escaped(text: str) -> str:
    """As Markdown, also within a table."""
    for char in "\\|*_`<[":
        text = text.replace(char, f"\\{char}")
    return " ".join(text.split())
