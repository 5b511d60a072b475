# SPDX-License-Identifier: MIT
"""Recorders in other processes, which go on or are killed: claim C22 of `spec_notes/growing.md`."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
from builders import nev as nb
from builders.growing import Growing
from builders.recorders import KILL, odd_ends, recording
from processes import PATIENCE_S

import nevparse as nv
from nevparse.nsx.file import Chunk
from source.watching import contents, exported, quietly, samples_of, together, wait_for


def test_growing_c22_a_recorder_in_another_process_loses_nothing(tmp_path: Path, out: Path) -> None:
    made = Growing("2.3", [0, 400, 5000], [300, 250, 200], 3)
    ends = odd_ends(made.start, len(made.data), 1, 60)
    waits = [ends[len(ends) * k // 5] for k in range(1, 5)]
    with recording(tmp_path / "s.ns5", made.data, made.blocks, ends=ends, waits=waits) as recorder:
        wait_for(tmp_path / "s.ns5", made.start)
        with quietly(tmp_path / "s.ns5") as ns:
            live: dict[str, Any] = {
                "gaps": "fill",
                "follow": True,
                "poll_s": 0.005,
                "stop": lambda: recorder.poll() is not None,
            }
            export = threading.Thread(target=nv.write_bin, args=(ns, out), kwargs=live)
            export.start()
            chunks: list[Chunk] = []
            n = 0
            for chunk in ns.follow(poll_s=0.003, timeout_s=PATIENCE_S):
                chunks, n = [*chunks, chunk], n + len(chunk.samples)
                while waits and n >= made.n_whole(waits[0]):
                    recorder.stdin.write(f"{waits.pop(0)}\n")
                    recorder.stdin.flush()
                if n == len(made.samples):
                    break
            export.join()
            together(chunks, ns)
            np.testing.assert_array_equal(samples_of(ns), made.samples)
            assert len(chunks) >= 5
    assert contents(out.parent) == exported(tmp_path / "later", tmp_path / "s.ns5", gaps="fill")


def test_growing_c22_a_recorder_that_is_killed_loses_only_what_was_not_whole(tmp_path: Path, out: Path) -> None:
    made = Growing("2.3", [0, 400], [300, 500], 3)
    whole = odd_ends(made.start, len(made.data), 3, 80)
    die_at = next(at for at in whole if at > made.blocks[1].rows + 999 and (at - made.blocks[1].rows) % 6 == 5)
    packets = [nb.V2.comment(k, b"c" * 92) + nb.V2.more(b"d" * 50) for k in range(100)]
    nev_data = nb.nev([half for both in packets for half in (both[:104], both[104:])])
    nev_ends = odd_ends(336, len(nev_data), 4, 200)
    nev_die = next(at for at in nev_ends if at > 15000 and (at - 336) // 104 % 2 == 0)
    with (
        recording(tmp_path / "s.ns5", made.data, made.blocks, ends=whole, die_at=die_at) as one,
        recording(tmp_path / "s.nev", nev_data, ends=nev_ends, die_at=nev_die) as other,
    ):
        wait_for(tmp_path / "s.ns5", made.start)
        wait_for(tmp_path / "s.nev", 336)
        with quietly(tmp_path / "s.ns5") as ns, quietly(tmp_path / "s.nev", nv.open_nev) as nev:
            live: dict[str, Any] = {"follow": True, "poll_s": 0.005, "stop": lambda: one.poll() is not None}
            nv.write_bin(ns, out, gaps="join", **live)
            parts = []
            for part in nev.follow(poll_s=0.005, timeout_s=PATIENCE_S):
                parts.append(part)
                if part._recorded.start + part.n_packets * 104 == nev_die - (nev_die - 336) % 104:
                    break
            assert (one.wait(), other.wait()) == ((-KILL,) * 2 if os.name == "posix" else (KILL,) * 2)
            assert ns.n_samples == made.n_whole(die_at) > 400
            assert ns.missing_bytes == 1
            assert sum(part.n_packets for part in parts) == (nev_die - 336) // 104
            assert {comment.text for part in parts for comment in part.comments()} == {"c" * 92 + "d" * 50}
    assert out.read_bytes() == made.samples[: made.n_whole(die_at)].tobytes()
    assert contents(out.parent) == exported(tmp_path / "later", tmp_path / "s.ns5", gaps="join")
