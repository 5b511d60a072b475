# SPDX-License-Identifier: MIT
"""Where bytes come from: a path, memory or a file object; read-only, bounds-checked, mapped where possible."""
