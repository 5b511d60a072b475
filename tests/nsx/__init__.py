# SPDX-License-Identifier: MIT
"""Continuous files: headers, channels, blocks, packets, segments, and the search for gaps."""
