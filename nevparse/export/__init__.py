# SPDX-License-Identifier: MIT
"""What is written: .bin and sidecar, folders for sorters, NSx and NEV files cut or made."""
