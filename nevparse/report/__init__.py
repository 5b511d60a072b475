# SPDX-License-Identifier: MIT
"""A recording to look at: how good each channel is, and a page for people."""
