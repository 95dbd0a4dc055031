"""What a cell did, as HTML and as text: steps, nodes with their shapes, alerts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from graphdebug.protocol import runtime as messages
from graphdebug.protocol.model import Alert, Node, Step, Tensor
from graphdebug.runtime.recorder import StepRun

STEPS_SHOWN = 20
NODES_SHOWN = 200

_STYLE = (
    "<style>.graphdebug{font-family:var(--jp-code-font-family,monospace);font-size:12px}"
    ".graphdebug table{border-collapse:collapse;margin:.3em 0 .6em}"
    ".graphdebug th,.graphdebug td{text-align:left;padding:1px 10px 1px 0;white-space:pre}"
    ".graphdebug .number{text-align:right}.graphdebug summary{cursor:pointer}"
    ".graphdebug .alert{color:var(--jp-error-color1,#b00020)}</style>"
)


class Summary:
    """Collects what the runtime records, and shows it."""

    def __init__(self) -> None:
        self._graphs: dict[int, tuple[Node, ...]] = {}
        self._runs: list[StepRun] = []
        self._steps: list[tuple[Step, int | None]] = []
        self._alerts: list[Alert] = []

    def add(self, event: object) -> None:
        """Something was recorded."""
        if isinstance(event, messages.GraphEvent):
            known = () if event.first else self._graphs.get(event.graph, ())
            self._graphs[event.graph] = known + event.nodes
        elif isinstance(event, StepRun):
            self._runs.append(event)
        elif isinstance(event, messages.AlertEvent):
            self._alerts.append(event.alert)

    def bundle(self) -> dict[str, str]:
        """As a display's data, by MIME type; nothing is added any more."""
        told = [event for run in self._runs for event in run().each()]
        self._steps = [(event.step, event.graph) for event in told]
        return {"text/html": self.html(), "text/plain": self.text()}

    def text(self) -> str:
        """In plain text."""
        lines = [self._title()]
        for step, _ in self._steps[:STEPS_SHOWN]:
            lines.append("  " + "  ".join(_facts(step)))
        lines += self._left_out()
        for step, nodes in self._shown():
            lines.append(f"nodes of step {step.index}, {step.name}:")
            lines += ["  " + "  ".join(_columns(node)) for node in nodes[:NODES_SHOWN]]
            lines += _more(nodes)
        lines += [f"{alert.kind}: {alert.message}" for alert in self._alerts]
        return "\n".join(lines)

    def html(self) -> str:
        """As HTML that needs no script, and stands in any page."""
        parts = [f"<p><b>{escape(self._title())}</b></p>"]
        for alert in self._alerts:
            parts.append(f'<p class="alert">{escape(alert.kind)}: {escape(alert.message)}</p>')
        if self._steps:
            head = ("step", "", "line", "time", "nodes", "devices")
            parts.append(_table(head, (_facts(step) for step, _ in self._steps[:STEPS_SHOWN])))
        parts += [f"<p>{escape(line)}</p>" for line in self._left_out()]
        for step, nodes in self._shown():
            title = f"{len(nodes)} nodes of step {step.index}, {step.name}"
            head = ("node", "line", "phase", "inputs", "outputs", "device")
            table = _table(head, (_columns(node) for node in nodes[:NODES_SHOWN]))
            more = "".join(f"<p>{escape(line)}</p>" for line in _more(nodes))
            parts.append(f"<details><summary>{escape(title)}</summary>{table}{more}</details>")
        return f'{_STYLE}<div class="graphdebug">{"".join(parts)}</div>'

    def _title(self) -> str:
        steps, alerts = len(self._steps), len(self._alerts)
        if not steps:
            return "graphdebug: no step of PyTorch or TensorFlow in this cell"
        told = f", {_count(alerts, 'alert')}" if alerts else ""
        return f"graphdebug: {_count(steps, 'step')}{told}"

    def _left_out(self) -> list[str]:
        left = len(self._steps) - STEPS_SHOWN
        return [f"and {_count(left, 'step')} more"] if left > 0 else []

    def _shown(self) -> list[tuple[Step, tuple[Node, ...]]]:
        """The last step of each distinct graph, with its nodes."""
        newest = {graph: step for step, graph in self._steps if graph is not None}
        return [(step, self._graphs.get(graph, ())) for graph, step in newest.items()]


def _facts(step: Step) -> Sequence[str]:
    nodes = step.forward_nodes + step.backward_nodes
    line = f"line {step.source.line}" if step.source else ""
    time = f"{step.duration_ns / 1e6:,.2f} ms"
    return str(step.index), step.name, line, time, f"{nodes:,} nodes", " ".join(step.devices)


def _columns(node: Node) -> Sequence[str]:
    line = f"line {node.source.line}" if node.source else ""
    iteration = f" [{node.iteration}]" if node.iteration else ""
    return (
        f"{node.name}{iteration}", line, node.phase, _tensors(node.inputs),
        _tensors(node.outputs), node.device,
    )  # fmt: skip


def _tensors(tensors: Iterable[Tensor]) -> str:
    return ", ".join(
        f"{item.dtype} ({', '.join('?' if size < 0 else str(size) for size in item.shape)})"
        for item in tensors
    )


def _more(nodes: Sequence[Node]) -> list[str]:
    left = len(nodes) - NODES_SHOWN
    return [f"and {_count(left, 'node')} more"] if left > 0 else []


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{row(head, 'th')}{''.join(row(cells, 'td') for cells in rows)}</table>"
