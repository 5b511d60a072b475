# SPDX-License-Identifier: MIT
"""Events: spikes, digital inputs, comments, and all else that a NEV holds."""
