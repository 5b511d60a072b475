# SPDX-License-Identifier: MIT
"""What can be found wrong with a file: stable codes, how bad each is, and what to do."""

from __future__ import annotations

from typing import NamedTuple

ERROR, WARNING, NOTE = "error", "warning", "note"

# Level, and what to do. The codes are stable; `spec_notes/check.md` lists them.
CODES: dict[str, tuple[str, str]] = {
    "unreadable": (ERROR, "use another copy of the file"),
    "unknown-version": (WARNING, "compare some values with the recording software before trusting them"),
    "header-size": (WARNING, "compare the first samples or packets with the recording software"),
    "tick-rate": (WARNING, "check times against something known"),
    "no-channels": (WARNING, "nothing was selected for recording"),
    "channel-header": (ERROR, "do not trust the channels' ids and scales"),
    "electrode-zero": (WARNING, "choose such channels by column"),
    "electrode-twice": (WARNING, "choose such channels by column"),
    "no-scale": (WARNING, "take the scale from elsewhere; the file has none"),
    "no-date": (NOTE, "times count from the recording's own start"),
    "no-samples": (WARNING, "the recording was stopped before it began, or the copy is not whole"),
    "cut-sample": (ERROR, "whole samples are kept; use another copy for the rest"),
    "cut-block": (ERROR, "whole samples are kept; use another copy for the rest"),
    "open-block": (WARNING, "the recorder died or is still writing; all that is there is read"),
    "no-block-header": (ERROR, "what follows is left out; use another copy"),
    "pause": (NOTE, "say what gaps should become when exporting"),
    "loss": (WARNING, "say what gaps should become when exporting"),
    "overlap": (WARNING, "export segment by segment"),
    "reset": (WARNING, "export segment by segment; match events by epoch"),
    "out-of-order": (WARNING, "read and export with sort=True"),
    "hidden-break": (WARNING, "read with NsxFile.exactly(); exports do so by themselves"),
    "uneven-packets": (ERROR, "read with NsxFile.exactly(); exports do so by themselves"),
    "cut-packet": (ERROR, "whole packets are kept; use another copy for the rest"),
    "waveform-type": (WARNING, "compare waveforms with the recording software"),
    "waveform-width": (WARNING, "waveforms are as long as the packets allow"),
    "unsorted": (NOTE, "ask for sort='tick'"),
    "no-electrode-header": (WARNING, "such spikes have no scale and no label"),
    "unknown-packets": (NOTE, "they are in NevFile.packets"),
    "unknown-headers": (NOTE, "they are in NevFile.unknown_headers"),
    "dates-differ": (WARNING, "check that the files are of one recording"),
    "events-outside": (NOTE, "they were made while no continuous data was recorded"),
}


class Finding(NamedTuple):
    """One thing that is not as it should be.

    Parameters
    ----------
    level : str
        ``error`` (data is missing or cannot be trusted), ``warning`` or ``note`` (normal, but good to know).
    code : str
        Stable name of what was found.
    path : str
        The file.
    offset : int
        Where in it, in bytes; 0 where it concerns the whole.
    message : str
        What was found, in one sentence.
    advice : str
        What to do.
    """

    level: str
    code: str
    path: str
    offset: int
    message: str
    advice: str

    def __str__(self) -> str:
        return f"{self.level}: {self.path}, byte {self.offset}: {self.message} [{self.code}]; {self.advice}"


def finding(code: str, path: str, message: str, offset: int = 0) -> Finding:
    """A finding, with the level and the advice that belong to its code."""
    level, advice = CODES[code]
    return Finding(level, code, path, offset, message, advice)
