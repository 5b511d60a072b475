# SPDX-License-Identifier: MIT
"""Files and folders that are whole or absent."""
