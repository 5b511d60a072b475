# SPDX-License-Identifier: MIT
"""Files cut from files are what a builder makes of the selection, byte for byte; whole files are themselves."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path

import builders as b
import nev_builders as n
import numpy as np
import pytest
import timing_builders as t
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from nevparse import _cut_nev, _planned, _pump, cli
from nevparse._channels import Channel
from nevparse._headers import Filter
from nevparse.nev import NevFile

NEV_VERSIONS = [((2, 0), False), ((2, 1), False), ((2, 2), False), ((2, 3), False), ((3, 0), False), ((2, 2), True)]
NSX_DATE = datetime(2023, 6, 14, 10, 30, 5, 250_000, timezone.utc)
NEV_DATE = datetime(2024, 3, 14, 19, 9, 47, 630_000, timezone.utc)
NEUTRAL = (2000, 1, 6, 1, 0, 0, 0, 0)
NEUTRAL_DATE = datetime(2000, 1, 1)
every_kind = pytest.mark.parametrize("kind", b.KINDS)
every_nev = pytest.mark.parametrize(("version", "ripple"), NEV_VERSIONS, ids=str)


def words(moment):
    """A SYSTEMTIME."""
    clock = (moment.hour, moment.minute, moment.second, moment.microsecond // 1000)
    return (moment.year, moment.month, moment.isoweekday() % 7, moment.day, *clock)


@pytest.fixture
def small_buffers(monkeypatch):
    """Many steps from little data."""
    for module in (_pump, _cut_nev):
        monkeypatch.setattr(module, "BUFFER_BYTES", 64)
    monkeypatch.setattr(_planned, "_SMALL_BYTES", 40)


@pytest.fixture
def cut(out):
    """Write an NSx or NEV with options, and give its bytes back; the input is not touched."""
    target = out.with_name("cut")

    def call(file, **options):
        write = nv.write_nev if isinstance(file, NevFile) else nv.write_nsx
        report = write(file, target, overwrite=True, **options)
        data = target.read_bytes()
        assert (report.path, report.size_bytes) == (str(target), len(data))
        assert os.listdir(out.parent) == ["cut"]
        target.unlink()
        return data

    return call


@pytest.fixture
def nev_of(file_of):
    """Write a NEV and open it; it is closed behind the test."""
    files = []

    def open_(data, name="s.nev"):
        files.append(nv.open_nev(file_of(data, name)))
        return files[-1]

    yield open_
    for file in files:
        file.close()


def quietly(opener, data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", nv.NevParseWarning)
        return opener(data)


def refused(out, error, match, call):
    with pytest.raises(error, match=match):
        call()
    assert os.listdir(out.parent) == []


# ------------------------------------------------------------------------------------------------------ whole files

WHOLE = {
    "no block": b.nsx([]),
    "empty blocks": b.nsx([(5, b.ramp(3, 2)), (9, b.ramp(0, 2)), (9, b.ramp(2, 2)), (20, b.ramp(0, 2))]),
    "more headers": b.basic("2.3", 1, header_bytes=314 + 66 + 7) + b.channel(1) + b"unknown" + b.block("2.3", 0, [[1]]),
    "over 32 bits": t.blocks([2**32 - 300, 200], [500, 100]),
    "adjoining": t.blocks([0, 10, 20, 90], [10, 10, 10, 10]),
    "a hidden block": t.hidden_block(),
    "the clock set back": t.blocks([90_000, 0], [10, 10], "3.0"),
    "shuffled": t.ptp(t.shuffled(t.stamps(100), {50: [2, 0, 1]})),
    "an unknown minor version": b.nsx([(0, b.ramp(3, 2))], version=(2, 9)),
}


@pytest.mark.usefixtures("small_buffers")
@given(kind=st.sampled_from(b.KINDS), n_channels=st.integers(1, 9), n_samples=st.lists(st.integers(1, 30), min_size=1))
def test_writing_c01_the_whole_of_a_file_is_its_bytes(opened, cut, kind, n_channels, n_samples):
    raw, _ = b.plausible(kind, n_channels, tuple(n_samples))
    ns = opened(raw)
    assert cut(ns) == raw
    assert cut(ns, channels=range(n_channels), start_tick=0, segments=slice(None)) == raw
    ns.close()


@pytest.mark.parametrize("what", WHOLE)
def test_writing_c01_the_whole_of_an_odd_file_is_its_bytes(opened, cut, what):
    ns = quietly(opened, WHOLE[what])
    assert ns.damage == ()
    assert cut(ns) == WHOLE[what]


@pytest.mark.parametrize("what", ["over 32 bits", "adjoining", "a hidden block", "the clock set back", "shuffled"])
def test_writing_c01_and_c03_taking_it_block_by_block_gives_the_same(opened, cut, what, monkeypatch):
    """Without the way that copies the whole."""
    ns = opened(WHOLE[what])
    monkeypatch.setattr(ns, "damage", (None,))
    assert cut(ns) == WHOLE[what]


@every_nev
@pytest.mark.usefixtures("small_buffers")
def test_writing_c01_the_whole_of_a_nev_is_its_bytes(nev_of, cut, version, ripple):
    raw = n.every_kind(version, ripple)
    nev = nev_of(raw)
    assert cut(nev) == raw
    assert cut(nev, start_tick=0, electrodes=[*nev.electrodes, 300]) == raw, "the same, packet by packet"


def test_writing_c01_a_nev_without_packets(nev_of, cut):
    raw = n.nev(headers=[n.wav(1)])
    assert cut(nev_of(raw)) == raw


@pytest.mark.parametrize(
    "name",
    ["mne_real_2.3.ns3", "mne_synthetic_2.2.ns3", "mne_synthetic_3.0.ns3", "l101210-001.ns2", "l101210-001-02.nev",
     "limblab_datafile001.nev", "ripple_testData.nev", "ripple_testData.ns2", "ripple_hires.nf3", "labwritten.ns1"],
)  # fmt: skip
def test_writing_c01_real_recordings(real_file, cut, name):
    path = real_file(name)
    with (nv.open_nev if path.suffix == ".nev" else nv.open_nsx)(path) as file:
        assert cut(file) == path.read_bytes()
        some = {"start_tick": 0} if path.suffix == ".nev" else {"channels": range(file.n_channels)}
        assert cut(file, **some) == path.read_bytes()


# --------------------------------------------------------------------------------------------------------- crashes


@every_kind
def test_writing_c02_a_crash_cut_file_comes_out_whole(opened, cut, kind):
    raw, _ = b.plausible(kind, 3, (40, 25))
    short = quietly(opened, raw[:-50])
    data = cut(short)
    again = opened(data, "again.ns5")
    assert again.damage == ()
    assert again.missing_bytes == 0
    assert again.n_samples == short.n_samples < 65
    for one, other in zip(short.segments, again.segments, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)
        np.testing.assert_array_equal(one.ticks(), other.ticks())
    assert cut(again) == data


def test_writing_c02_a_block_that_was_never_closed(opened, cut):
    samples = b.ramp(20, 2)
    open_ = b.nsx([]) + b.block("2.3", 700, samples, n_samples=0)
    assert cut(quietly(opened, open_ + b"\x07")) == b.nsx([(700, samples)])


def test_writing_c02_what_is_no_block_is_left_out(opened, cut):
    raw = b.nsx([(700, b.ramp(9, 2))])
    assert cut(quietly(opened, raw + b"\xfejunk that is no header")) == raw


def test_writing_c02_a_wrong_count_of_header_bytes_is_put_right(opened, cut):
    wrong = b.nsx([(700, b.ramp(9, 2))], header_bytes=17)
    assert cut(quietly(opened, wrong)) == b.nsx([(700, b.ramp(9, 2))])


@every_nev
def test_writing_c02_a_cut_nev_comes_out_whole(nev_of, cut, version, ripple):
    raw = n.every_kind(version, ripple)
    size = struct.unpack_from("<I", raw, 16)[0]
    assert cut(quietly(nev_of, raw[:-7])) == raw[:-size]


def test_writing_c02_a_nev_with_a_wrong_count_of_headers(nev_of, cut):
    packets, headers = [n.V2.spike(5, 1, 0)], [n.wav(1), n.wav(2)]
    wrong = n.nev(packets, headers, n_extended=1)
    assert cut(quietly(nev_of, wrong)) == n.nev(packets, headers[:1])


def test_writing_c02_real_recordings(real_file, opened, nev_of, cut):
    nev = quietly(nv.open_nev, real_file("labwritten.NEV"))
    with nev:
        data = cut(nev)
    assert data == real_file("labwritten.NEV").read_bytes()[:-12]
    again = nev_of(data)
    assert (again.n_packets, again.damage) == (11, ())
    with quietly(nv.open_nsx, real_file("mne_synthetic_2.1.ns3")) as ns:
        assert cut(ns) == real_file("mne_synthetic_2.1.ns3").read_bytes()[:-9]


# ------------------------------------------------------------------------------------------------------ selections


def nsx_of(kind, heads, parts, period, rate, **header):
    """What a file of these blocks is: `parts` are (ticks, samples)."""
    blocks = [(ticks[0], samples) for ticks, samples in parts]
    if kind != "ptp":
        return b.nsx(blocks, kind, channels=heads, period=period, tick_rate=rate, **header)
    head = b.nsx([], kind, channels=heads, period=period, tick_rate=rate, **header)
    return head + b"".join(b.packets(ticks, samples) for ticks, samples in parts)


@st.composite
def recordings(draw):
    """Blocks with a pause behind each: kind, channel headers, (ticks, samples) of each block, period, tick rate."""
    kind = draw(st.sampled_from(b.KINDS))
    period = draw(st.sampled_from([1, 3, 15]))
    rate = b.NANOSECONDS if kind == "ptp" else 30000
    n_channels = draw(st.integers(1, 12))
    ids = draw(st.lists(st.integers(1, 300), min_size=n_channels, max_size=n_channels, unique=True))
    n_blocks = 1 if kind == "2.1" else draw(st.integers(1, 4))
    tick, first, parts = (0 if kind == "2.1" else draw(st.integers(0, 10**6))), 0, []
    for _ in range(n_blocks):
        count = draw(st.integers(1, 20))
        samples = b.ramp(count, n_channels, kind, first)
        if kind == "nfx":
            samples[::7] = np.nan
        parts.append((b.even_ticks(kind, tick, count, period, rate), samples))
        tick, first = parts[-1][0][-1] + rate + draw(st.integers(0, 10**6)), first + count
    return kind, [b.channel(k, kind=kind, pin=k % 32) for k in ids], parts, period, rate


def selected(parts, columns, segments, start, stop):
    """(ticks, samples) of what is left of each block."""
    for k, (ticks, samples) in enumerate(parts):
        kept = [i for i, tick in enumerate(ticks) if start <= tick < stop]
        if kept and (segments is None or k in segments):
            yield [ticks[i] for i in kept], samples[kept][:, columns]


@pytest.mark.usefixtures("small_buffers")
@given(recordings(), st.data())
def test_writing_c03_and_c05_and_c09_a_cut_is_what_a_builder_makes_of_the_selection(opened, cut, out, recording, data):
    kind, heads, parts, period, rate = recording
    columns = data.draw(st.lists(st.sampled_from(range(len(heads))), min_size=1, unique=True))
    segments = data.draw(st.none() | st.lists(st.sampled_from(range(len(parts))), min_size=1))
    every = [tick for ticks, _ in parts for tick in ticks]
    edges = st.sampled_from(every) | st.integers(0, every[-1] + 2)
    start, stop = data.draw(st.none() | edges), data.draw(st.none() | edges)
    left = list(selected(parts, columns, segments, start or 0, every[-1] + 1 if stop is None else stop))
    ns = opened(nsx_of(kind, heads, parts, period, rate))
    asked = {"channels": columns, "segments": segments, "start_tick": start, "stop_tick": stop}
    if not left or (kind == "2.1" and left[0][0][0]):
        match = "expected ticks that hold samples" if not left else "NSx 2.1 has no timestamps"
        refused(out, ValueError, match, lambda: cut(ns, **asked))
    else:
        header = {}
        if kind in ("3.0", "ptp"):
            passed = timedelta(microseconds=(left[0][0][0] - every[0]) * 10**6 // rate)
            header["origin"] = words(NSX_DATE + passed)
        want = nsx_of(kind, [heads[k] for k in columns], left, period, rate, **header)
        assert cut(ns, **asked) == want
        again = opened(want, "again.ns5")
        assert cut(again, start_tick=start, stop_tick=stop) == want
        assert [again.spec, again.vendor, again.damage] == [ns.spec, ns.vendor, ()]
        ticks = [tick for segment in again.segments for tick in segment.ticks().tolist()]
        assert ticks == [tick for kept, _ in left for tick in kept]
        again.close()
    ns.close()


@pytest.mark.parametrize(
    "choice", [{"electrodes": [129, 3]}, {"labels": ["ainp1", "elec3"]}, {"channels": [-1, 1]}], ids=str
)
def test_writing_c03_channels_in_every_way(opened, cut, choice):
    heads, samples = [b.channel(2), b.channel(3), b.analog_input(1)], b.ramp(9, 3)
    ns = opened(b.nsx([(5, samples)], channels=heads))
    assert cut(ns, **choice) == b.nsx([(5, samples[:, [2, 1]])], channels=[heads[2], heads[1]])
    assert cut(ns, kind="neural") == b.nsx([(5, samples[:, :2])], channels=heads[:2])


def test_writing_c03_segments_in_every_way(opened, cut):
    ns = opened(b.plausible("2.3", 2, (5, 4, 3))[0])
    last = cut(ns, segments=[2])
    assert cut(ns, segments=-1) == cut(ns, segments=slice(2, None)) == cut(ns, segments=np.array([-1, 2])) == last
    assert cut(ns, segments=[2, 0]) == cut(ns, segments=[0, 2]), "in file order"


def test_writing_c03_blocks_stay_and_empty_ones_go(opened, cut):
    ns = opened(WHOLE["empty blocks"])
    assert cut(ns, channels=[1]) == b.nsx([(5, b.ramp(3, 2)[:, 1:]), (9, b.ramp(2, 2)[:, 1:])], ids=[2])
    ns = opened(WHOLE["adjoining"])
    assert len(ns.segments) == 2
    assert cut(ns, start_tick=5, stop_tick=25) == b.nsx(
        [(5, b.ramp(5, 2, first=5)), (10, b.ramp(10, 2, first=10)), (20, b.ramp(5, 2, first=20))]
    )


def test_writing_c03_headers_of_unknown_kinds_stay(opened, cut):
    wide = b.basic("2.3", 2, header_bytes=314 + 132 + 7) + b.channel(1) + b.channel(2) + b"unknown"
    ns = opened(wide + b.block("2.3", 0, [[1, 2]]))
    want = b.basic("2.3", 1, header_bytes=314 + 66 + 7) + b.channel(2) + b"unknown" + b.block("2.3", 0, [[2]])
    assert cut(ns, channels=[1]) == want


@given(st.integers(1, 299), st.integers(1, 300), st.sampled_from([1, 3]))
def test_writing_c04_a_cut_block_starts_at_its_first_samples_own_tick(opened, cut, a, length, period):
    samples = b.ramp(600, 1)
    ns = opened(b.nsx([(10, samples)], "3.0", period=period, tick_rate=10**9))
    ticks = ns.segments[0].ticks()
    start, stop = int(ticks[a]), int(ticks[a + length - 1]) + 1
    again = opened(cut(ns, start_tick=start, stop_tick=stop), "again.ns5")
    assert again.segments[0].start_tick == start
    np.testing.assert_array_equal(again.read(), samples[a : a + length])
    earlier = (ticks[a : a + length] - again.segments[0].ticks()).astype(int)
    assert set(earlier.tolist()) <= {0, 1}
    assert cut(again, start_tick=start, stop_tick=stop) == cut(ns, start_tick=start, stop_tick=stop)
    ns.close()
    again.close()


def test_writing_c05_packets_keep_their_own_timestamps(opened, cut):
    ticks = t.shuffled(t.stamps(300, drift_ppm=80, jitter_ns=90, breaks={200: 900}), {50: [2, 0, 1]})
    ns = opened(t.ptp(ticks))
    again = opened(cut(ns, channels=[1], start_tick=int(ticks[10]), stop_tick=int(ticks[290])), "again.ns5")
    assert again.stamped
    assert [len(ns.segments), len(again.segments)] == [2, 2]
    np.testing.assert_array_equal(np.concatenate([s.ticks() for s in again.segments]), ticks[10:290])
    np.testing.assert_array_equal(np.concatenate([s.samples for s in again.segments]), b.ramp(300, 2)[10:290, 1:])


def test_writing_c06_a_later_part_of_2_1_is_refused(opened, cut, out):
    ns = opened(b.nsx([(0, b.ramp(50, 2))], "2.1", period=3))
    assert cut(ns, stop_tick=30, electrodes=[2]) == b.nsx([(0, b.ramp(10, 2)[:, 1:])], "2.1", ids=[2], period=3)
    refused(out, ValueError, "starts at tick 0, not 33.*create_nsx", lambda: cut(ns, start_tick=31))


@pytest.mark.parametrize("kind", ["2.2", "2.3", "ripple"])
def test_writing_c07_and_c08_where_32_bits_ran_over(opened, cut, kind):
    ns = opened(t.blocks([2**32 - 300, 200, 90_000], [500, 100, 10], kind))
    assert [segment.start_tick for segment in ns.segments] == [2**32 - 300, 2**32 + 90_000]
    late = opened(cut(ns, start_tick=2**32 + 50), "late.ns5")
    assert [segment.start_tick for segment in late.segments] == [50, 90_000], "as the recorder wrote them"
    for tick in (50, 200, 90_000):
        assert abs(late.datetime(tick) - ns.datetime(2**32 + tick)) < timedelta(milliseconds=1)
    across = opened(cut(ns, start_tick=2**32 - 100), "across.ns5")
    assert [segment.start_tick for segment in across.segments] == [2**32 - 100, 2**32 + 90_000]
    assert across.time_origin == ns.time_origin


def test_writing_c07_segments_that_could_not_be_told_apart_are_refused(opened, cut, out):
    far = t.blocks([0, 2**32 - 300, 90_000], [10, 300, 10])
    ns = opened(far)
    assert len(ns.segments) == 3
    assert ns.segments[2].start_tick == 2**32 + 90_000
    refused(out, ValueError, "run over 32 bits", lambda: cut(ns, segments=[0, 2]))
    assert cut(ns, segments=[0, 1, 2]) == far


@pytest.mark.parametrize("start", [t.BOOT_NS, t.EPOCH_NS, t.EPOCH_NS + 37 * 10**9], ids=["boot", "utc", "tai"])
def test_writing_c08_the_date_stands_for_the_first_sample(opened, cut, start):
    ns = opened(t.ptp(t.stamps(60_000, start=start, period=30), period=30))
    ticks = ns.segments[0].ticks()
    again = opened(cut(ns, start_tick=int(ticks[59_000])), "again.ns5")
    assert again.n_samples == 1000
    assert again.time_origin != ns.time_origin
    for k in (59_000, 59_999):
        assert abs(again.datetime(ticks[k]) - ns.datetime(ticks[k])) <= timedelta(milliseconds=1)
    assert again.time_base.note == ns.time_base.note


# ------------------------------------------------------------------------------------------------------------- NEV


def taken_apart(raw):
    """Basic header, extended headers and packets of a NEV."""
    start, size = struct.unpack_from("<II", raw, 12)
    headers = [raw[at : at + 32] for at in range(336, start, 32)]
    return raw[:336], headers, [raw[at : at + size] for at in range(start, len(raw), size)]


def put_together(basic, headers, packets, date=None):
    basic = basic[:12] + struct.pack("<I", 336 + 32 * len(headers)) + basic[16:332] + struct.pack("<I", len(headers))
    if date is not None:
        basic = basic[:28] + struct.pack("<8H", *date) + basic[44:]
    return basic + b"".join(headers) + b"".join(packets)


def stamp_and_id(packet, version):
    return struct.unpack_from("<QH" if version[0] == 3 else "<IH", packet)


def kept_packets(packets, version, ripple, electrodes, start, stop):
    """Those that a selection holds, each with what goes on with it."""
    last, ones, keeps = (5120, 10240) if ripple else (0x7FFF, 0), n.ALL_ONES[8 if version[0] == 3 else 4], False
    for packet in packets:
        tick, number = stamp_and_id(packet, version)
        if tick != ones:
            of_electrode = 1 <= number <= max(last)
            keeps = start <= tick < stop and (electrodes is None or not of_electrode or number in electrodes)
        if keeps:
            yield packet


@every_nev
@pytest.mark.usefixtures("small_buffers")
@given(
    electrodes=st.none() | st.lists(st.sampled_from([1, 129, 300]), min_size=1, unique=True),
    start=st.integers(0, 300),
    stop=st.integers(0, 300),
)
def test_writing_c08_and_c09_and_c10_a_cut_nev(nev_of, cut, out, version, ripple, electrodes, start, stop):
    raw = n.every_kind(version, ripple)
    basic, headers, packets = taken_apart(raw)
    of_electrodes = [b"NEUEVWAV", b"NEUEVLBL", b"NEUEVFLT"]
    left = list(kept_packets(packets, version, ripple, electrodes, start, stop))
    nev = nev_of(raw)
    asked = {"electrodes": electrodes, "start_tick": start, "stop_tick": stop}
    if not left:
        refused(out, ValueError, "expected a selection that holds packets", lambda: cut(nev, **asked))
        return
    if electrodes is not None:
        headers = [
            head for head in headers
            if head[:8] not in of_electrodes or struct.unpack_from("<H", head, 8)[0] in electrodes
        ]  # fmt: skip
    date = None
    if version == (3, 0):
        known = [stamp_and_id(packet, version) for packet in left]
        known = [(tick, number) for tick, number in known if number < 0x8000 or number > 0xFFF0]
        known = [(tick, number) for tick, number in known if tick != n.ALL_ONES[8]]
        starts = [tick for tick, number in known if number == 0xFFF9]
        if known:
            tick = starts[0] if starts else min(tick for tick, _ in known)
            passed = timedelta(microseconds=(tick - 260) * 10**6 // 30_000)
            date = words(NEV_DATE + passed)
    data = cut(nev, **asked)
    assert data == put_together(basic, headers, left, date)
    again = nev_of(data, "again.nev")
    assert cut(again, start_tick=start, stop_tick=stop) == data
    assert (again.damage, again.n_packets) == ((), len(left))
    if version == (3, 0) and date:
        assert abs(again.datetime(150) - nev.datetime(150)) <= timedelta(milliseconds=1)


@every_nev
def test_writing_c10_kinds(nev_of, cut, version, ripple):
    basic, headers, packets = taken_apart(n.every_kind(version, ripple))
    nev = nev_of(n.every_kind(version, ripple))
    comments = [packets[k] for k in (6, 7, 8, 16, 17)]
    date = words(NEV_DATE + timedelta(microseconds=(200 - 260) * 10**6 // 30_000)) if version == (3, 0) else None
    assert cut(nev, kinds="comment") == put_together(basic, headers, comments, date)
    spikes = cut(nev, kinds=["spike", "comment"], electrodes=[300, 1], start_tick=95, stop_tick=250)
    kept = [packets[k] for k in (0, 3, 6, 7, 8)]
    assert taken_apart(spikes)[2] == kept
    again = nev_of(spikes, "again.nev")
    assert again.comments() == nev.comments()[:3]
    assert list(again.electrodes) == [1], "300 had no header"


def test_writing_c10_ripples_stimuli_are_electrodes_too(nev_of, cut):
    nev = nev_of(n.every_kind((2, 2), True))
    again = nev_of(cut(nev, electrodes=5249), "again.nev")
    assert (again.kinds()["stim"], "spike" in again.kinds(), list(again.electrodes)) == (1, False, [5249])
    np.testing.assert_array_equal(again.events("stim"), nev.events("stim"))


def test_writing_c10_real_spikes(real_file, nev_of, cut):
    with nv.open_nev(real_file("l101210-001-02.nev")) as nev:
        again = nev_of(cut(nev, electrodes=[3, 90], start_tick=20_000, stop_tick=90_000), "again.nev")
        want = nev.spikes(electrodes=[3, 90], start_tick=20_000, stop_tick=90_000)
        assert len(want) > 50
        np.testing.assert_array_equal(again.spikes(), want)
        assert again.electrodes == {number: nev.electrodes[number] for number in (3, 90)}
        digital = nev.events("digital")
        inside = (digital["tick"] >= 20_000) & (digital["tick"] < 90_000)
        np.testing.assert_array_equal(again.events("digital"), digital[inside])
        assert 0 < inside.sum() < len(digital)


def test_writing_c10_packets_that_go_on_before_any_begins(nev_of, cut):
    stray = n.V2.more(b"of nothing")
    raw = n.nev([stray, n.V2.spike(5, 1, 0)], [n.wav(1)])
    assert cut(nev_of(raw)) == raw
    assert cut(nev_of(raw), start_tick=0) == n.nev([n.V2.spike(5, 1, 0)], [n.wav(1)])


# ----------------------------------------------------------------------------------------------------- anonymising

SECRET = b"J. Doe"


def secretive(kind):
    """A file that names somebody wherever text can stand, and behind its ends."""
    junk = b"seen\0" + SECRET
    heads = [b.channel(k, kind=kind, label=b"L%d\0" % k + SECRET, units=b"uV\0" + SECRET) for k in (1, 2)]
    header = {"comment": SECRET, "label": junk}
    if kind in ("ripple", "nfx"):
        header["application"] = b.TRELLIS + SECRET
    header_bytes = {} if kind == "2.1" else {"header_bytes": 314 + 132 + 9}
    raw = b.nsx([(5, b.ramp(4, 2, kind))], kind, channels=heads, **({} if kind == "2.1" else header | header_bytes))
    if kind == "2.1":
        return b.basic_21(2, label=junk) + raw[32:]
    return raw[: 314 + 132] + b"---" + SECRET + raw[314 + 132 :]


@every_kind
def test_writing_c11_nothing_that_was_said_is_left_of_an_nsx(opened, cut, kind):
    ns = opened(secretive(kind))
    data = cut(ns, anonymise=True)
    assert SECRET in secretive(kind)
    assert SECRET not in data
    again = opened(data, "again.ns5")
    heads = [b.channel(k, kind=kind, label=b"L%d" % k, units="uV") for k in (1, 2)]
    if kind == "2.1":
        assert data == b.basic_21(2, label="seen") + b.nsx([(0, b.ramp(4, 2))], "2.1")[32:]
    else:
        header = {"label": "seen", "origin": NEUTRAL, "application": b"Trellis"}
        assert data == b.nsx([(5, b.ramp(4, 2, kind))], kind, channels=heads, **header)
        assert again.time_origin == NEUTRAL_DATE.replace(tzinfo=timezone.utc)
        assert [again.vendor, again.comment, again.label] == [ns.vendor, "", "seen"]
    again.close()
    named = opened(cut(ns, anonymise="labels", channels=[1]), "named.ns5")
    assert [named.label, named.channels[0].label] == ["", "" if kind == "2.1" else "ch2"]


@every_nev
@pytest.mark.usefixtures("small_buffers")
def test_writing_c12_nothing_that_was_said_is_left_of_a_nev(nev_of, cut, version, ripple):
    make = n.RIPPLE if ripple else n.V3 if version[0] == 3 else n.V2
    headers = [
        n.extended(b"ARRAYNME", SECRET), n.extended(b"ECOMMENT", SECRET), n.extended(b"CCOMMENT", SECRET),
        n.extended(b"MAPFILE", SECRET), n.extended(b"WHATEVER", SECRET), n.wav(1), n.lbl(1, b"one\0" + SECRET),
        n.extended(b"DIGLABEL", struct.pack("<16sB", b"digin\0" + SECRET, 1) + SECRET),
        n.extended(b"VIDEOSYN", struct.pack("<H16sf", 0, b"cam\0" + SECRET, 25.0)),
        n.extended(b"TRACKOBJ", struct.pack("<HHH16s", 1, 1, 4, b"rat\0" + SECRET)),
    ]  # fmt: skip
    wave = list(range(5))
    log = struct.pack("<H", 1) + SECRET
    packets = [
        make.spike(10, 1, 3, wave),
        make.comment(20, SECRET, data=0x04030201),
        make.more(SECRET),
        make.digital(30, 1, 77, bytes(20) + SECRET),
        make.packet(40, 0xFFFB, log),
        make.packet(50, 0xFFFA, log),
        make.packet(60, 0x8001, SECRET),
        make.spike(70, 1, 0, wave),
        make.more(b"WAVE"),
        make.button(80, 1)[:20] + SECRET.ljust(make.size - 20, b"\0"),
    ]
    said = {"comment": SECRET, "application": b"Trellis" + SECRET if ripple else SECRET}
    raw = n.trellis(packets, headers, **said) if ripple else n.nev(packets, headers, version=version, **said)
    nev = nev_of(raw)
    data = cut(nev, anonymise=True)
    assert raw.count(SECRET) >= 16
    assert SECRET not in data
    again = nev_of(data, "again.nev")
    assert again.vendor == nev.vendor
    assert again.kinds() == nev.kinds()
    utc = timezone.utc if version[0] == 3 else None
    assert again.time_origin == NEUTRAL_DATE.replace(tzinfo=utc)
    np.testing.assert_array_equal(again.spikes(), nev.spikes())
    np.testing.assert_array_equal(again.events("digital")["value"], [77])
    np.testing.assert_array_equal(again.packets["tick"], nev.packets["tick"])
    assert again.comments() == (nev.comments()[0]._replace(text=""),)
    assert [again.electrodes[1].label, again.digital_labels[0].label] == ["one", "digin"]
    assert [again.video_sources[0].name, again.trackables[0].name] == ["cam", "rat"]
    assert (again.unknown_headers, again.header_comments, again.map_file, again.array_name) == ((), (), "", "")
    named = nev_of(cut(nev, anonymise="labels"), "named.nev")
    assert [named.electrodes[1].label, named.digital_labels[0].label] == ["ch1", ""]
    assert [named.video_sources[0].name, named.trackables[0].name] == ["", ""]
    assert b"WAVE" in data, "what goes on with a waveform is a waveform"
    assert cut(again, anonymise=True) == data


def test_writing_c13_timestamps_that_tell_the_date(opened, nev_of, cut, out):
    stamps = t.stamps(50, start=t.EPOCH_NS)
    ns = opened(t.ptp(stamps))
    base = t.EPOCH_NS // 10**9 * 10**9
    refused(out, ValueError, f"tell the date.*: {base}$", lambda: cut(ns, anonymise=True))
    refused(out, ValueError, "tell the date", lambda: cut(ns, anonymise=True, base_tick=5))
    refused(out, ValueError, "the first timestamp", lambda: cut(ns, anonymise=True, base_tick=t.EPOCH_NS + 1))
    refused(out, ValueError, "is for anonymising", lambda: cut(ns, base_tick=base))
    again = opened(cut(ns, anonymise=True, base_tick=base), "again.ns5")
    np.testing.assert_array_equal(again.segments[0].ticks(), stamps - np.uint64(base))
    np.testing.assert_array_equal(again.read(), ns.read())
    assert cut(ns) == t.ptp(stamps)
    packets = [n.V3.spike(t.EPOCH_NS + 5, 1, 0), n.V3.more(b"more"), n.V3.packet(9, 0x8001, b"")]
    nev = nev_of(n.nev(packets, version=(3, 0), tick_rate=10**9))
    refused(out, ValueError, "tell the date", lambda: cut(nev, anonymise=True))
    left = taken_apart(cut(nev, anonymise=True, base_tick=base))[2]
    assert left == [n.V3.spike(t.EPOCH_NS + 5 - base, 1, 0), packets[1], packets[2]]
    blocks = opened(b.nsx([(t.EPOCH_NS, b.ramp(9, 1))], "3.0", tick_rate=10**9), "blocks.ns5")
    again = opened(cut(blocks, anonymise=True, base_tick=base), "again.ns5")
    assert again.segments[0].start_tick == t.EPOCH_NS - base


def test_writing_c13_other_clocks_need_no_base(opened, cut, out):
    refused(
        out, ValueError, "is for anonymising", lambda: cut(opened(b.nsx([(9, [[1]])])), anonymise=True, base_tick=5)
    )


# ------------------------------------------------------------------------------------------------------- refusals


def test_writing_c14_the_input_is_never_written(opened, nev_of):
    for file, write in ((opened(b.plausible("2.3")[0]), nv.write_nsx), (nev_of(n.every_kind((2, 3))), nv.write_nev)):
        before = Path(file.path).read_bytes()
        folder, name = os.path.split(file.path)
        names = [file.path, os.path.join(folder, ".", name)]
        for make in (os.symlink, os.link):
            names.append(file.path + make.__name__)
            make(file.path, names[-1])
        if os.path.exists(file.path.upper()):
            names.append(os.path.join(folder, name.upper()))
        for other in names:
            with pytest.raises(nv.ExportError, match="is the recording itself"):
                write(file, other, overwrite=True)
        assert Path(file.path).read_bytes() == before
        for other in names[2:4]:
            os.unlink(other)


def test_writing_c14_what_is_in_the_way(opened, out, monkeypatch):
    ns = opened(b.plausible("2.3")[0])
    out.write_bytes(b"mine")
    with pytest.raises(nv.ExportError, match="exists; choose another name"):
        nv.write_nsx(ns, out)
    with pytest.raises(nv.ExportError, match="is a folder"):
        nv.write_nsx(ns, out.parent, overwrite=True)
    with pytest.raises(nv.ExportError, match="there is no folder"):
        nv.write_nsx(ns, out.parent / "none" / "s")
    assert out.read_bytes() == b"mine"
    assert nv.write_nsx(ns, out, overwrite=True).size_bytes == out.stat().st_size == ns.size_bytes
    out.unlink()
    monkeypatch.setattr("nevparse._export.free_bytes", lambda folder: 100)
    refused(out, nv.ExportError, "are needed", lambda: nv.write_nsx(ns, out))


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"channels": []}, ValueError, "at least one channel"),
        ({"channels": [0, 1, 0]}, ValueError, "found column 0 more often"),
        ({"channels": [3]}, ValueError, "expected columns 0 to 2"),
        ({"electrodes": [4]}, KeyError, "no electrode 4; there are electrodes 1-3"),
        ({"labels": "x*"}, KeyError, "no label"),
        ({"kind": "analog"}, KeyError, "no analog channels"),
        ({"segments": []}, ValueError, "at least one segment"),
        ({"segments": [2]}, ValueError, r"expected segments \(0 to 1\), found 2"),
        ({"segments": slice(5, 9)}, ValueError, "at least one segment"),
        ({"start_tick": 10**9}, ValueError, "expected ticks that hold samples"),
        ({"start_tick": 210_001, "stop_tick": 210_001}, ValueError, "expected ticks that hold samples"),
        ({"segments": 1, "stop_tick": 210_002}, ValueError, "expected ticks that hold samples"),
        ({"anonymise": "all"}, ValueError, "expected anonymise"),
    ],
    ids=str,
)
def test_writing_c14_selections_that_are_refused(opened, cut, out, options, error, match):
    refused(out, error, match, lambda: cut(opened(b.plausible("2.3")[0]), **options))


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"electrodes": []}, ValueError, "at least one electrode"),
        ({"electrodes": [7]}, KeyError, "no electrode 7"),
        ({"electrodes": 70_000}, ValueError, "from 0 to 65535"),
        ({"kinds": []}, ValueError, "expected kinds among spike"),
        ({"kinds": ["spikes"]}, ValueError, "found spikes"),
        ({"kinds": "stim"}, ValueError, "ticks 90 to 280.*found none"),
        ({"start_tick": 300}, ValueError, "found none"),
        ({"anonymise": "names"}, ValueError, "expected anonymise"),
    ],
    ids=str,
)
def test_writing_c14_nev_selections_that_are_refused(nev_of, cut, out, options, error, match):
    refused(out, error, match, lambda: cut(nev_of(n.every_kind((2, 3))), **options))


def test_writing_c14_nothing_is_left_where_writing_fails(opened, out, monkeypatch):
    ns = opened(b.plausible("2.3")[0])
    for name in ("link", "rename", "replace"):
        monkeypatch.setattr(os, name, lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    refused(out, nv.ExportError, "could not be written", lambda: nv.write_nsx(ns, out))


def test_writing_c14_an_input_that_shrinks(opened, out):
    ns = opened(b.nsx([(0, b.ramp(100_000, 4))]))
    _ = ns.segments
    os.truncate(ns.path, 1000)
    refused(out, nv.ExportError, "shorter", lambda: nv.write_nsx(ns, out, channels=[1]))


def test_writing_c14_an_array_is_not_a_recording(out):
    refused(out, TypeError, "create_nsx", lambda: nv.write_nsx(np.zeros((3, 3), np.int16), out))


# ------------------------------------------------------------------------------------------------------- new files

texts = st.text(st.characters(codec="cp1252", exclude_characters="\0"), max_size=16).filter(lambda s: s[-1:] != " ")
whole = st.integers(-(2**15), 2**15 - 1)
ranges = st.tuples(whole, whole).filter(lambda ends: ends[0] != ends[1])
filters = st.none() | st.builds(
    lambda mhz, order, kind: Filter(mhz / 1000, order, kind),
    st.integers(1, 2**32 - 2), st.integers(1, 2**32 - 1), st.sampled_from(["butterworth", "chebyshev", "7"]),
)  # fmt: skip
descriptions = st.builds(
    nv.NewChannel, st.integers(1, 65535), texts, texts, ranges, ranges, st.integers(0, 64), st.integers(0, 255),
    filters, filters,
)  # fmt: skip


@given(
    described=st.lists(descriptions, min_size=1, max_size=4, unique_by=lambda channel: channel.electrode_id),
    n_samples=st.integers(1, 40),
    version=st.sampled_from(["2.3", "3.0"]),
    period=st.integers(1, 2**32 - 1) | st.sampled_from([1, 3, 7, 15, 30]),
    tick_rate=st.sampled_from([30_000, 10**9]),
    start_tick=st.integers(0, 2**32 - 1),
    date=st.none() | st.datetimes(datetime(1601, 1, 1), datetime(9999, 1, 1), timezones=st.just(timezone.utc)),
    label=texts,
)
def test_writing_c15_what_is_created_reads_back(
    opened, out, described, n_samples, version, period, tick_rate, start_tick, date, label
):
    samples = b.ramp(n_samples, len(described))
    report = nv.create_nsx(
        samples, out, described, sampling_rate=30_000 / period, spec=version, tick_rate=tick_rate,
        start_tick=start_tick, time_origin=date, label=label, comment=label * 16, overwrite=True,
    )  # fmt: skip
    with nv.open_nsx(out) as ns:
        assert (report.size_bytes, report.n_samples, report.n_channels) == (ns.size_bytes, *samples.shape)
        assert (ns.spec, ns.vendor, ns.period, ns.tick_rate, ns.damage) == (version, "blackrock", period, tick_rate, ())
        assert (ns.label, ns.comment.rstrip(), len(ns.segments)) == (label, (label * 16).rstrip(), 1)
        assert ns.time_origin == (date and date.replace(microsecond=date.microsecond // 1000 * 1000))
        assert ns.segments[0].start_tick == start_tick
        np.testing.assert_array_equal(ns.read(), samples)
        for column, (channel, want) in enumerate(zip(ns.channels, described, strict=True)):
            same = ("electrode_id", "label", "bank", "pin", "digital_range", "analog_range", "high_pass", "low_pass")
            assert (channel.index, *(getattr(channel, name) for name in same)) == (
                column, *(getattr(want, name) for name in same)
            )  # fmt: skip
        channels, data = ns.channels, out.read_bytes()
        again = [channel for channel in channels if channel.units == described[channel.index].units]
        if len(again) == len(channels):
            nv.create_nsx(
                samples, out, channels, sampling_rate=ns.sampling_rate, spec=version, tick_rate=tick_rate,
                start_tick=start_tick, time_origin=date, label=label, comment=label * 16, overwrite=True,
            )  # fmt: skip
            assert out.read_bytes() == data, "a Channel says what a NewChannel says"


@pytest.mark.parametrize("version", ["2.3", "3.0"])
def test_writing_c15_is_what_a_builder_makes(out, version):
    described = [nv.NewChannel(7, "elec7", bank=1, pin=7, high_pass=Filter(0.3, 1, "butterworth")), nv.NewChannel(9)]
    heads = [
        b.channel(7, bank=1, pin=7, low_pass=(0, 0, 0)),
        b.channel(9, label="", bank=0, pin=0, high_pass=(0, 0, 0), low_pass=(0, 0, 0)),
    ]
    samples = b.ramp(200_000, 2)  # more than one buffer
    options = {"sampling_rate": 2000, "spec": version, "time_origin": NSX_DATE, "label": "raw", "start_tick": 5}
    nv.create_nsx(np.asfortranarray(samples).astype(">i2"), out, described, **options)
    assert out.read_bytes() == b.nsx([(5, samples)], version, channels=heads, period=15, version=None)


def test_writing_c15_a_sunday(out):
    new_file(out, time_origin=datetime(2023, 6, 18, 23, 59, 58, 7000, timezone(timedelta(hours=-5))))
    assert struct.unpack_from("<8H", out.read_bytes(), 294) == (2023, 6, 1, 19, 4, 59, 58, 7), "in UTC it is Monday"
    new_file(out, time_origin=datetime(2023, 6, 18, tzinfo=timezone.utc), overwrite=True)
    assert struct.unpack_from("<8H", out.read_bytes(), 294)[2] == 0


def new_file(out, samples=None, channels=None, **options):
    samples = b.ramp(5, 1) if samples is None else samples
    return nv.create_nsx(samples, out, channels or [nv.NewChannel(1)], **{"sampling_rate": 30_000, **options})


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"samples": b.ramp(5, 1).astype(float)}, TypeError, "expected samples of int16, found float64"),
        ({"samples": b.ramp(5, 1).astype("u2")}, TypeError, "expected samples of int16, found uint16"),
        ({"samples": b.ramp(5, 1)[:, 0]}, ValueError, r"shape \(5,\)"),
        ({"samples": b.ramp(5, 2)}, ValueError, r"shape \(5, 2\) and 1 descriptions"),
        ({"samples": b.ramp(0, 1)}, ValueError, "expected 1 to"),
        ({"sampling_rate": 44_100}, ValueError, "found 44100"),
        ({"sampling_rate": 0}, ValueError, "found 0"),
        ({"sampling_rate": 29_999.99}, ValueError, "found 30000"),
        ({"spec": "2.1"}, ValueError, "expected spec to be 2.3 or 3.0"),
        ({"tick_rate": 0}, ValueError, "tick_rate"),
        ({"start_tick": -1}, ValueError, "start_tick"),
        ({"start_tick": 2**32}, ValueError, "start_tick: expected a whole number from 0 to 4294967295"),
        ({"start_tick": 0.5}, ValueError, "start_tick"),
        ({"time_origin": datetime(2024, 1, 1)}, ValueError, "zone"),
        ({"label": "x" * 17}, ValueError, r"label: expected at most 16 bytes.*\(17 bytes\)"),
        ({"comment": "x" * 257}, ValueError, "comment: expected at most 256"),
        ({"label": "Ω"}, ValueError, "label: expected text of code page 1252"),
        ({"label": "a\0b"}, ValueError, "without NUL"),
        ({"label": "a "}, ValueError, "a space at the end"),
    ],
    ids=str,
)
def test_writing_c16_what_cannot_be_created(out, options, error, match):
    refused(out, error, match, lambda: new_file(out, **options))


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"electrode_id": 65_536}, "channel 0, electrode_id: expected a whole number from 1 to 65535, found 65536"),
        ({"electrode_id": 0}, "electrode_id"),
        ({"label": "seventeen letters"}, "channel 0, label: expected at most 16 bytes"),
        ({"label": "\x81"}, "code page 1252"),
        ({"units": "\x1b[2J" * 9}, r"units.*\\x1b"),
        ({"bank": 256}, "bank"),
        ({"pin": -1}, "pin"),
        ({"digital_range": (-32_769, 1)}, "digital_range"),
        ({"analog_range": (0.5, 1)}, "analog_range"),
        ({"analog_range": (float("nan"), 1)}, "analog_range"),
        ({"analog_range": (3, 3)}, "analog_range: expected two ends"),
        ({"high_pass": Filter(5e6, 1, "butterworth")}, "high_pass, corner in mHz"),
        ({"low_pass": Filter(5, 1, "elliptic")}, "low_pass: expected a kind among none"),
        ({"low_pass": Filter(5, -1, "chebyshev")}, "low_pass, order"),
    ],
    ids=str,
)
def test_writing_c16_channels_that_cannot_be(out, fields, match):
    channel = nv.NewChannel(**{"electrode_id": 1, **fields})
    refused(out, ValueError, match, lambda: new_file(out, channels=[channel]))


def test_writing_c16_more_that_cannot_be(out):
    twice = [nv.NewChannel(5), nv.NewChannel(5)]
    refused(out, ValueError, "found more of 5", lambda: new_file(out, b.ramp(5, 2), twice))
    refused(out, ValueError, "digital_range.*nan", lambda: new_file(out, channels=[Channel(0, 1, "neural")]))
    out.write_bytes(b"mine")
    with pytest.raises(nv.ExportError, match="exists"):
        new_file(out)
    assert out.read_bytes() == b"mine"


# -------------------------------------------------------------------------------------------------------------- how


@pytest.mark.parametrize("kind", ["2.3", "ptp"])
def test_writing_c17_memory_does_not_grow_with_the_file(opened, out, kind):
    ns = opened(b.nsx([(0, b.ramp(400_000, 16))], "2.3") if kind == "2.3" else big_ptp(400_000, 16))
    nv.write_nsx(ns, out, channels=[0, 3, 7], start_tick=0, overwrite=True)
    tracemalloc.start()
    try:
        nv.write_nsx(ns, out, channels=slice(1, None), overwrite=True)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert out.stat().st_size > 11_000_000
    assert most < 9_000_000


def big_ptp(n_samples, n_channels):
    return t.ptp(t.stamps(n_samples), b.ramp(n_samples, n_channels))


def test_writing_c17_many_blocks_and_many_buffers(opened, cut):
    counts = [1, 40_000, 3, 70_000, *[2] * 500, 30_000]
    starts = (np.cumsum([0, *counts[:-1]]) + 100_000 * np.arange(len(counts))).tolist()
    ns = opened(t.blocks(starts, counts))
    want = [(tick, b.ramp(k, 2, first=a)[:, ::-1]) for tick, k, a in
            zip(starts, counts, np.cumsum([0, *counts]).tolist(), strict=False)]  # fmt: skip
    assert cut(ns, channels=[1, 0]) == b.nsx(want, ids=[2, 1])


def test_writing_c17_progress_ends_at_the_whole(opened, out):
    seen = []
    report = nv.write_nsx(opened(b.nsx([(0, b.ramp(200_000, 8))])), out, progress=lambda *now: seen.append(now))
    assert seen[-1] == (report.size_bytes,) * 2
    assert len(seen) > 2
    assert sorted(seen) == seen


def test_writing_c18_blocks_that_probing_took_for_packets(opened, cut):
    ns = opened(t.hidden_block())
    assert ns.stamped
    again = opened(cut(ns, channels=[2]), "again.ns5")
    want = ns.exactly()
    assert (again.n_samples, again.damage) == (want.n_samples, ())
    np.testing.assert_array_equal(again.read()[:, 0], want.read()[:, 2])
    np.testing.assert_array_equal(again.segments[0].ticks(), want.segments[0].ticks())


@pytest.mark.parametrize("back", [3, 10, 50_000])
def test_writing_c18_breaks_that_probing_misses(opened, cut, back):
    raw = t.ptp(t.stamps(100_000, breaks={100_000 - back - 3: 2, 100_000 - back: -2}))
    ns = opened(raw)
    assert [len(ns.segments), len(ns.exactly().segments)] == [1, 3]
    again = opened(cut(ns, segments=0, channels=[1]), "again.ns5")
    assert again.n_samples == 100_000 - back - 2, "the first segment as it is, and not as it seemed"


@every_kind
def test_writing_c20_bytes_and_file_objects(opened, cut, kind):
    raw = b.plausible(kind)[0]
    want, whole = cut(opened(raw), channels=[2, 0], stop_tick=10**12), cut(opened(raw))
    for source in (raw, io.BytesIO(raw), Unmapped(raw)):
        with nv.open_nsx(source) as ns:
            assert cut(ns, channels=[2, 0], stop_tick=10**12) == want
            assert cut(ns) == whole


class Unmapped(io.RawIOBase):
    """A file object that is neither a file nor bytes."""

    def __init__(self, data):
        self._data = io.BytesIO(data)

    def read(self, n_bytes=-1):
        return self._data.read(n_bytes)

    def seek(self, offset, whence=0):
        return self._data.seek(offset, whence)

    def tell(self):
        return self._data.tell()

    def seekable(self):
        return True

    def readable(self):
        return True


@every_nev
def test_writing_c20_nev_of_bytes_and_file_objects(nev_of, cut, version, ripple):
    raw = n.every_kind(version, ripple)
    want = cut(nev_of(raw), electrodes=[1])
    for source in (raw, io.BytesIO(raw), Unmapped(raw)):
        with nv.open_nev(source) as nev:
            assert cut(nev, electrodes=[1]) == want
            assert cut(nev) == raw


# --------------------------------------------------------------------------------------------------- command line


@pytest.fixture
def main(capsys):
    """Run `cut` in this process: (exit code, standard output, standard error)."""

    def call(*arguments):
        try:
            code = cli.main(["cut", *map(str, arguments)])
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return code, captured.out, captured.err

    return call


def test_writing_c21_cut_from_a_shell(main, opened, cut, out):
    ns = opened(b.plausible("2.3", 4, (30_000, 30_000))[0])
    same = {
        (): {},
        ("--channels", "2:4,0"): {"channels": [2, 3, 0]},
        ("--electrodes", "2-3"): {"electrodes": [2, 3]},
        ("--labels", "elec1", "elec4"): {"channels": [0, 3]},
        ("--neural",): {},
        ("--start", "0.5", "--stop", "2.5"): {"start_tick": 225_000, "stop_tick": 285_000},
        ("--start", "240000t"): {"start_tick": 240_000},
        ("--start", "2023-06-14T10:30:12.750"): {"start_tick": 225_000},
        ("--segments", "1"): {"segments": [1]},
        ("--anonymise",): {"anonymise": True},
        ("--anonymise", "labels"): {"anonymise": "labels"},
    }
    for arguments, options in same.items():
        code, said, err = main(ns.path, out, *arguments)
        assert (code, err) == (0, "")
        assert said.startswith(f"{out}: NSx 2.3, ")
        assert out.read_bytes() == cut_beside(ns, out, options)
    code, _, err = main(ns.path, out)
    assert (code, err.startswith(f"nevparse: {out} exists; choose another name")) == (1, True)
    assert main(ns.path, out, "--overwrite")[0] == 0


def cut_beside(file, out, options):
    """The same by the library; both files are gone behind it."""
    write = nv.write_nev if isinstance(file, NevFile) else nv.write_nsx
    other = out.with_name("other")
    write(file, other, **options)
    data = other.read_bytes()
    other.unlink()
    out.unlink() if options != {"anonymise": "labels"} else None
    return data


@pytest.mark.parametrize("rate", [30_000, 10**9])
def test_writing_c21_a_nev_is_cut_at_the_times_of_its_samples(main, file_of, nev_of, out, rate):
    version = (2, 3) if rate == 30_000 else (3, 0)
    make = n.V3 if version[0] == 3 else n.V2
    packets = [make.spike(rate + k * rate // 10, 1, 0) for k in range(20)]
    nev = nev_of(n.nev(packets, [n.wav(1)], version=version, tick_rate=rate))
    code, _, err = main(nev.path, out, "--start", "0.5", "--stop", "1")
    assert (code, "seconds count from its first event" in err) == (0, True)
    assert taken_apart(out.read_bytes())[2] == packets[5:10]
    file_of(b.nsx([(45_000, b.ramp(10, 1))]), "s.ns5")
    for arguments in (["--start", "0.5", "--stop", "1"], ["--start", f"{2 * rate}t", "--stop", f"{5 * rate // 2}t"]):
        assert main(nev.path, out, "--overwrite", *arguments)[::2] == (0, "")
        assert taken_apart(out.read_bytes())[2] == packets[10:15]
    assert main(nev.path, out, "--overwrite", "--electrodes", "1", "--kinds", "spike", "--anonymise")[0] == 0
    if version == (2, 3):
        assert main(nev.path, out, "--overwrite", "--start", "2024-03-14T19:09:49.630")[0] == 0
        assert taken_apart(out.read_bytes())[2] == packets[10:], "2.x has no time zone; it is taken as UTC"


def test_writing_c21_one_line_for_what_is_refused(main, opened, nev_of, file_of, out):
    ns, nev = opened(b.plausible("2.1")[0]), nev_of(n.every_kind((2, 3)), "t.nev")
    cases = {
        (ns.path, out, "--start", "2t"): (1, "NSx 2.1 has no timestamps"),
        (ns.path, ns.path, "--overwrite"): (1, "is the recording itself"),
        (ns.path, out, "--channels", "9"): (1, "at least one channel"),
        (ns.path, out, "--electrodes", "9"): (1, "no electrode 9"),
        (ns.path, out, "--kinds", "spike"): (2, "an NSx has no events; leave out --kinds"),
        (nev.path, out, "--labels", "a"): (2, "a NEV has no samples; leave out --labels"),
        (nev.path, out, "--channels", "0"): (2, "a NEV has no samples; leave out --channels"),
        (nev.path, out, "--neural"): (2, "leave out --neural"),
        (nev.path, out, "--segments", "0"): (2, "leave out --segments"),
        (nev.path, out, "--start", "5000000t"): (1, "found none"),
        (ns.path[:-4], out): (2, "expected the name of one file, found a recording of ns5"),
        (ns.path + "none", out): (2, "none"),
        (file_of(b"no recording", "x.ns5"), out): (2, "expected an NSx file"),
    }
    for arguments, (code, words_) in cases.items():
        got, said, err = main(*arguments)
        assert (got, said) == (code, "")
        assert words_ in err
        lines = [line for line in err.splitlines() if "seconds count" not in line and "warning" not in line]
        assert [line.startswith("nevparse: ") for line in lines] == [True]
        assert os.listdir(out.parent) == []
    assert main(ns.path[:-4], out, "--nsx", "5")[0] == 0
