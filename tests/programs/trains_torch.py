"""Runs the training programs of PyTorch one after the other, in one process."""

import os
import runpy

for name in ("torch_mlp.py", "torch_cnn.py", "torch_transformer.py"):
    runpy.run_path(os.path.join(os.path.dirname(__file__), name), run_name="__main__")
