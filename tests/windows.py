# SPDX-License-Identifier: MIT
"""Runs the tests on Windows, or on Windows' Python in Wine, and fails where a test is skipped that is not listed here.

``python tests/windows.py [pytest arguments]``
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from typing import Any

import pytest

# What Wine cannot do, and Windows can
WINE: dict[str, str] = {}

# Tests of what Windows does not have; each skips itself
WINDOWS = {
    "links need a right that few users have, and Wine makes none": (
        "export/output/test_locks.py::test_exports_c04_what_is_no_file_of_ours_is_kept",
        "export/output/test_names.py::test_exports_c07_a_target_on_another_file_system",
        "export/output/test_names.py::test_exports_c08_links_are_put_back_as_links",
        "export/test_refusals.py::test_a_link_to_nothing_is_a_file_in_the_way",
        "export/test_refusals.py::test_links_to_other_files_are_replaced_not_written_through",
        "export/test_refusals.py::test_the_recording_is_never_written_over",
    ),
}


def is_wine() -> bool:
    """Whether this Windows is Wine, which has a function of its own in ntdll."""
    return sys.platform == "win32" and hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


class Listed:
    """A plugin that skips what Wine cannot do, and collects what is skipped and not listed."""

    def __init__(self) -> None:
        self.not_listed: set[str] = set()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            if (reason := WINE.get(name_of(item.nodeid))) and is_wine():
                item.add_marker(pytest.mark.skip(reason=f"Wine: {reason}"))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self._check(report.nodeid, report.longrepr)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._check(report.nodeid, report.longrepr)

    def _check(self, nodeid: str, why: Any) -> None:
        no_recordings = not os.environ.get("NEVPARSE_REAL_DATA") and "no real recordings" in str(why)
        listed = {*WINE, *(name for names in WINDOWS.values() for name in names)}
        if not no_recordings and name_of(nodeid) not in listed:
            self.not_listed.add(name_of(nodeid))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.not_listed and not session.exitstatus:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for name in sorted(self.not_listed):
            terminalreporter.write_line(f"skipped, and not listed in tests/windows.py: {name}")


def name_of(nodeid: str) -> str:
    """The test without its parameters, from the folder of tests on."""
    return nodeid.split("[")[0].removeprefix("tests/")


def give_errno_to_locks() -> None:
    """Have a lock that another handle has be refused with EACCES, as Windows does: Wine 8 sets no errno."""
    import msvcrt

    real: Any = msvcrt.locking  # type: ignore[attr-defined]

    def locking(*arguments: int) -> None:
        try:
            real(*arguments)
        except OSError as error:
            raise OSError(error.errno or errno.EACCES, "Permission denied") from None

    msvcrt.locking = locking  # type: ignore[attr-defined]


if __name__ == "__main__":  # processes that tests start import this file
    if is_wine():
        give_errno_to_locks()
    sys.exit(pytest.main(sys.argv[1:], plugins=[Listed()]))
