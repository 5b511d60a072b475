# SPDX-License-Identifier: MIT
"""The old name of `builders.timing`, until test_sorter.py asks for the new one."""

from builders.timing import *  # noqa: F403
