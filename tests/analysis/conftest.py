"""Lets a failing check show which lines differ."""

import pytest

pytest.register_assert_rewrite("marked_programs")
