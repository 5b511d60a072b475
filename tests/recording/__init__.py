# SPDX-License-Identifier: MIT
"""The files of one recording: found, located in each other, side by side, and judged."""
