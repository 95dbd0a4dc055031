"""What the tests share. Imported as ``support``: pytest puts ``tests/`` on ``sys.path``."""
