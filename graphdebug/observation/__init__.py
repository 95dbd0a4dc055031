"""What an observer of runtimes does: lets them come, keeps their steps, answers for them.

Shared by the adapter, the Jupyter server's extension and the commands; imports ``analysis``,
``transport`` and ``protocol``.
"""
