"""Runs the functions of the modules named, one after the other: each has one fault, or none."""

import importlib
import json
import sys
import traceback

import torch

torch.set_num_threads(1)
for name in sys.argv[1:]:
    functions = vars(importlib.import_module(name))
    for key in [key for key in functions if key.startswith(("fault_", "fixed_"))]:
        torch.manual_seed(0)
        print(key)
        try:
            functions[key]()
        except (RuntimeError, TypeError) as error:
            lines = [
                frame.lineno
                for frame in traceback.extract_tb(error.__traceback__)
                if name in frame.filename
            ]
            print("raised", key, lines[-1])
            if (boot := sys.modules.get("graphdebug.runtime.boot")) and boot.runtime:
                said = boot.runtime.explanation(error, error.__traceback__)
                print(json.dumps({"raised": key, "said": said}), file=sys.stderr)
