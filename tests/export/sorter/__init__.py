# SPDX-License-Identifier: MIT
"""Recordings written as recordings: cut, put right, made anonymous, or new."""
