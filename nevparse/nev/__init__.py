# SPDX-License-Identifier: MIT
"""Spikes and events of one NEV file."""
