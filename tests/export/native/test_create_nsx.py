# SPDX-License-Identifier: MIT
"""New files from arrays are what they were said to be: claims C15 and C16 of `spec_notes/writing.md`."""

from __future__ import annotations

import struct
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from builders import nsx as b
from fixture_types import Opened
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv
from export.native.cutting import NSX_DATE, refused
from nevparse.format.channel import Channel, Filter

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
    opened: Opened, out: Path, described, n_samples, version, period, tick_rate, start_tick, date, label
) -> None:
    samples = b.ramp(n_samples, len(described))
    out.unlink(missing_ok=True)
    report = nv.create_nsx(
        samples, out, described, sampling_rate=30_000 / period, spec=version, tick_rate=tick_rate,
        start_tick=start_tick, time_origin=date, label=label, comment=label * 16,
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
        channels, sampling_rate, data = ns.channels, ns.sampling_rate, out.read_bytes()
    again = [channel for channel in channels if channel.units == described[channel.index].units]
    if len(again) == len(channels):
        out.unlink()
        nv.create_nsx(
            samples, out, channels, sampling_rate=sampling_rate, spec=version, tick_rate=tick_rate,
            start_tick=start_tick, time_origin=date, label=label, comment=label * 16,
        )  # fmt: skip
        assert out.read_bytes() == data, "a Channel says what a NewChannel says"


@pytest.mark.parametrize("version", ["2.3", "3.0"])
def test_writing_c15_a_new_file_is_what_a_builder_makes(out: Path, version) -> None:
    described = [nv.NewChannel(7, "elec7", bank=1, pin=7, high_pass=Filter(0.3, 1, "butterworth")), nv.NewChannel(9)]
    heads = [
        b.channel(7, bank=1, pin=7, low_pass=(0, 0, 0)),
        b.channel(9, label="", bank=0, pin=0, high_pass=(0, 0, 0), low_pass=(0, 0, 0)),
    ]
    samples = b.ramp(200_000, 2)  # more than one buffer
    options = {"sampling_rate": 2000, "spec": version, "time_origin": NSX_DATE, "label": "raw", "start_tick": 5}
    nv.create_nsx(np.asfortranarray(samples).astype(">i2"), out, described, **options)
    assert out.read_bytes() == b.nsx([(5, samples)], version, channels=heads, period=15, version=None)


def test_writing_c15_the_day_of_the_week_is_that_of_utc(out: Path) -> None:
    new_file(out, time_origin=datetime(2023, 6, 18, 23, 59, 58, 7000, timezone(timedelta(hours=-5))))
    assert struct.unpack_from("<8H", out.read_bytes(), 294) == (2023, 6, 1, 19, 4, 59, 58, 7), "in UTC it is Monday"
    out.unlink()
    new_file(out, time_origin=datetime(2023, 6, 18, tzinfo=timezone.utc))
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
        ({"start_tick": 2**32}, ValueError, "start_tick: expected an integer from 0 to 4294967295"),
        ({"start_tick": 0.5}, ValueError, "start_tick"),
        ({"time_origin": datetime(2024, 1, 1)}, ValueError, "zone"),
        ({"label": "x" * 17}, ValueError, r"label: expected at most 16 bytes.*\(17 bytes\)"),
        ({"comment": "x" * 257}, ValueError, "comment: expected at most 256"),
        ({"label": "Ω"}, ValueError, "label: expected text of code page 1252"),
        ({"label": "a\0b"}, ValueError, "without NUL"),
        ({"label": "a "}, ValueError, "a space at the end"),
        ({"label": None}, ValueError, "label: expected text, found None"),
        ({"comment": b"bytes"}, ValueError, "comment: expected text"),
        ({"comment": "Trellis.exe[1.14.4.41]"}, ValueError, "comment: expected none that begins as Ripple's"),
        ({"comment": "1.14.4.41 Trellis[]"}, ValueError, "comment: expected none that begins as Ripple's"),
        ({"sampling_rate": 1e-320}, ValueError, "sampling_rate"),
        ({"sampling_rate": float("inf")}, ValueError, "sampling_rate"),
        ({"sampling_rate": float("nan")}, ValueError, "sampling_rate"),
        ({"tick_rate": "x"}, ValueError, "tick_rate"),
        ({"tick_rate": 10**400}, ValueError, "tick_rate"),
        ({"time_origin": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))}, ValueError, "years 1 to 9999"),
        ({"time_origin": datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5)))}, ValueError, "years 1"),
        ({"samples": [[1], [2]]}, TypeError, "expected samples as an array of int16, found list"),
    ],
    ids=str,
)
def test_writing_c16_what_cannot_be_written_is_refused(out: Path, options, error, match) -> None:
    refused(out, error, match, lambda: new_file(out, **options))


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"electrode_id": 65_536}, "channel 0, electrode_id: expected an integer from 1 to 65535, found 65536"),
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
        ({"low_pass": Filter(5, 1, "elliptic")}, "low_pass: expected a kind among butterworth"),
        ({"high_pass": Filter(0.0004, 1, "butterworth")}, "high_pass, corner in mHz"),
        ({"high_pass": Filter(4_294_967.295, 1, "butterworth")}, "high_pass, corner in mHz"),
        ({"high_pass": Filter(float("nan"), 1, "butterworth")}, "high_pass, corner in mHz"),
        ({"low_pass": Filter(5, 0, "butterworth")}, "low_pass, order"),
        ({"low_pass": Filter(5, 1, "none")}, "low_pass: expected a kind"),
        ({"low_pass": Filter(5, 1, "0")}, "low_pass, kind"),
        ({"label": None}, "channel 0, label: expected text"),
        ({"low_pass": Filter(5, -1, "chebyshev")}, "low_pass, order"),
    ],
    ids=str,
)
def test_writing_c16_channels_that_cannot_be_written_are_refused(out: Path, fields, match) -> None:
    channel = nv.NewChannel(**{"electrode_id": 1, **fields})
    refused(out, ValueError, match, lambda: new_file(out, channels=[channel]))


def test_writing_c16_doubled_electrodes_and_files_in_the_way_are_refused(out: Path) -> None:
    twice = [nv.NewChannel(5), nv.NewChannel(5)]
    refused(out, ValueError, "found more of 5", lambda: new_file(out, b.ramp(5, 2), twice))
    refused(out, ValueError, "digital_range.*nan", lambda: new_file(out, channels=[Channel(0, 1, "neural")]))
    out.write_bytes(b"mine")
    with pytest.raises(nv.ExportError, match="exists"):
        new_file(out)
    assert out.read_bytes() == b"mine"
