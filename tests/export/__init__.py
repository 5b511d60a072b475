# SPDX-License-Identifier: MIT
"""Flat files: the .bin and its sidecar, and what is left where one fails."""
