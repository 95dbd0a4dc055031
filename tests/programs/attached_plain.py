"""Counts until a line comes on its standard input; makes itself attachable where it is told to."""

import sys
import threading

import graphdebug

stop = threading.Event()


def read():
    sys.stdin.readline()
    stop.set()


def turn(count):
    return count + 1  # @turn


if "--listen" in sys.argv:
    print(graphdebug.listen(*sys.argv[2:]), flush=True)
    graphdebug.wait_for_client()
threading.Thread(target=read, daemon=True).start()
print("ready", flush=True)
turns = 0
while not stop.wait(0.005):
    turns = turn(turns)
print("told to stop", "debugpy" in sys.modules)
