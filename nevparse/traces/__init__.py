# SPDX-License-Identifier: MIT
"""Rows and columns: which channels, which samples in which row, what fills gaps, and how rows are packed."""
