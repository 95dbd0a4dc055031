"""Three errors: one handled at once, one that passes through library code, one that nobody handles."""

import json


def handled():
    try:
        raise ValueError("handled here")  # @handled
    except ValueError:
        return "handled"


def hook(pairs):
    raise KeyError("escapes into json")  # @escapes


def through_library():
    try:
        json.loads("{}", object_hook=hook)
    except KeyError:
        return "escaped"


def main():
    print(handled())
    print(through_library())
    raise RuntimeError("nobody handles this")  # @uncaught


main()
