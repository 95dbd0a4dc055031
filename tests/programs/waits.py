"""Runs until it is interrupted, ended, or told so through its standard input."""

import sys
import threading

stop = threading.Event()


def read():
    sys.stdin.read()
    stop.set()


def main():
    if "--stdin" in sys.argv:
        threading.Thread(target=read, daemon=True).start()
    print("ready", flush=True)
    turns = 0
    while not stop.wait(0.01):
        turns += 1  # @turn
    print("told to stop")


try:
    main()
except KeyboardInterrupt:
    print("interrupted")
