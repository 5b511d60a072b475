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

# Tests that skip themselves, by what Windows, or Wine, does not have
SKIPPED = {
    "links need a right that few users have, and Wine makes none": (
        "cli/test_nothing_hidden.py::test_a_link_whose_file_was_not_fetched_is_named",
        "cli/test_names_without_case.py::test_a_member_that_is_a_link_to_nothing_is_left_out_with_its_reason",
        "export/output/test_locks.py::test_exports_c04_what_is_no_file_of_ours_is_kept",
        "export/output/test_names.py::test_exports_c07_a_target_on_another_file_system",
        "export/output/test_names.py::test_exports_c08_links_are_put_back_as_links",
        "export/test_refusals.py::test_a_link_to_nothing_is_a_file_in_the_way",
        "export/test_refusals.py::test_links_to_other_files_are_replaced_not_written_through",
        "export/test_refusals.py::test_the_recording_is_never_written_over",
    ),
    "no signals to other processes, and no terminals, as POSIX has them": (
        "cli/test_cli.py::test_a_reader_that_goes_away_is_no_error",
        "cli/test_cli.py::test_ctrl_c_leaves_nothing_behind",
        "cli/test_cli.py::test_progress_is_shown_on_a_terminal_only",
        "cli/test_follow.py::test_growing_c23_an_interrupted_process_leaves_complete_files",
    ),
    "no named pipes in folders": (
        "export/test_refusals.py::test_a_device_or_pipe_is_not_replaced",
        "nsx/test_opening.py::test_a_pipe_is_refused_and_does_not_block",
    ),
    "no os.pread and os.preadv": (
        "source/test_files.py::test_a_file_read_in_pieces_is_put_together",
        "source/test_files.py::test_files_and_exports_are_the_same_either_way",
        "source/test_files.py::test_reading_by_position_gives_what_stands_there",
        "source/test_objects.py::test_sources_c04_the_position_of_a_file_of_the_system_stays_and_its_end_does_not_matter",
        "test_concurrency.py::test_a_number_given_to_another_file_meanwhile_is_noticed",
    ),
    "names that differ in case alone are the same name": (
        "recording/test_members.py::test_timing_c35_of_two_names_that_differ_in_case_the_one_that_was_typed_is_opened",
        "cli/test_windows_users.py::test_a_name_in_another_case_is_another_recording_where_names_have_one",
        "export/output/test_replace_refused.py::test_what_has_another_case_is_anothers_where_names_have_one",
        "cli/test_names_without_case.py::test_a_folder_lists_both_where_names_have_a_case",
        "cli/test_names_without_case.py::test_no_output_of_one_command_replaces_another",
    ),
    "no file has holes unless they are asked for": ("source/test_files.py::test_offsets_beyond_4_gib_are_exact",),
    "no fork": (
        "export/output/test_locks.py::test_exports_c05_a_child_holds_no_lock_of_its_killed_parent",
        "export/output/test_locks.py::test_exports_c05_a_child_that_ends_leaves_its_parents_export_alone",
        "test_concurrency.py::test_a_file_opened_before_a_fork_serves_both",
        "test_concurrency.py::test_a_fork_in_the_middle_of_an_export_disturbs_neither",
        "test_concurrency.py::test_a_fork_while_a_thread_works_something_out_locks_nothing",
    ),
    "no fcntl.flock to replace": (
        "export/output/test_locks.py::test_exports_c05_a_part_that_another_run_takes_for_a_leftover_is_made_anew",
        "export/output/test_locks.py::test_exports_c05_without_locks_a_leftover_is_refused_and_named",
        "export/output/test_locks.py::test_exports_c05_without_locks_a_part_that_is_there_may_be_another_runs",
    ),
    "a stand-in for Windows, on other systems": (
        "export/output/test_locks.py::test_exports_c05_files_as_windows_has_them",
    ),
    "an open file, and the folder of one, cannot be removed, and a mapped one not made shorter": (
        "export/native/test_inputs.py::test_exports_c09_a_cut_of_a_file_that_shrinks_is_refused",
        "export/output/test_locks.py::test_exports_c05_nobody_elses_file_gets_the_name",
        "export/output/test_names.py::test_exports_c07_a_folder_that_goes_away",
        "export/output/test_recordings_are_kept.py::test_exports_c14_a_renamed_recording_is_the_input",
    ),
    "a mapped file cannot be cut": (
        "traces/test_traces.py::test_arrays_c10_a_file_that_shrinks_or_is_changed_is_an_error_and_no_fault",
    ),
    "no fallocate, limits on a process's files, /dev/full, or file systems of our own": (
        "export/output/test_complete_or_absent.py::test_space_set_aside_does_not_make_a_file_longer",
        "export/output/test_space.py::test_exports_c06_a_limit_on_the_process",
        "export/output/test_space.py::test_exports_c06_a_small_disk",
        "export/output/test_space.py::test_exports_c06_the_systems_own_full_device",
    ),
    "matplotlib is not installed there": (
        "export/test_cancel.py::test_exports_c17_a_page_is_cancelled_at_any_step",
        "report/test_page.py",
        "report/test_seen.py",
        "test_examples.py::test_a_public_function_has_an_example_that_is_true",
        "test_examples.py::test_an_example_of_the_help_runs",
        "test_mistakes.py::test_a_mistake_is_answered",
    ),
    "neo is not installed there": (
        "export/native/test_neo.py",
        "nev/test_neo.py",
        "nsx/test_neo.py",
        "nsx/test_timing_neo.py",
        "test_coming_from.py::test_neo_gives_the_same_numbers",
        "test_readme.py::test_neo_writes_the_same_file",
    ),
}


def is_wine() -> bool:
    """Whether this Windows is Wine, which has a function of its own in ntdll."""
    return sys.platform == "win32" and hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


class Listed:
    """A plugin that fails a run in which a test is skipped and not listed."""

    def __init__(self) -> None:
        self.not_listed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self._check(report.nodeid, report.longrepr)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._check(report.nodeid, report.longrepr)

    def _check(self, nodeid: str, why: Any) -> None:
        no_recordings = not os.environ.get("NEVPARSE_REAL_DATA") and "no real recordings" in str(why)
        if not no_recordings and not any(name_of(nodeid) in names for names in SKIPPED.values()):
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
