"""Runs a training program of eager Keras, then one of TensorFlow 1, in one process."""

import os
import runpy
import sys

for name, *arguments in (
    ("tf_keras_fit.py", "eagerly"),
    ("tf_training.py", "v2", "resource", "plain"),
):
    path = os.path.join(os.path.dirname(__file__), name)
    sys.argv = [path, *arguments]
    runpy.run_path(path, run_name="__main__")
