"""PyTorch, observed.

What a step is
--------------
(a) A step of an optimizer ends a step, named ``SGD.step``. Optimizers that step in a row make a step
    each.
(b) In a program without an optimizer, a backward pass ends a step, named ``backward``, or ``grad`` for
    ``torch.autograd.grad``; it is reported once the program comes round to the next one, so what
    follows the backward pass, such as an update written by hand, belongs to it. Once there is an
    optimizer, backward passes are collected until it steps, as with accumulated gradients.
(c) In a loop with neither, each iteration is a step, named ``iteration``, of the innermost loop that
    calls an operation on a tensor. A program that trains has such steps under ``no_grad`` and
    ``inference_mode`` only. Loops in constructors, data loaders and modules don't count. It is found by
    the positions of the user's frames: it has come round when the first position that differs from
    that of the operation before lies further back. What comes after the last iteration belongs to the
    step that follows, if one does.
(d) A program that makes no step at all makes one when it ends, named ``program``. So does a notebook's
    cell, named ``cell``; the end of a cell ends the backward pass or the iteration that is open, too.
(e) A call of a compiled function (``torch.compile``, TorchScript, an exported program) is a step of its
    own, of kind ``compiled``, with the nodes of the graphs that ran in it; in the step around it it is
    one node. Iterations and programs that consist of such calls alone make no step of theirs.

With ``capture: "steps"`` no operation is looked at, so there are (a), (b) and (e) alone.

What a node is
--------------
``forward``: each operation that the program calls through torch's Python functions, as it calls it
(``F.cross_entropy`` is one). ``backward``: each autograd Node that runs, and each operation that a
Node, a hook or a checkpoint calls while the engine runs. ``optimizer``: each operation of an
optimizer's step, and those under ``no_grad`` between a backward pass and the end of the step, such as
clipping. ``graph``: each node of a graph that dynamo captured, or that TorchScript or ``torch.export``
made, by the line that made it, with the shapes that the compiler knows; a script knows none.

What isn't seen
---------------
What other threads do before their first backward pass or optimizer step; operations on fake tensors,
and under ``jit.trace``; values and times within a graph, and what a backend makes of it (inductor's
kernels); the graphs of compiled backward passes, which are one node; ``zero_grad`` that sets gradients
to None. A step of torch's own optimizers that was
the same twice is taken for granted as long as the same parameters have gradients and the settings but
the learning rate stay; every 64th is looked at again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphdebug.runtime.backends import Backend

if TYPE_CHECKING:
    from graphdebug.runtime.runtime import Runtime


def backend(runtime: Runtime) -> Backend:
    """The backend for PyTorch."""
    from graphdebug.runtime.backends.torch.collectives import RankedTorchBackend

    return RankedTorchBackend(runtime)
