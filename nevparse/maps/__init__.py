# SPDX-License-Identifier: MIT
"""Array maps (.cmp), configurations (.ccf), and where on the array each electrode is."""
