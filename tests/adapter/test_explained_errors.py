"""Stops for errors of tensor operations say what the operands are and where they come from."""

from __future__ import annotations

import pytest
from support.dap import Session, Start
from support.markers import line, program

pytestmark = pytest.mark.frameworks

CASES = program("errors_cases.py")
TORCH = program("errors_torch.py")
PLAIN = "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"


def info(session: Session) -> str:
    found: str = session.request("exceptionInfo", threadId=session.thread)["description"]
    return found


def stop_and_info(session: Session) -> str:
    """The text of the next stop for an exception, which the exception's description ends with."""
    stop = session.wait_for_stop("exception")
    name, _, text = stop["text"].partition("\n")
    assert "RuntimeError" in name
    assert info(session) == "\n\n".join(filter(None, (PLAIN, text)))
    return text


def test_a_stop_for_an_error_that_the_program_handles(
    start: Start, graphdebug_adapter: str
) -> None:
    """The program checks itself that its tensors die with its error, also after the stop."""
    session = start(graphdebug_adapter, timeout=120)
    session.launch(
        program=CASES, args=["errors_torch", "handled"], filters=["raised"], subProcess=False
    )
    for _ in range(2):
        text = stop_and_info(session)
        assert (
            f"x @ x at errors_torch.py:{line(TORCH, 'handled')} in multiplied: the last size"
            in text
        )
        assert f"from errors_torch.py:{line(TORCH, 'handled_made')}  x = torch.ones(2, 3)" in text
        assert "x is float32 (2, 3) cpu" in text and "\nRemedy: " in text
        session.cont()
    assert stop_and_info(session) == "", "one that the program raised itself has nothing to say"
    session.request("setExceptionBreakpoints", filters=["uncaught"])
    session.cont()
    text = stop_and_info(session)
    assert f"a @ b at errors_torch.py:{line(TORCH, 'matmul')}" in text
    session.request("setExceptionBreakpoints", filters=[])
    session.cont()
    assert session.wait_for_exit() == 1
    output = session.output("stdout")
    assert f"as it was: {PLAIN} None" in output
    assert "Remedy" not in session.output("stderr"), (
        "below the traceback it is said in a terminal only"
    )


def test_a_stop_where_an_error_leaves_the_users_code(start: Start, graphdebug_adapter: str) -> None:
    session = start(graphdebug_adapter, timeout=120)
    session.launch(program=CASES, args=["errors_torch", "ends"], filters=["userUnhandled"])
    stop = session.wait_for_stop("exception")
    assert f"F.linear at errors_torch.py:{line(TORCH, 'nested')} in Head.forward" in stop["text"]
    assert "module model.body.1.second (Linear)" in stop["text"]
    assert info(session).endswith(stop["text"].partition("\n")[2])
