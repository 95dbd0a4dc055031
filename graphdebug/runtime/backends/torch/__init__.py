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
(d) A program that makes no step at all makes one when it ends, named ``program``.

With ``capture: "steps"`` no operation is looked at, so there are (a) and (b) alone.

What a node is
--------------
``forward``: each operation that the program calls through torch's Python functions, as it calls it
(``F.cross_entropy`` is one). ``backward``: each autograd Node that runs, and each operation that a
Node, a hook or a checkpoint calls while the engine runs. ``optimizer``: each operation of an
optimizer's step, and those under ``no_grad`` between a backward pass and the end of the step, such as
clipping. A call of a compiled function is one node.

What isn't seen
---------------
What other threads do before their first backward pass or optimizer step; what scripted functions do;
operations on fake tensors, and under ``jit.trace``; what runs in a compiled function, an optimizer's
step included; ``zero_grad`` that sets gradients to None. A step of torch's own optimizers that was
the same twice is taken for granted as long as the same parameters have gradients and the settings but
the learning rate stay; every 64th is looked at again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphdebug.runtime.backends import Backend

if TYPE_CHECKING:
    from graphdebug.runtime.boot import Runtime


def backend(runtime: Runtime) -> Backend:
    """The backend for PyTorch."""
    from graphdebug.runtime.backends.torch.observer import TorchBackend

    return TorchBackend(runtime)
