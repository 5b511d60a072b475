# SPDX-License-Identifier: MIT
"""The files of one recording on one clock, several instruments side by side, and `check`."""
