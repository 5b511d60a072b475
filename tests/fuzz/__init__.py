# SPDX-License-Identifier: MIT
"""Fuzzing: what must hold, what to start from, and what was found worth keeping."""
