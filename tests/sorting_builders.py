# SPDX-License-Identifier: MIT
"""The old name of `builders.sorting`, until test_sorter.py asks for the new one."""

from builders.sorting import *  # noqa: F403
