# SPDX-License-Identifier: MIT
"""What an export leaves on the disk: whole files, or none."""
