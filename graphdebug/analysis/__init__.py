"""What a breakpoint does, told from the source alone: pure functions over ``ast``.

Serves the debug adapter and the language server; imports no other part of graphdebug, and never a
framework.
"""

from graphdebug.analysis.analysis import Analysis, analyse
from graphdebug.analysis.binding import Binding, BindingKind
from graphdebug.analysis.blocks import Block, Function, Span

__all__ = ["Analysis", "Binding", "BindingKind", "Block", "Function", "Span", "analyse"]
