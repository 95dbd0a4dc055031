"""What the runtime does in a notebook's kernel, beside what it does in any program.

IPython's objects are used as they are handed in; nothing of Jupyter's is imported here.
"""
