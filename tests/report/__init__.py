# SPDX-License-Identifier: MIT
"""Tests of what people look at."""
