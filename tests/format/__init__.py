# SPDX-License-Identifier: MIT
"""Layouts and versions as tables, and the dates of headers."""
