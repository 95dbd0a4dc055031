"""The debug adapter: a proxy in front of debugpy's, with graphdebug's parts on top.

One asyncio loop runs each session; nothing in it blocks. Imports ``protocol``, ``transport`` and
``analysis``; never the runtime, which lives in another process.
"""
