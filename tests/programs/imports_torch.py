"""Imports torch, and says which imports a debugger traces."""

import sys

traced = {}


def is_traced():
    """Python pauses profilers with tracers, or a debugger takes its tracer out."""
    seen = []
    sys.setprofile(lambda *event: seen.append(event))
    sys.setprofile(None)
    return sys.gettrace() is not None and bool(seen)


class Noting:
    @staticmethod
    def find_spec(name, path=None, target=None):
        traced[name] = is_traced()


sys.meta_path.insert(0, Noting)
import torch  # noqa: E402 # @torch

after = torch.ones(2)  # @after
print([traced.get(name) for name in ("torch", "torch.nn", "backend_of_mine", "colorsys")])
print(is_traced())
