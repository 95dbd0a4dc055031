"""Makes a program believe that a debugger is attached: the boundary asks only for that."""

import sys
import types

sys.modules["debugpy"] = types.ModuleType("debugpy")
sys.modules["debugpy"].is_client_connected = lambda: True
