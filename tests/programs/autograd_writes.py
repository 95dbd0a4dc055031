"""Runs a program, and writes what it prints to a file, for whoever isn't there to read it."""

import contextlib
import runpy
import sys

PROGRAM, OUTPUT = sys.argv[1:3]
sys.path[0] = PROGRAM.rpartition("/")[0]
with open(OUTPUT, "w") as file, contextlib.redirect_stdout(file):
    runpy.run_path(PROGRAM, run_name="__main__")
