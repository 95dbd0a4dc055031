"""graphdebug inside the user's process.

Standard library, ``protocol`` and ``transport`` only, so that nothing is added to the user's
environment; frameworks are imported in their backends alone, and only after the user imported them.
Nothing here may raise into the program, and nothing blocks its threads but a stop.
"""
