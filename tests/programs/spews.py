"""Writes more than any pipe holds, until it is ended."""

while True:
    print("spam " * 2000, flush=True)
