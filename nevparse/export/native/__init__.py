# SPDX-License-Identifier: MIT
"""NSx and NEV files: cut from recordings, or made from arrays."""
