"""The language server: what breakpoints will do and what each line made, in every LSP editor.

One file per feature, each with ``register(server)``. The only part that imports pygls and
lsprotocol. It imports ``analysis``, ``protocol`` and ``transport``, never the adapter: a running
session is looked at through its endpoint in the registry (``transport/registry.py``).
"""
