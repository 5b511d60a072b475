# SPDX-License-Identifier: MIT
"""What an export leaves on the disk: complete files, or none."""
