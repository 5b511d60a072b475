# SPDX-License-Identifier: MIT
"""The folder that Kilosort, Phy and SpikeInterface open."""
