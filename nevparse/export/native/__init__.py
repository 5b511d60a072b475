# SPDX-License-Identifier: MIT
"""NSx and NEV files cut from files, and NSx files made from arrays."""
