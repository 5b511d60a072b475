# SPDX-License-Identifier: MIT
"""Array maps, configurations, and where electrodes are."""
