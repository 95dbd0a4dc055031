"""How messages travel: framing, channels and tokens.

Standard library only: the runtime carries this into the user's process.
"""
