"""Requests that debugpy's adapter never answers: they are answered here and never reach it.

They are what pydevd knows from the protocol's schema and doesn't handle. What it doesn't know at all
it refuses by itself.
"""

from __future__ import annotations

from graphdebug.adapter.session import Session
from graphdebug.transport.framing import Message


class Unanswered:
    """``cancel``, ``loadedSources`` and others that pydevd hasn't."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def cancel_request(self, request: Message) -> None:
        """Nothing here can be cancelled; DAP lets that be said by doing nothing."""
        self._session.reply(request)

    def loadedSources_request(self, request: Message) -> None:
        """The client has the sources already."""
        self._session.reply(request, {"sources": []})

    def _unsupported(self, request: Message) -> None:
        self._session.fail(request, f'"{request["command"]}" is not supported')

    disassemble_request = _unsupported
    readMemory_request = _unsupported
    writeMemory_request = _unsupported
    restart_request = _unsupported
    restartFrame_request = _unsupported
    stepBack_request = _unsupported
    reverseContinue_request = _unsupported
    setInstructionBreakpoints_request = _unsupported
    terminateThreads_request = _unsupported
    runInTerminal_request = _unsupported
    startDebugging_request = _unsupported
