"""What lines made, live from a real debug session that the server finds by itself."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lsprotocol import types
from support.dap import Session
from support.lsp import EVERYWHERE, Editor
from support.markers import line, program
from support.sandbox import Sandbox

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.frameworks]

SHAPES = program("shapes.py")
RETRACES = program("retraces.py")
FORWARD, LOSS, STEP = (line(SHAPES, name) for name in ("forward", "loss", "step"))


@pytest.fixture(scope="module")
def copy(box: Sandbox) -> Path:
    """The program in a file that may be written to."""
    return Path(shutil.copy(SHAPES, box.root / "shapes.py"))


@pytest.fixture(scope="module")
def session(box: Sandbox, copy: Path) -> Iterator[Session]:
    """A session that stands between two training steps."""
    with Session("graphdebug", environment=box.environment, timeout=120) as found:
        breakpoints = [line(SHAPES, "waits"), line(SHAPES, "done")]
        found.launch(program=str(copy), breakpoints={str(copy): breakpoints})
        found.wait_for_stop()
        yield found


def insert(line: int, text: str) -> types.TextDocumentContentChangePartial:
    place = types.Position(line, 0)
    return types.TextDocumentContentChangePartial(types.Range(place, place), text)


async def test_lines_show_what_they_made_while_and_after_the_program_runs(
    shared: Editor, session: Session, copy: Path
) -> None:
    uri = shared.open(copy)
    await shared.diagnostics(uri)  # where functions are is known with them
    text = shared.texts[uri].split("\n")
    # A stop may come before the steps that led to it.
    hints = await shared.hints_when(
        uri, lambda hints: FORWARD in hints and hints[FORWARD].label == "float32 (8, 3) cpu"
    )
    await shared.until_hover(uri, FORWARD, "step 3: SGD.step, ")
    assert hints[LOSS].label == "float32 () cpu"
    assert STEP not in hints
    assert hints[FORWARD].position.character == len(text[FORWARD - 1]) + 2  # a snake is two
    near = types.Range(types.Position(LOSS - 1, 0), types.Position(LOSS - 1, 9))
    assert list(await shared.hints(uri, near)) == [LOSS]

    hover = await shared.hover(uri, FORWARD)
    assert r"| linear (aten::linear) | forward | float32 (8, 3) cpu | cpu |" in hover
    assert "| AddmmBackward0 | backward | " in hover
    assert "- from step 0: float32 (5, 3) cpu\n- from step 2: float32 (8, 3) cpu" in hover

    (lens,) = (await shared.lenses(uri)).items()
    assert lens[0].startswith("step 3: SGD.step, ") and "backward nodes, cpu" in lens[0]
    assert text[lens[1] - 1] == "def train_step(batch):"
    values = await shared.client.text_document_inline_value_async(
        types.InlineValueParams(
            types.TextDocumentIdentifier(uri),
            EVERYWHERE,
            types.InlineValueContext(
                1, types.Range(types.Position(FORWARD - 1, 0), types.Position(FORWARD - 1, 9))
            ),
        )
    )
    shown = {v.range.start.line + 1: v.text for v in values or () if hasattr(v, "text")}
    assert shown[FORWARD] == "float32 (8, 3) cpu" and LOSS not in shown

    # Unsaved edits: lines move, and one that was changed says nothing.
    shared.change(uri, insert(0, "# new\n"), insert(LOSS, "loss = None; "))
    moved = await shared.hints(uri)
    assert moved[FORWARD + 1].label == "float32 (8, 3) cpu"
    assert FORWARD not in moved and LOSS + 1 not in moved
    assert "linear" in await shared.hover(uri, FORWARD + 1)
    assert (await shared.lenses(uri)) == {lens[0]: lens[1] + 1}
    # Saved: what runs is still the text that was there before.
    copy.write_text("# new\n" + copy.read_text())
    assert await shared.hints(uri) == moved
    shared.change(uri, types.TextDocumentContentChangeWholeDocument(Path(SHAPES).read_text()))
    assert (await shared.hints(uri))[LOSS].label == "float32 () cpu"

    session.cont()
    session.wait_for_stop()
    hints = await shared.hints_when(uri, lambda hints: hints[FORWARD].label != "float32 (8, 3) cpu")
    assert hints[FORWARD].label == "float32 (2, 3) cpu"
    session.close()
    await shared.hints_when(uri, lambda hints: "has ended" in str(hints[FORWARD].tooltip))
    assert "in a run that has ended" in await shared.hover(uri, FORWARD)
    assert all(title.endswith("(ended)") for title in await shared.lenses(uri))
    await shared.until(lambda: "codeLens" in shared.refreshes, "a refresh of the lenses")


async def test_the_last_step_of_a_short_program_is_seen(shared: Editor, box: Sandbox) -> None:
    program = box.root / "short.py"
    program.write_text("import torch\nx = torch.ones(3, 2)\ny = x.sum(0)\n")
    uri = shared.open(program)
    command = [sys.executable, "-m", "graphdebug", "run", str(program)]
    done = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **box.environment}, stderr=asyncio.subprocess.DEVNULL
    )
    hints = await shared.hints_when(uri, lambda hints: "ended" in str(hints))
    assert [hints[2].label, hints[3].label] == ["float32 (3, 2) cpu", "float32 (2,) cpu"]
    assert await done.wait() == 0


async def test_graphs_and_alerts_are_shown_at_their_lines(shared: Editor, box: Sandbox) -> None:
    uri = shared.open(RETRACES)
    with Session("graphdebug", environment=box.environment, timeout=120) as session:
        session.launch(program=RETRACES)
        session.client.wait_for_event("graphdebugAlert")
        session.wait_for_exit()
        hints = await shared.hints_when(uri, bool)
        (made, *_) = (line for line in hints)
        assert "graph" in await shared.hover(uri, made)
        text = shared.texts[uri].split("\n")
        hovers = [await shared.hover(uri, number) for number in range(1, len(text) + 1)]
        assert any("**retrace**" in hover for hover in hovers)
        assert await shared.lenses(uri)
