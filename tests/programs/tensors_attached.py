"""Comes to a waiting adapter: ``tensors_attached.py HOST PORT``, ours installed before or after."""

import sys

import torch

from graphdebug.runtime import debugger, presentation

if "--after" not in sys.argv:
    presentation.install()

import debugpy

debugpy.connect((sys.argv[1], int(sys.argv[2])))
debugpy.wait_for_client()

image = torch.zeros(64, 10)
print("first", debugger.problems)  # @first
presentation.install()
print("second", debugger.problems)  # @second
