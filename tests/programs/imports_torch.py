"""Imports torch, and says which imports a debugger traces."""

import sys

traced = {}


class Noting:
    @staticmethod
    def find_spec(name, path=None, target=None):
        traced[name] = sys.gettrace() is not None


sys.meta_path.insert(0, Noting)
import torch  # noqa: E402 # @torch

after = torch.ones(2)  # @after
print([traced.get(name) for name in ("torch", "torch.nn", "backend_of_mine", "colorsys")])
print(sys.gettrace() is not None)
