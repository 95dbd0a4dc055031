"""Where breakpoints do less than stop each time: diagnostics, code actions, hovers, no program run."""

from __future__ import annotations

import asyncio
import json
import textwrap
import time
from typing import Any

import pytest
from lsprotocol import types
from support.lsp import Editor, editor, everything
from support.markers import line, program
from support.sandbox import Sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")

TENSORFLOW = program("bindings_tensorflow.py")
COMPILED = textwrap.dedent(
    '''
    import tensorflow as tf

    @tf.function
    def train_step(x):
        """What it does."""
        x = x + 1

        # a comment
        return x * 2
    '''
)


def insert(line: int, character: int, text: str) -> types.TextDocumentContentChangePartial:
    place = types.Position(line, character)
    return types.TextDocumentContentChangePartial(types.Range(place, place), text)


def spots(found: list[types.Diagnostic]) -> list[str]:
    return [str(item.range) for item in found]


async def test_each_function_is_marked_once_at_its_name(shared: Editor) -> None:
    uri = shared.open(TENSORFLOW)
    found = await shared.diagnostics(uri)
    text = shared.texts[uri].split("\n")
    marked = [
        text[item.range.start.line][item.range.start.character : item.range.end.character]
        for item in found
    ]
    assert marked == ["both", "converted", "unconverted", "loop"][: len(marked)]
    assert {"converted", "unconverted"} <= set(marked)
    assert {item.severity for item in found} == {types.DiagnosticSeverity.Information}
    (converted,) = [item for item, name in zip(found, marked, strict=True) if name == "converted"]
    at = line(TENSORFLOW, "converted")
    assert converted.message.startswith(
        f"Breakpoints on lines {at}-{at + 1} are bound to the boundary: part of the graph that "
        "tf.function"
    )
    shared.close(uri)
    await shared.until(lambda: not shared.published[-1].diagnostics, "none after it was closed")


async def test_unsaved_text_counts_not_the_disk(shared: Editor) -> None:
    uri = shared.open(shared.folder / "never_saved.py", COMPILED)
    (found,) = await shared.diagnostics(uri)
    assert "on lines 7-10 " in found.message
    version = shared.change(uri, insert(0, 0, "\n\n"))
    (moved,) = await shared.diagnostics(uri, version)
    assert "on lines 9-12 " in moved.message
    assert moved.range.start.line == found.range.start.line + 2
    version = shared.change(uri, types.TextDocumentContentChangeWholeDocument("x = 1\n"))
    assert await shared.diagnostics(uri, version) == []


async def test_a_syntax_error_costs_nothing_that_was_known(shared: Editor) -> None:
    uri = shared.open(shared.folder / "typing.py", COMPILED)
    (before,) = await shared.diagnostics(uri)
    version = shared.change(uri, insert(0, 0, "broken = (\n'''"))
    (after,) = await shared.diagnostics(uri, version)
    assert after.range.start.line == before.range.start.line + 1
    assert "on lines 8-11 " in after.message
    assert "boundary: part of the graph" in await shared.hover(uri, 8)
    assert await shared.hover(uri, 2) == ""


async def test_lines_end_where_the_editor_ends_them(shared: Editor) -> None:
    text = "s = '\x0c\u2028\x85'\r\n" + COMPILED.replace("\n", "\r\n") + "\x0c\n"
    uri = shared.open(shared.folder / "ends.py", text)
    (found,) = await shared.diagnostics(uri)
    assert "on lines 8-11 " in found.message
    version = shared.change(uri, insert(0, 6, "abc"), insert(1, 0, "\r"))
    (found,) = await shared.diagnostics(uri, version)
    assert "on lines 9-12 " in found.message


@pytest.mark.parametrize(("encoding", "width"), [("utf-8", 4), ("utf-16", 2), ("utf-32", 1)])
async def test_positions_count_what_was_agreed_on(
    sandbox: Sandbox, encoding: str, width: int
) -> None:
    text = "import tensorflow as tf\ntf.compat.v1.disable_eager_execution()\n"
    text += "def f(): s = '\N{SNAKE}'; return tf.constant(1)\nif '\N{SNAKE}': y = tf.constant(s)\n"
    async with editor(sandbox.root, sandbox.environment, everything((encoding, "utf-16"))) as one:
        capabilities = one.client.protocol
        uri = one.open(sandbox.root / "snake.py", text)
        found = await one.diagnostics(uri)
        last = text.split("\n")[3]
        assert found[-1].range.end == types.Position(3, len(last) - 1 + width)
        # What comes after the snake in the line, in the same units.
        version = one.change(uri, insert(3, 4 + width, "\N{SNAKE}"))
        found = await one.diagnostics(uri, version)
        assert found[-1].range.end == types.Position(3, len(last) - 1 + 2 * width)
        assert capabilities is not None


async def test_requests_are_answered_while_an_analysis_runs(shared: Editor) -> None:
    parts = [COMPILED.replace("train_step", f"step{number}") for number in range(3000)]
    big = shared.open(shared.folder / "big.py", "".join(parts))
    shared.change(big, insert(0, 0, "\n"))  # overtakes the first version
    asked = [shared.hover(big, number) for number in range(1, 40)]
    asked.append(shared.client.text_document_code_lens_async(
        types.CodeLensParams(types.TextDocumentIdentifier(big))))  # fmt: skip
    await asyncio.gather(*asked)
    assert not [item for item in shared.published if item.uri == big]
    small = shared.open(shared.folder / "small.py", COMPILED)
    found = await shared.diagnostics(big, 2)
    assert len(found) == 3000
    assert len(await shared.diagnostics(small)) == 1
    assert "boundary" in await shared.hover(big, 8)


async def test_ten_thousand_lines_that_are_typed_in_are_answered_in_50_ms(shared: Editor) -> None:
    """The best of ten, as others use the machine too; ``tests/benchmarks/language_server.py`` has more."""
    parts = [COMPILED.replace("train_step", f"step{number}") for number in range(1000)]
    uri = shared.open(shared.folder / "long.py", "".join(parts))
    assert shared.texts[uri].count("\n") >= 10_000
    assert len(await shared.diagnostics(uri)) == 1000
    line = 9 * 999 + 7

    async def hover() -> None:
        assert "boundary" in await shared.hover(uri, line)

    async def actions() -> None:
        assert len(await shared.actions(uri, line)) == 2

    requests = (hover, actions, lambda: shared.hints(uri), lambda: shared.lenses(uri))
    for request in requests:
        times = []
        for _ in range(10):
            shared.change(uri, insert(0, 0, "#"))
            began = time.perf_counter()
            await request()
            times.append(time.perf_counter() - began)
        assert min(times) < 0.05
    shared.close(uri)


async def test_many_documents_are_each_analysed(shared: Editor) -> None:
    uris = [
        shared.open(shared.folder / f"many{number}.py", "\n" * number + COMPILED)
        for number in range(60)
    ]
    for number, uri in enumerate(uris):
        (found,) = await shared.diagnostics(uri)
        assert f"on lines {7 + number}-{10 + number} " in found.message


async def test_a_text_that_pythons_parser_dies_of_costs_its_findings_alone(shared: Editor) -> None:
    # Deep enough to end some versions' parsers, or to be refused by others.
    worst = shared.open(shared.folder / "worst.py", "x = " + "-" * 200_000 + "1\n")
    assert await shared.diagnostics(worst) == []
    uri = shared.open(shared.folder / "after.py", COMPILED)
    assert len(await shared.diagnostics(uri)) == 1


async def test_a_document_that_is_not_python_text_is_harmless(shared: Editor) -> None:
    uri = shared.open(shared.folder / "odd.py", "\0\ud800 (((")
    assert await shared.diagnostics(uri) == []
    assert await shared.hover(uri, 1) == ""
    assert await shared.hover(uri, 999) == ""
    assert await shared.hover("file:///not/open.py", 1) == ""
    version = shared.change(uri, insert(5, 5, "x"), insert(0, 99, "y"))
    assert await shared.diagnostics(uri, version) == []


async def test_stopping_inside_is_one_action_away(shared: Editor) -> None:
    uri = shared.open(shared.folder / "actions.py", COMPILED)
    found = await shared.diagnostics(uri)
    assert await shared.actions(uri, 2) == []
    assert await shared.actions(uri, 8, only=[types.CodeActionKind.Refactor]) == []
    live, read = await shared.actions(uri, 8, diagnostics=found)
    assert "staticGraphs" in live.title and live.kind == types.CodeActionKind.QuickFix
    assert list(live.diagnostics or ()) == found
    assert [item.title for item in await shared.actions(uri, 5)] == [live.title, read.title]

    launch = shared.folder / ".vscode" / "launch.json"
    await shared.executing(live.command)
    first = json.loads(launch.read_text())
    assert [item["staticGraphs"] for item in first["configurations"]] == ["node"]
    assert shared.client.messages[-1].message == (
        f'debug with the configuration "{first["configurations"][0]["name"]}"'
    )
    shown = shared.client.shown_documents[-1]
    assert shown.uri == launch.as_uri() and shown.selection is not None
    assert "staticGraphs" in launch.read_text().split("\n")[shown.selection.start.line]
    await shared.executing(live.command)
    assert json.loads(launch.read_text()) == first  # one is enough

    await shared.executing(read.command)
    opened = shared.client.shown_documents[-1]
    assert opened.uri.endswith("docs/breakpoints.md") and opened.selection is not None
    text = _read(opened.uri).split("\n")[opened.selection.start.line]
    assert text.startswith("A breakpoint's message starts with")


async def test_a_cancelled_request_is_answered_as_such(shared: Editor) -> None:
    uri = shared.open(shared.folder / "cancelled.py", COMPILED)
    await shared.diagnostics(uri)
    (live, _) = await shared.actions(uri, 8)
    (shared.folder / ".vscode" / "launch.json").unlink(missing_ok=True)
    shared.hold_edits = asyncio.Event()
    edits = len(shared.edits)
    answers: list[Any] = []
    assert live.command is not None
    params = types.ExecuteCommandParams(live.command.command, live.command.arguments)
    shared.client.protocol.send_request(
        types.WORKSPACE_EXECUTE_COMMAND, params, msg_id="to-cancel"
    ).add_done_callback(lambda done: answers.append(done.exception()))
    await shared.until(lambda: len(shared.edits) > edits, "the edit")
    shared.client.cancel_request(types.CancelParams("to-cancel"))
    shared.client.cancel_request(types.CancelParams(987654))  # never asked
    assert "boundary" in await shared.hover(uri, 8)
    assert answers and "cancel" in str(answers[0]).lower()
    shared.hold_edits.set()
    shared.hold_edits = None


async def test_an_editor_that_can_do_little_still_gets_its_configuration(sandbox: Sandbox) -> None:
    async with editor(sandbox.root, sandbox.environment, types.ClientCapabilities()) as plain:
        uri = plain.open(sandbox.root / "plain.py", COMPILED)
        (found,) = await plain.diagnostics(uri)
        assert found.range.start.line == 4
        place = types.Range(types.Position(7, 0), types.Position(7, 0))
        (live, read) = (
            await plain.client.text_document_code_action_async(
                types.CodeActionParams(
                    types.TextDocumentIdentifier(uri), place, types.CodeActionContext([])
                )
            )
            or []
        )
        assert isinstance(live, types.Command) and isinstance(read, types.Command)
        await plain.executing(live)
        written = json.loads((sandbox.root / ".vscode" / "launch.json").read_text())
        assert written["configurations"][0]["staticGraphs"] == "node"
        await plain.executing(read)
        assert "breakpoints.md, from line" in plain.client.messages[-1].message
        assert plain.client.shown_documents == []


def _read(uri: str) -> str:
    with open(uri.removeprefix("file://"), encoding="utf-8") as file:
        return file.read()


async def test_breakpoints_are_said_what_they_will_do_before_any_program_runs(
    shared: Editor,
) -> None:
    async def bindings(uri: str, *lines: int) -> list[tuple[int, str]]:
        params = {"textDocument": {"uri": uri}, "lines": lines}
        found = await shared.client.protocol.send_request_async("graphdebug/bindings", params)
        return [(item["line"], item["message"].partition(" ")[0]) for item in found]

    uri = shared.open(shared.folder / "bound.py", COMPILED)
    await shared.diagnostics(uri)
    assert await bindings(uri, 2, 7, 10) == [(7, "boundary:"), (10, "boundary:")]
    version = shared.change(uri, insert(0, 0, "\n"))
    assert await bindings(uri, 8) == [(8, "boundary:")], "it moves with the text"
    await shared.diagnostics(uri, version)
    shared.close(uri)
    assert await bindings(uri, 8) == []
