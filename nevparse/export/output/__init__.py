# SPDX-License-Identifier: MIT
"""Output files and folders that appear complete or not at all."""
