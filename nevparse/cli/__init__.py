# SPDX-License-Identifier: MIT
"""The command line: info, bin, events, check, sorter, cut, report."""
