# SPDX-License-Identifier: MIT
"""Columns and rows of samples: which, in which order, and when each was."""
