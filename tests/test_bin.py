# SPDX-License-Identifier: MIT
"""The .bin and its sidecar: what numpy would slice, whole or not at all, planned before the first byte."""

from __future__ import annotations

import ctypes
import errno
import itertools
import json
import os
import shutil
import time
import tracemalloc

import builders as b
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from nevparse import _export, _output_files, _pump, _stream

FILES = "s.bin", "s.json"


@pytest.fixture
def small_buffers(monkeypatch):
    """Many steps from little data."""
    monkeypatch.setattr(_pump, "BUFFER_BYTES", 64)


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


def link_or_skip(make, target, link):
    try:
        make(target, link)
    except (OSError, NotImplementedError):
        pytest.skip("links cannot be made here")


# -------------------------------------------------------------------------------------------------- what is written


@pytest.mark.usefixtures("small_buffers")
@given(kind=st.sampled_from(b.KINDS), n_channels=st.integers(1, 30), n_samples=st.integers(1, 60), data=st.data())
def test_the_bin_is_numpys_slice(opened, out, kind, n_channels, n_samples, data):
    raw, samples = b.plausible(kind, n_channels, (n_samples,))
    columns = data.draw(
        st.none()
        | st.lists(st.integers(0, n_channels - 1), min_size=1, max_size=30)
        | st.permutations(range(n_channels))
        | st.integers(1, n_channels).map(lambda n: slice(0, n))
    )
    a, z = sorted(data.draw(st.tuples(*[st.integers(0, n_samples)] * 2)))
    ns = opened(raw)
    ticks = ns.segments[0].ticks().tolist()
    start_tick = ticks[a] if a < n_samples else ticks[-1]
    stop_tick = ticks[z] if z < n_samples else None
    want = samples[min(a, n_samples - 1) : z if z < n_samples else None]
    if columns is not None:
        want = want[:, columns]
    options = {"channels": columns, "start_tick": start_tick, "stop_tick": stop_tick, "overwrite": True}
    if len(want) == 0:
        with pytest.raises(ValueError, match="expected ticks that hold samples"):
            nv.write_bin(ns, out, **options)
    else:
        report = nv.write_bin(ns, out, **options)
        assert out.read_bytes() == want.tobytes()
        there = json.loads(out.with_suffix(".json").read_text())
        assert there["shape"] == [report.n_samples, report.n_channels] == list(want.shape)
        assert np.fromfile(out, there["dtype"]).reshape(there["shape"]).tobytes() == want.tobytes()
    ns.close()


@pytest.mark.usefixtures("small_buffers")
@given(st.sampled_from(b.BLOCK_KINDS), st.lists(st.integers(1, 20), min_size=2, max_size=6), st.permutations(range(4)))
def test_blocks_that_adjoin_are_written_as_one(opened, out, kind, n_samples, columns):
    edges = np.cumsum([0, *n_samples]).tolist()
    samples = b.ramp(edges[-1], 4, kind)
    blocks = [(50 + a, samples[a:z]) for a, z in itertools.pairwise(edges)]
    ns = opened(b.nsx(blocks, kind))
    nv.write_bin(ns, out, channels=columns, overwrite=True)
    assert out.read_bytes() == samples[:, columns].tobytes()
    ns.close()


@pytest.mark.parametrize("kind", b.KINDS)
@pytest.mark.parametrize("columns", [slice(0, 16), slice(None), list(range(19, -1, -1)), [5], slice(0, 20, 2)])
def test_real_buffers_give_the_same(opened, out, kind, columns):
    samples = b.ramp(30_000, 20, kind)  # more than one buffer
    nv.write_bin(opened(b.nsx([(0, samples)], kind)), out, channels=columns)
    assert out.read_bytes() == samples[:, columns].tobytes()


def test_the_sidecar_says_what_the_columns_and_rows_are(opened, out):
    heads = [b.channel(7, label="a"), b.analog_input(1), b.channel(9, label="µ", units="degC")]
    ns = opened(b.nsx([(1000, b.ramp(10, 3))], channels=heads, period=15))
    nv.write_bin(ns, out, channels=[2, 1, 0], start_tick=1016, stop_tick=1100)
    there = json.loads(out.with_suffix(".json").read_text())
    assert out.stat().st_size == there["size_bytes"] == 5 * 3 * 2
    expected = {
        "bin": "s.bin", "dtype": "<i2", "shape": [5, 3], "order": "C", "sampling_rate_hz": 2000.0,
        "tick_rate_hz": 30000, "time_origin": "2023-06-14T10:30:05.250000+00:00", "gaps": "error",
        "columns": [2, 1, 0], "electrode_ids": [9, 129, 7], "labels": ["µ", "ainp1", "a"],
        "kinds": ["neural", "analog", "neural"], "uv_per_bit": [None, pytest.approx(152.5925), 0.25],
        "uv_offset": [None, 0.0, 0.0],
        "source": {"name": "s.ns5", "size_bytes": ns.size_bytes, "spec": "2.3", "vendor": "blackrock",
                   "missing_bytes": 0},
    }  # fmt: skip
    assert {key: there[key] for key in expected} == expected
    assert there["stretches"] == [
        {"segment": 0, "start_row": 0, "stop_row": 5, "start_sample": 2, "anchors": [[0, 1030]]}
    ]


def test_the_report_says_what_was_written(opened, out):
    ns = opened(b.nsx([(0, b.ramp(300, 4))], ids=[5, 6, 7, 8]))
    report = nv.write_bin(ns, out, electrodes=[8, 5])
    assert (report.path, report.sidecar_path) == (str(out), str(out.with_suffix(".json")))
    assert (report.n_samples, report.n_channels, report.dtype, report.sampling_rate) == (300, 2, "<i2", 30000)
    assert (report.electrode_ids, report.size_bytes) == ((8, 5), 1200)
    words = ("300 samples x 2 channels", "int16", "little-endian", "sample by sample", "30000 Hz", "10 ms", "1.2 kB")
    assert all(word in str(report) for word in words), str(report)


def test_a_part_of_one_segment_is_no_gap(opened, out):
    raw, samples = b.plausible("2.3", 2, (5, 4))
    ns = opened(raw)
    second = ns.segments[1].start_tick
    nv.write_bin(ns, out, start_tick=second)
    assert out.read_bytes() == samples[5:].tobytes()
    nv.write_bin(ns, out, stop_tick=second, overwrite=True)
    assert out.read_bytes() == samples[:5].tobytes()


def test_progress_counts_every_row(opened, out, small_buffers):
    seen = []
    nv.write_bin(opened(b.plausible("2.3", 4, (50,))[0]), out, progress=lambda *step: seen.append(step))
    assert seen[-1] == (50, 50)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert len(seen) > 3


# --------------------------------------------------------------------------------------- refused before the first byte


def refusals():
    plausible = b.plausible("2.3")[0]
    yield pytest.param(
        plausible, {}, nv.GapError, r"broken 1 time.* pause of 1 s \(30000 samples\) after segment 0", id="gaps"
    )
    yield pytest.param(
        plausible, {"channels": []}, ValueError, "expected at least one channel, found none", id="no channel"
    )
    yield pytest.param(
        plausible, {"electrodes": [50]}, KeyError, "no electrode 50; there are electrodes 1-3", id="no electrode"
    )
    yield pytest.param(
        plausible, {"electrodes": [1], "labels": "a"}, ValueError, "one way to choose columns", id="two ways"
    )
    yield pytest.param(
        plausible, {"kind": "analog"}, KeyError, "no analog channels; there are neural channels", id="no kind"
    )
    yield pytest.param(plausible, {"gaps": "?"}, ValueError, "expected gaps to be one of", id="policy")
    yield pytest.param(
        plausible, {"stop_tick": 5}, ValueError, r"ticks that hold samples \(210000 to 210004, 240005", id="ticks"
    )
    yield pytest.param(b.nsx([]), {}, ValueError, r"\(the file has none\)", id="no samples")


@pytest.mark.parametrize(("data", "options", "error", "message"), list(refusals()))
def test_what_cannot_be_met_is_refused_before_the_first_byte(opened, out, data, options, error, message):
    out.write_bytes(b"older")
    with pytest.raises(error, match=message):
        nv.write_bin(opened(data), out, overwrite=True, **options)
    assert left_in(out.parent) == ["s.bin"]
    assert out.read_bytes() == b"older"


def test_a_gap_error_holds_the_gaps_and_names_a_way_out(opened, out):
    ns = opened(b.plausible("2.3", 2, (2,) * 9)[0])
    with pytest.raises(nv.GapError, match=r"and 3 more\. .*--start") as refused:
        nv.write_bin(ns, out)
    assert refused.value.gaps == ns.gaps
    assert len(ns.gaps) == 8


@pytest.mark.parametrize("in_the_way", FILES)
def test_an_older_file_is_kept_unless_overwritten(opened, out, in_the_way):
    raw, samples = b.plausible("2.3", 2, (5,))
    ns, older = opened(raw), out.with_name(in_the_way)
    older.write_bytes(b"older")
    with pytest.raises(nv.ExportError, match=f"{in_the_way} exists; .*overwrite=True"):
        nv.write_bin(ns, out)
    assert left_in(out.parent) == [in_the_way]
    assert older.read_bytes() == b"older"
    nv.write_bin(ns, out, overwrite=True)
    assert out.read_bytes() == samples.tobytes()
    assert left_in(out.parent) == sorted(FILES)


@pytest.mark.parametrize("how", ["itself", "symlink", "hard link", "sidecar", "part"])
def test_the_recording_is_never_written_over(file_of, tmp_path, how):
    raw = b.plausible("2.3", 2, (5,))[0]
    source = file_of(raw, "s.json" if how == "sidecar" else "s.ns5")
    target = tmp_path / "s.bin"
    if how == "itself":
        target = source
    elif how == "symlink":
        link_or_skip(os.symlink, source, target)
    elif how == "hard link":
        link_or_skip(os.link, source, target)
    elif how == "part":
        link_or_skip(os.symlink, source, tmp_path / "s.bin.nevparse-part")
    before = left_in(tmp_path)
    with nv.open_nsx(source) as ns, pytest.raises(nv.ExportError, match="is the recording itself"):
        nv.write_bin(ns, target, overwrite=True)
    assert left_in(tmp_path) == before
    with open(source, "rb") as file:
        assert file.read() == raw


def test_links_to_other_files_are_replaced_not_written_through(opened, out, tmp_path):
    raw, samples = b.plausible("2.3", 2, (5,))
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    for name in FILES:
        link_or_skip(os.symlink, precious, out.with_name(name))
    nv.write_bin(opened(raw), out, overwrite=True)
    assert out.read_bytes() == samples.tobytes()
    assert precious.read_bytes() == b"precious"
    assert not any(path.is_symlink() for path in out.parent.iterdir())
    assert left_in(out.parent) == sorted(FILES)


def test_a_link_to_nothing_is_a_file_in_the_way(opened, out):
    link_or_skip(os.symlink, "nowhere", out)
    with pytest.raises(nv.ExportError, match="exists"):
        nv.write_bin(opened(b.plausible("2.3", 2, (5,))[0]), out)


@pytest.mark.parametrize(
    ("name", "message"),
    [("no/such/folder/s.bin", "there is no folder"), ("s.json", "this name is .* sidecar's"), ("", "is a folder")],
)
def test_a_target_that_cannot_be_is_refused(opened, out, name, message):
    with pytest.raises(nv.ExportError, match=message):
        nv.write_bin(opened(b.plausible("2.3", 2, (5,))[0]), out.parent / name, overwrite=True)
    assert left_in(out.parent) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_device_or_pipe_is_not_replaced(opened, out):
    os.mkfifo(out)
    with pytest.raises(nv.ExportError, match="is not a regular file"):
        nv.write_bin(opened(b.plausible("2.3", 2, (5,))[0]), out, overwrite=True)
    assert left_in(out.parent) == ["s.bin"]


def test_too_little_space_is_said_before_the_first_byte(opened, out, monkeypatch):
    monkeypatch.setattr(_export, "free_bytes", lambda folder: 7)
    with pytest.raises(nv.ExportError, match=r"20 bytes are needed in .*, 7 bytes are free"):
        nv.write_bin(opened(b.plausible("2.3", 2, (5,))[0]), out)
    assert left_in(out.parent) == []


def test_free_space_is_told_with_and_without_statvfs(tmp_path, monkeypatch):
    with_it, usage = _export.free_bytes(str(tmp_path)), shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)  # it calls statvfs itself where there is one
    monkeypatch.delattr(os, "statvfs", raising=False)
    without = _export.free_bytes(str(tmp_path))
    assert with_it > 0
    assert abs(with_it - without) < 1 << 30  # other programs write meanwhile


# ------------------------------------------------------------------------------------------- whole, or nothing at all


class FullDisk(_output_files.FileIO):
    """A file on a disk that takes 100 bytes of it."""

    def write(self, data):
        if self.tell() + len(data) > 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


class Reluctant(_output_files.FileIO):
    """A file that takes at most 7 bytes at a time, as a system may."""

    def write(self, data):
        return super().write(bytes(data)[:7])


@pytest.mark.usefixtures("small_buffers")
@pytest.mark.parametrize("older", [False, True])
def test_a_full_disk_leaves_nothing_new(opened, out, monkeypatch, older):
    if older:
        for name in FILES:
            out.with_name(name).write_bytes(b"older")
    monkeypatch.setattr(_output_files, "FileIO", FullDisk)
    with pytest.raises(nv.ExportError, match="could not be written: No space left on device"):
        nv.write_bin(opened(b.plausible("2.3", 4, (50,))[0]), out, overwrite=older)
    assert left_in(out.parent) == (sorted(FILES) if older else [])
    assert all(path.read_bytes() == b"older" for path in out.parent.iterdir())


@pytest.mark.usefixtures("small_buffers")
def test_a_file_that_takes_a_few_bytes_at_a_time_is_written_whole(opened, out, monkeypatch):
    monkeypatch.setattr(_output_files, "FileIO", Reluctant)
    raw, samples = b.plausible("2.3", 4, (50,))
    nv.write_bin(opened(raw), out)
    assert out.read_bytes() == samples.tobytes()
    assert json.loads(out.with_suffix(".json").read_text())["shape"] == [50, 4]


@pytest.mark.usefixtures("small_buffers")
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_an_interruption_leaves_nothing(opened, out, error):
    def progress(done, total):
        if done > total / 2:
            raise error

    with pytest.raises(error):
        nv.write_bin(opened(b.plausible("2.3", 4, (50,))[0]), out, progress=progress)
    assert left_in(out.parent) == []


@pytest.mark.usefixtures("small_buffers")
@pytest.mark.parametrize("columns", [None, [2, 0]])
def test_an_input_that_shrinks_leaves_nothing(opened, out, columns):
    ns = opened(b.plausible("2.3", 4, (50,))[0])

    def shrink(done, total):
        os.truncate(ns.path, 600)

    with pytest.raises(nv.ExportError, match="it has become shorter since it was opened"):
        nv.write_bin(ns, out, channels=columns, progress=shrink)
    assert left_in(out.parent) == []


def test_an_interruption_while_a_file_is_made_leaves_nothing(opened, out, monkeypatch):
    """Ctrl-C may come when the file is on the disk and the call that made it has not returned."""

    class Interrupted(_output_files.FileIO):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            if arguments[-1] == "xb":
                self.close()
                raise KeyboardInterrupt

    monkeypatch.setattr(_output_files, "FileIO", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        nv.write_bin(opened(b.plausible("2.3", 2, (5,))[0]), out)
    assert left_in(out.parent) == []


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_target_that_cannot_be_renamed_to_leaves_nothing(opened, out, monkeypatch, overwrite):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    for name in ("link", "rename", "replace"):
        monkeypatch.setattr(os, name, refuse)
    with pytest.raises(nv.ExportError, match="could not be written: Permission denied"):
        nv.write_bin(opened(b.plausible("2.3", 2, (5,))[0]), out, overwrite=overwrite)
    assert left_in(out.parent) == []


@pytest.mark.parametrize("columns", [None, slice(0, 10), list(range(15, -1, -1))])
def test_memory_stays_bounded_whatever_the_size(tmp_path, out, columns):
    path = tmp_path / "s.ns5"
    path.write_bytes(b.basic_21(16) + b"".join(b.channel(k, kind="2.1") for k in range(16)))
    os.truncate(path, 40_000_000)
    with nv.open_nsx(path) as ns:
        tracemalloc.start()
        try:
            nv.write_bin(ns, out, channels=columns)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 12_000_000
    assert out.stat().st_size == ns.n_samples * 2 * (16 if columns != slice(0, 10) else 10)


# ------------------------------------------------------------------------------------------ space that is set aside


def answering(code):
    """A system call that sets errno, and fails where it is not 0."""

    def fallocate(*_):
        ctypes.set_errno(code)
        return -1 if code else 0

    return lambda: fallocate


@pytest.mark.parametrize("system", [None, _stream._fallocate, lambda: None, answering(errno.EOPNOTSUPP)])
def test_a_file_is_the_same_whether_the_system_sets_space_aside_or_not(opened, monkeypatch, out, system):
    if system is not None:
        monkeypatch.setattr(_stream, "_fallocate", system)
    raw, samples = b.plausible("2.3", 4, (50,))
    nv.write_bin(opened(raw), out)
    assert out.read_bytes() == samples.tobytes()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EFBIG])
def test_space_that_is_not_there_is_told_before_a_byte_is_written(opened, monkeypatch, out, code):
    monkeypatch.setattr(_stream, "_fallocate", answering(code))
    with pytest.raises(nv.ExportError, match="could not be written"):
        nv.write_bin(opened(b.plausible("2.3", 4, (50,))[0]), out)
    assert left_in(out.parent) == []


@pytest.mark.skipif(_stream._fallocate() is None, reason="this system cannot set space aside")
def test_space_set_aside_does_not_make_a_file_longer(tmp_path):
    with _output_files.FileIO(tmp_path / "f", "xb") as file:
        _stream.reserve(file, 1 << 20)
        file.write(b"abc")
    assert (tmp_path / "f").stat().st_size == 3
    assert (tmp_path / "f").stat().st_blocks * 512 >= 1 << 20


# -------------------------------------------------------------------------------------------- the thread that writes


@pytest.mark.parametrize("n_batches", [0, 1, _pump.BUFFERS - 1, _pump.BUFFERS, 3 * _pump.BUFFERS + 1])
def test_no_batch_is_made_where_one_still_waits_to_be_written(tmp_path, n_batches):
    """Each batch is made in the oldest of a few buffers, the way `Pump` does, while a slow file takes the others."""

    class Slow(_output_files.FileIO):
        def write(self, data):
            time.sleep(0.002)
            return super().write(data)

    def batches():
        buffers = [bytearray(4) for _ in range(_pump.BUFFERS)]
        for k in range(n_batches):
            buffer = buffers[k % len(buffers)]
            buffer[:] = k.to_bytes(4, "little")
            yield _pump.Batch(memoryview(buffer), k + 1)

    with Slow(tmp_path / "f", "xb") as file:
        assert list(_stream.stream(batches(), file)) == list(range(1, n_batches + 1))
    assert np.fromfile(tmp_path / "f", "<u4").tolist() == list(range(n_batches))
