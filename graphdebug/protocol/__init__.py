"""What both sides of a link say to each other.

Dataclasses only, standard library only: this package is imported inside the user's process and by
every other part, and imports no other part of graphdebug. ``wire`` is the one place where
snake_case fields become camelCase keys.
"""
