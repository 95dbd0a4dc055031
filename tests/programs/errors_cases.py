"""Runs each function of a module that raises, and prints what is said of its error, as JSON lines.

With the name of one function it is run alone, and nothing is caught.
"""

import gc
import importlib
import json
import sys

from graphdebug.runtime import boot


def said(function):
    """What is said of the error that a function raises; the error keeps what it was."""
    try:
        function()
    except Exception as error:
        before = (str(error), error.__traceback__, error.__dict__.copy(), error.__cause__)
        text = boot.runtime.explanation(error, error.__traceback__)
        after = (str(error), error.__traceback__, error.__dict__, error.__cause__)
        assert before == after
        return text
    raise AssertionError(f"{function.__name__} did not raise")


def main(name, *only):
    module = importlib.import_module(name)
    if only:
        return getattr(module, only[0])()
    for key, function in list(vars(module).items()):
        if key.startswith("case_"):
            print(json.dumps({"case": key.removeprefix("case_"), "said": said(function)}))
    gc.collect()  # ``said`` has the error that has its frame, once Python was asked for its locals
    kept = [each() for each in getattr(module, "kept", ())]
    assert kept and all(each is None for each in kept), kept


if __name__ == "__main__":
    main(*sys.argv[1:])
