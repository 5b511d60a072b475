# SPDX-License-Identifier: MIT
"""Where bytes come from: paths, memory, file objects, files that grow, and opening them once more."""
