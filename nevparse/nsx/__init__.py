# SPDX-License-Identifier: MIT
"""Continuous data of one NSx or NFx file."""
