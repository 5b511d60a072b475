# SPDX-License-Identifier: MIT
"""Successive files end to end: what belongs together, and where each file is: claims of ``spec_notes/joining.md``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pytest
from builders import nev as nb
from builders import nsx as b
from builders import timing as t
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from nevparse.recording.belonging import FileTime
from nevparse.recording.placement import place_files

RATE = 30_000
MS = RATE // 1000
SPIKE = [nb.V2.spike(9, 1, 1, range(48))]
OpenedEach = Callable[..., list[nv.NsxFile]]


class Piece(NamedTuple):
    """A file of a recording: when its samples were recorded, counted in samples of the whole, and by which clock."""

    start: int
    n_samples: int
    clock_start: int  # the moment at which the clock was 0

    def data(self, kind: str = "3.0", n_channels: int = 2, **header: object) -> bytes:
        """The file; each sample says when it was recorded. The date is that of the first sample."""
        moments = np.arange(self.start, self.start + self.n_samples)
        samples = ((moments[:, None] * n_channels + np.arange(n_channels)) % 32_000).astype(np.int16)
        options = {"origin": t.origin(self.start / RATE), **header}
        return b.nsx([(self.start - self.clock_start, samples)], kind, **options)  # type: ignore[arg-type]


@st.composite
def pieces(draw: st.DrawFn) -> list[Piece]:
    """Two to four files; the clock of each runs on, with or without samples missing, or is set anew."""
    made = [Piece(0, draw(st.integers(1, 90)) * MS, -draw(st.integers(0, 50)))]
    for _ in range(draw(st.integers(1, 3))):
        end, clock_start = made[-1].start + made[-1].n_samples, made[-1].clock_start
        start = end + draw(st.sampled_from([0, 1, 7, 5 * RATE, 3600 * RATE]))
        if draw(st.booleans()):  # dates have milliseconds
            start = (end // MS + draw(st.sampled_from([1500, 3_600_000]))) * MS
            clock_start = start - draw(st.integers(0, 9)) * MS
        made.append(Piece(start, draw(st.integers(1, 90)) * MS, clock_start))
    return made


def with_dates_of_tick_0(made: Sequence[Piece]) -> list[Piece]:
    """The same files, of which every clock that is set anew is so at the first sample."""
    changed = [made[0]._replace(clock_start=0)]
    for before, now in pairwise(made):
        ran_on = before.clock_start == now.clock_start
        changed.append(now._replace(clock_start=changed[-1].clock_start if ran_on else now.start))
    return changed


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Closes what is opened on it."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def opened(tmp_path: Path, stack: ExitStack) -> OpenedEach:
    """Write files as ``f0.ns5``, ``f1.ns5`` and so on, and open them."""

    def write_and_open(*files: bytes) -> list[nv.NsxFile]:
        paths = [tmp_path / f"f{number}.ns5" for number in range(len(files))]
        for path, data in zip(paths, files, strict=True):
            path.write_bytes(data)
        return [stack.enter_context(nv.open_nsx(path)) for path in paths]

    return write_and_open


def stretches(made: Sequence[Piece]) -> list[tuple[int, int]]:
    """Start and end, in samples of the whole, of what was recorded without a break by one clock."""
    found: list[tuple[int, int]] = []
    for number, piece in enumerate(made):
        end = piece.start + piece.n_samples
        goes_on = number > 0 and found[-1][1] == piece.start and made[number - 1].clock_start == piece.clock_start
        found = [*found[:-1], (found[-1][0], end)] if goes_on else [*found, (piece.start, end)]
    return found


# ------------------------------------------------------------------------------------------------- where each file is


@given(pieces(), st.randoms(use_true_random=False), st.sampled_from(["2.3", "3.0"]))
def test_joining_c07_every_sample_is_at_its_moment_whatever_the_clock_of_its_file(made, shuffle, kind: str) -> None:
    order = list(range(len(made)))
    shuffle.shuffle(order)
    if kind == "2.3":  # its date is that of tick 0
        made = with_dates_of_tick_0(made)
    with ExitStack() as stack:
        files = [stack.enter_context(nv.open_nsx(made[number].data(kind))) for number in order]
        joined = nv.concatenate(files)
    zero = made[0].clock_start
    found = [(s.start_tick + zero, s.stop_tick + zero) for s in joined.segments]
    assert found == stretches(made)
    moments = np.array([moment for piece in made for moment in (piece.start, piece.start + piece.n_samples - 1)])
    segment, sample = joined.locate(moments - zero)
    starts = np.array([start for start, _ in stretches(made)])
    np.testing.assert_array_equal(starts[segment] + sample, moments)
    assert [placed.is_exact for placed in joined.placements[1:]] == [
        now.clock_start == before.clock_start for before, now in pairwise(made)
    ]


@given(pieces(), st.data())
def test_joining_c07_ticks_and_searches_cross_the_files(made: list[Piece], data: st.DataObject) -> None:
    with ExitStack() as stack:
        joined = nv.concatenate([stack.enter_context(nv.open_nsx(piece.data())) for piece in made])
        for segment, (start, end) in zip(joined.segments, stretches(made), strict=True):
            a = data.draw(st.integers(0, end - start))
            c = data.draw(st.integers(a, end - start))
            ticks = np.arange(start, end) - made[0].clock_start
            np.testing.assert_array_equal(segment.ticks(a, c), ticks[a:c])
            assert sum(extent.n_rows for extent in segment.extents(a, c)) == c - a
            tick = data.draw(st.integers(int(ticks[0]) - 5, int(ticks[-1]) + 5))
            assert segment.find(tick) == int((ticks < tick).sum())
            assert segment.within(int(ticks[a]), int(ticks[-1]) + 1) == [(a, end - start)] if a < end - start else True


def test_joining_c08_a_clock_that_was_set_anew_leaves_a_gap_however_well_dates_fit(opened: OpenedEach) -> None:
    files = opened(Piece(0, RATE, 0).data("2.3"), Piece(RATE, RATE, RATE).data("2.3"))
    joined = nv.concatenate(files)
    assert [(s.start_tick, s.n_samples) for s in joined.segments] == [(0, RATE), (RATE, RATE)]
    assert [gap.missing_samples for gap in joined.gaps] == [0]
    assert "to about 20 ms" in joined.placements[1].note


def test_joining_c08_dates_a_little_too_early_put_a_file_directly_behind_the_one_before(opened: OpenedEach) -> None:
    """The computer's clock strays from the recorder's, and Windows sets it every 16 ms."""
    late = Piece(RATE - 15 * MS, RATE, RATE - 15 * MS).data("2.3")
    joined = nv.concatenate(opened(Piece(0, RATE, 0).data("2.3"), late))
    assert [(s.start_tick, s.n_samples) for s in joined.segments] == [(0, RATE), (RATE, RATE)]
    assert "they overlap by 15 ms" in joined.placements[1].note


@pytest.mark.parametrize("hours", [0, 10])
def test_joining_c08_dates_may_be_off_by_more_the_later_a_file_is(hours: int) -> None:
    moment = (hours * 3600 + 1) * 1_000_000
    first = FileTime(0, 0, 0, (hours * 3600 + 2) * RATE, RATE, False)
    early = FileTime(moment, moment, 0, RATE, RATE, False)  # by its date a second before the first file ended
    if hours:
        placed = place_files(["a", "b"], [first, early], is_given=False)[1]
        assert (placed.offset, placed.is_exact) == (first.stop_tick, False)
    else:
        with pytest.raises(ValueError, match="found an overlap of 1 s"):
            place_files(["a", "b"], [first, early], is_given=False)


def test_joining_c07_a_recorder_that_starts_a_new_file_is_one_recording_with_a_loss(opened: OpenedEach) -> None:
    """The clock runs on, dates are those of each start, and a few samples are lost in between."""
    files = opened(*(Piece(start, RATE, -7_000).data("2.3") for start in (0, RATE + 40, 3 * RATE)))
    joined = nv.concatenate(files)
    assert [(gap.kind, gap.missing_samples) for gap in joined.gaps] == [("loss", 40), ("pause", RATE - 40)]
    assert all(placed.is_exact for placed in joined.placements)


END = 1 << 32
NOTES = [": exact", " and rolled over 32 bits: exact", ": exact"]


@pytest.mark.parametrize("dates_s", [[0, 5, 9, 16], [0, 0, END / RATE, END / RATE]], ids=["first sample", "tick 0"])
def test_joining_c07_a_clock_of_32_bits_rolls_over_between_files(opened: OpenedEach, dates_s: list[float]) -> None:
    starts = [END - 7 * RATE, END - 2 * RATE, END + 2 * RATE, END + 9 * RATE]
    origins = [t.origin(seconds) for seconds in dates_s]
    files = [
        b.nsx([(start % END, b.ramp(RATE, 2))], "2.3", origin=origin)
        for start, origin in zip(starts, origins, strict=True)
    ]
    joined = nv.concatenate(opened(*files)[::-1])
    assert [segment.start_tick for segment in joined.segments] == starts
    assert [place.note for place in joined.placements][1:] == [f"the clock ran on{how}" for how in NOTES]


def test_joining_c07_equal_dates_do_not_say_whether_a_clock_rolled_over(opened: OpenedEach) -> None:
    """Two seconds behind the rollover, or 39.7 hours before the other file."""
    files = opened(*(b.nsx([(tick, b.ramp(RATE, 2))], "2.3") for tick in (END - 7 * RATE, 2 * RATE)))
    with pytest.raises(ValueError, match=r"may have rolled over 32 bits in between; state the order"):
        nv.concatenate(files)
    rolled = nv.concatenate(files, order="given")
    assert [segment.start_tick for segment in rolled.segments] == [END - 7 * RATE, END + 2 * RATE]
    assert rolled.placements[1].is_exact
    paused = nv.concatenate(files[::-1], order="given")
    assert [segment.start_tick for segment in paused.segments] == [2 * RATE, END - 7 * RATE]


def test_joining_c11_a_stray_in_a_nev_does_not_move_the_next(tmp_path: Path) -> None:
    ticks = [300 * k for k in range(900)]
    for name, stamps, after_s in (("a", [*ticks[:500], 4_000_000_000, *ticks[500:]], 0), ("b", ticks, 60)):
        nev = t.spike_nev(stamps)
        (tmp_path / f"{name}.nev").write_bytes(nev[:28] + t.date_bytes(t.origin(after_s)) + nev[44:])
    with nv.open_nev(tmp_path / "a.nev") as one, nv.open_nev(tmp_path / "b.nev") as other:
        assert [place.offset for place in nv.concatenate([one, other]).placements] == [0, 60 * RATE]


def test_joining_c07_clocks_since_1970_need_no_dates(opened: OpenedEach) -> None:
    stamps = t.stamps(200, start=t.EPOCH_NS, jitter_ns=200)
    one, other = (t.ptp(part, origin=(0,) * 8) for part in (stamps[:100], stamps[100:]))
    later = t.ptp(t.stamps(100, start=t.EPOCH_NS + 10 * t.NS), origin=(0,) * 8)
    joined = nv.concatenate(opened(later, one, other))
    assert [s.n_samples for s in joined.segments] == [200, 100]
    assert [file.path[-6:] for file in joined.files] == ["f1.ns5", "f2.ns5", "f0.ns5"]
    np.testing.assert_array_equal(joined.segments[0].ticks(98, 102), stamps[98:102].astype(np.int64))


# ------------------------------------------------------------------------------------------------- what does not belong


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Piece(RATE, 90, 0).data(ids=(1, 3)), "electrode 2 'elec2'.* in column 1; found electrode 3"),
        (Piece(RATE, 90, 0).data(n_channels=3), "2 channels; found 3"),
        (Piece(RATE, 90, 0).data(period=2), "30000.0 Hz sampling.*found 15000.0 Hz"),
        (t.ptp(t.stamps(50)), "30000 Hz ticks.*found 30000.0 Hz sampling, 1000000000 Hz ticks"),
        (b.nsx([], ids=(1, 2)), "no samples"),
    ],
    ids=["electrode", "channels", "rate", "clock", "empty"],
)
def test_joining_c09_members_that_do_not_belong_are_refused_with_both_named(
    opened: OpenedEach, other: bytes, message: str
) -> None:
    files = opened(Piece(0, 90, 0).data(), other)
    orders: tuple[Literal["given"] | None, ...] = (None, "given")
    for order in orders:
        with pytest.raises(ValueError, match=message) as refused:
            nv.concatenate(files, order=order)
        assert files[0].path in str(refused.value)
        assert files[1].path in str(refused.value)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            nb.nev(SPIKE, [nb.wav(1)], tick_rate=15_000),
            "expected 30000 Hz ticks, packets of 104 .* found 15000",
        ),
        (nb.nev([], [nb.wav(1)], packet_bytes=24), "found 30000 Hz ticks, packets of 24 bytes"),
        (nb.nev(SPIKE, [nb.wav(1)], sample_rate=15_000), "expected waveforms of 30000 Hz as in .*, found .* 15000 Hz"),
        (nb.nev(SPIKE, [nb.wav(1), nb.wav(2)]), r"the same electrodes, found \[2\] in one alone"),
    ],
    ids=["ticks", "packets", "waveforms", "electrodes"],
)
def test_joining_c09_nevs_that_differ_are_refused_with_both_named(tmp_path: Path, other: bytes, message: str) -> None:
    for name, data in (("a", nb.nev(SPIKE, [nb.wav(1)])), ("b", other)):
        (tmp_path / f"{name}.nev").write_bytes(data)
    with nv.open_nev(tmp_path / "a.nev") as one, nv.open_nev(tmp_path / "b.nev") as two:
        with pytest.raises(ValueError, match=message) as refused:
            nv.concatenate([one, two], order="given")
        assert (one.path in str(refused.value), two.path in str(refused.value)) == (True, True)


def test_joining_c09_samples_with_timestamps_and_blocks_are_not_joined(opened: OpenedEach) -> None:
    ticks = t.stamps(50)
    blocks = b.nsx([(int(ticks[-1]) + 10**9, b.ramp(90, 1))], "3.0", tick_rate=b.NANOSECONDS)
    stamped = t.ptp(ticks, b.ramp(50, 1))
    with pytest.raises(ValueError, match=r"a timestamp for each sample as in .*, found blocks of samples"):
        nv.concatenate(opened(stamped, blocks), order="given")


@pytest.mark.parametrize("clock_start", [0, RATE], ids=["one clock", "two clocks"])
def test_joining_c09_files_of_the_same_time_are_refused_with_both_named(opened: OpenedEach, clock_start: int) -> None:
    files = opened(Piece(0, 3 * RATE, 0).data(), Piece(RATE, 3 * RATE, clock_start).data())
    with pytest.raises(ValueError, match=r"an overlap of 2 s.*combine_instruments") as refused:
        nv.concatenate(files)
    assert files[0].path in str(refused.value)
    assert files[1].path in str(refused.value)


def test_joining_c09_the_same_file_twice_and_two_instruments_are_refused(
    opened: OpenedEach, tmp_path: Path, stack: ExitStack
) -> None:
    (file,) = opened(Piece(0, 90, 0).data())
    with pytest.raises(ValueError, match="found this one twice"):
        nv.concatenate([file, file], order="given")
    for number in (1, 2):
        (tmp_path / f"x-NSP{number}.ns5").write_bytes(Piece(number * RATE, 90, 0).data())
    named_apart = [stack.enter_context(nv.open_nsx(path)) for path in sorted(tmp_path.glob("x-*"))]
    with pytest.raises(ValueError, match="one instrument, found names of two"):
        nv.concatenate(named_apart)


def test_joining_c09_what_is_no_member_is_refused_in_words(opened: OpenedEach) -> None:
    (file,) = opened(Piece(0, 90, 0).data())
    wrong: tuple[tuple[Any, type[Exception]], ...] = (([], ValueError), ([file, 5], TypeError), (["f0"], TypeError))
    for members, error in wrong:
        with pytest.raises(error, match="expected open"):
            nv.concatenate(members)
    assert nv.concatenate([file]).n_samples == 90
    with pytest.raises(ValueError, match="order to be None or 'given'"):
        nv.concatenate([file], order="time")  # type: ignore[call-overload]


def test_joining_c10_files_without_dates_need_an_order_that_is_given(opened: OpenedEach) -> None:
    files = opened(*(b.nsx([(0, b.ramp(50, 2, "2.1"))], "2.1") for _ in range(2)))
    with pytest.raises(ValueError, match=r"a header with a date.*order='given' \(--order given\)"):
        nv.concatenate(files)
    joined = nv.concatenate(files, order="given")
    assert [(s.start_tick, s.n_samples) for s in joined.segments] == [(0, 50), (50, 50)]
    assert "the time between is not known" in joined.placements[1].note


def test_joining_c10_a_given_order_is_kept_against_the_dates(opened: OpenedEach) -> None:
    files = opened(Piece(3600 * RATE, 90, 3600 * RATE).data("2.3"), Piece(0, 90, 0).data("2.3"))
    assert nv.concatenate(files).files == (files[1], files[0])
    joined = nv.concatenate(files, order="given")
    assert joined.files == tuple(files)
    assert [(s.start_tick, s.n_samples) for s in joined.segments] == [(0, 90), (90, 90)]


# ------------------------------------------------------------------------------------------------- spikes and events


def write_recording(folder: Path, name: str, piece: Piece, moments: Sequence[int]) -> None:
    """A recording of a file at 30 kHz, one at 1 kHz, and spikes at these moments."""
    origin = t.origin(piece.start / RATE)
    slow = b.nsx([(piece.start - piece.clock_start, b.ramp(piece.n_samples // 30, 2))], "3.0", period=30, origin=origin)
    (folder / f"{name}.ns5").write_bytes(piece.data())
    (folder / f"{name}.ns2").write_bytes(slow)
    nev = t.spike_nev([moment - piece.clock_start for moment in moments], (3, 0))
    (folder / f"{name}.nev").write_bytes(nev[:28] + t.date_bytes(origin) + nev[44:])


@pytest.mark.parametrize("clock_start", [-500, 10 * RATE], ids=["clock ran on", "clock set anew"])
def test_joining_c11_spikes_of_successive_recordings_are_on_one_line_of_ticks(tmp_path: Path, clock_start: int) -> None:
    first, later = Piece(0, RATE, -500), Piece(10 * RATE, RATE, clock_start)
    write_recording(tmp_path, "a", first, [0, 100, RATE - 1, RATE + 3])
    write_recording(tmp_path, "b", later, [10 * RATE, 10 * RATE + 7, 11 * RATE - 1])
    with nv.open_recording(tmp_path / "b") as other, nv.open_recording(tmp_path / "a") as one:
        joined = nv.concatenate([other, one])
        nev = joined.require_nev()
        ticks = nev.spikes()["tick"]
        moments = [0, 100, RATE - 1, RATE + 3, 10 * RATE, 10 * RATE + 7, 11 * RATE - 1]
        assert (ticks - 500).tolist() == moments
        assert ticks.dtype == np.int64
        assert nev.spikes(start_tick=RATE, stop_tick=10 * RATE + 501)["tick"].tolist() == [
            t + 500 for t in moments[2:5]
        ]
        assert nev.trains()[1, 0].tolist() == ticks.tolist()
        assert nev.kinds() == {"spike": 7}
        packets = nev.packets_of("spike")
        assert packets.tolist() == list(range(7))
        for chosen in (None, packets):
            segment, sample = joined.locate(ticks, 5, packets=chosen)
            assert segment.tolist() == [0, 0, 0, -1, 1, 1, 1]
            assert sample.tolist() == [0, 100, RATE - 1, -1, 0, 7, RATE - 1]
            segment, sample = joined.locate(ticks, nsx=2, packets=chosen)
            assert sample.tolist() == [0, 3, 999, -1, 0, 0, 999]


def test_joining_c11_nevs_alone_are_placed_by_their_own_ticks_and_dates(tmp_path: Path) -> None:
    write_recording(tmp_path, "a", Piece(0, RATE, 0), [0, 100])
    write_recording(tmp_path, "b", Piece(10 * RATE, RATE, 10 * RATE), [10 * RATE, 10 * RATE + 5])
    with nv.open_nev(tmp_path / "a.nev") as one, nv.open_nev(tmp_path / "b.nev") as other:
        joined = nv.concatenate([other, one])
        assert joined.spikes(waveforms=False)["tick"].tolist() == [0, 100, 10 * RATE, 10 * RATE + 5]


def test_joining_c11_recordings_end_with_the_last_of_their_files(tmp_path: Path) -> None:
    for name, piece, n_slow in (("a", Piece(0, RATE, 0), 3000), ("b", Piece(2 * RATE, RATE, 2 * RATE), 1000)):
        write_recording(tmp_path, name, piece, [piece.start])
        slow = b.nsx([(0, b.ramp(n_slow, 2))], "3.0", period=30, origin=t.origin(piece.start / RATE))
        (tmp_path / f"{name}.ns2").write_bytes(slow)
    overlap = pytest.raises(ValueError, match="found an overlap of 1 s")
    with nv.open_recording(tmp_path / "a") as one, nv.open_recording(tmp_path / "b") as other, overlap:
        nv.concatenate([one, other])


def test_joining_c11_packets_of_a_later_recording_are_in_its_own_epochs(tmp_path: Path) -> None:
    write_recording(tmp_path, "a", Piece(0, RATE, 0), [0, 100, 200])
    later = t.origin(10)
    blocks = [(40, b.ramp(3000, 2)), (20, b.ramp(3000, 2))]
    (tmp_path / "b.ns5").write_bytes(b.nsx(blocks, "3.0", origin=later))
    nev = t.spike_nev([50, 1500, 3000, 50, 1500, 3000], (3, 0))
    (tmp_path / "b.nev").write_bytes(nev[:28] + t.date_bytes(later) + nev[44:])
    with nv.open_recording(tmp_path / "a") as one, nv.open_recording(tmp_path / "b") as other:
        joined = nv.concatenate([one, other])
        nevs = joined.require_nev()
        ticks, packets = nevs.spikes(waveforms=False)["tick"], nevs.packets_of("spike")
        segment, sample = joined.locate(ticks[3:], 5, packets=packets[3:])
        own = other.locate(other.require_nev().spikes()["tick"], 5, packets=other.require_nev().packets_of("spike"))
    assert (segment - 1).tolist() == own[0].tolist() == [0, 0, 0, 1, 1, 1]
    assert sample.tolist() == own[1].tolist()
