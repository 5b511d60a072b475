# SPDX-License-Identifier: MIT
"""What the bytes mean: layouts, version tables, text, dates, and the headers that NSx and NEV share."""
