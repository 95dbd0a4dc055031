"""Runs a program, and writes which autograd Nodes ran backward, on whose line, with which gradients.

Takes the file to write to, the program and the expression over ``grad_outputs`` to write. Knows nothing
of graphdebug: anomaly mode says where each Node was made, and hooks on all Nodes say when it runs.
"""

import json
import re
import runpy
import sys

import torch

RAN, PROGRAM, EXPRESSION = sys.argv[1:4]
PLACE = re.compile(r'File "(.+)", line (\d+)')
executed = []


def stack(node):
    return node.metadata.get("traceback_") or [""]


def line_of(node):
    """None for a Node that no line makes: a parameter's own. One that the engine makes is its parent's."""
    if node.name().endswith("AccumulateGrad"):
        return None
    while "in _engine_run_backward" in stack(node)[-1]:
        node = node.metadata["parent_"]
    at = [int(line) for path, line in PLACE.findall("".join(stack(node))) if path == PROGRAM]
    return at[-1] if at else None


def evaluated(grad_outputs):
    try:
        return str(eval(EXPRESSION, {"grad_outputs": grad_outputs}))
    except Exception as error:
        return f"<{type(error).__name__}: {error}>"


def hook(line, name):
    def runs(grad_outputs):
        executed.append((line, f"{name} {evaluated(grad_outputs)}"))

    return runs


def observed(engine):
    def _engine_run_backward(outputs, *args, **kwargs):
        nodes = [
            output.grad_fn if isinstance(output, torch.Tensor) else output.node
            for output in outputs
        ]
        nodes = [node for node in nodes if node is not None]
        for node in nodes:
            nodes += [item for item, _ in node.next_functions if item and item not in nodes]
        handles = [
            node.register_prehook(hook(line_of(node), node.name().rpartition("::")[2]))
            for node in nodes
            if line_of(node)
        ]
        try:
            return engine(outputs, *args, **kwargs)
        finally:
            for handle in handles:
                handle.remove()

    return _engine_run_backward


torch.autograd.graph._engine_run_backward = torch.autograd._engine_run_backward = observed(
    torch.autograd._engine_run_backward
)
sys.argv[:] = [PROGRAM]
sys.path[0] = PROGRAM.rpartition("/")[0]
with torch.autograd.set_detect_anomaly(True, check_nan=False):
    runpy.run_path(PROGRAM, run_name="__main__")
with open(RAN, "w") as file:
    json.dump(executed, file)
