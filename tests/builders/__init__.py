# SPDX-License-Identifier: MIT
"""Files built byte by byte from the documents; nothing here knows nevparse."""
