# SPDX-License-Identifier: MIT
"""Agreement with python-neo wherever neo is right, and a list of where it is known not to be."""

from __future__ import annotations

import gc
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from builders import nsx as b
from depth import FEWER
from fixture_types import FileOf, RealFile
from hypothesis import given
from hypothesis import strategies as st

import nevparse as nv

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    neo_rawio = pytest.importorskip("neo.rawio", reason="neo is not installed (it needs numpy 1.24 or newer)")

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # neo leaves its files to the collector

NEO_KINDS = ("2.2", "2.3", "3.0", "ptp", "ripple")


def neo_file(path, **options):
    """A parsed neo reader of one NSx; the digit of its suffix is the stream."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        reader = neo_rawio.BlackrockRawIO(str(path), nsx_to_load=int(str(path)[-1]), load_nev=False, **options)
        reader.parse_header()
    return reader


def neo_segments(reader):
    """(seconds of the first sample, samples) of each segment."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return [
            (
                reader.get_signal_t_start(0, k, 0),
                np.array(reader.get_analogsignal_chunk(0, k, None, None, 0)),
            )
            for k in range(reader.segment_count(0))
        ]


@pytest.fixture(autouse=True)
def neo_lets_go() -> Iterator[None]:
    yield
    gc.collect()


def same(ns, reader):
    """Compare what neo gives with ours; True where anything was compared."""
    theirs = neo_segments(reader)
    assert len(theirs) == len(ns.segments)
    for segment, (start_s, samples) in zip(ns.segments, theirs, strict=True):
        np.testing.assert_array_equal(segment.samples, samples)
        assert segment.seconds(0, 1, origin_tick=0)[0] == pytest.approx(start_s, rel=1e-15, abs=1e-9)
    assert reader.get_signal_sampling_rate(0) == ns.sampling_rate
    for channel, theirs_ in zip(ns.channels, reader.header["signal_channels"], strict=True):
        to_uv = {"uV": 1, "mV": 1e3, "V": 1e6}[theirs_["units"]]
        label = str(theirs_["name"]).split("\0")[0]  # neo keeps the garbage behind it
        assert (channel.label, str(channel.electrode_id)) == (label, theirs_["id"])
        assert channel.uv_per_bit == pytest.approx(theirs_["gain"] * to_uv)
        assert channel.uv_offset == pytest.approx(theirs_["offset"] * to_uv, abs=1e-6)
    return len(theirs) > 0


@pytest.mark.parametrize(
    "name", ["mne_real_2.3.ns3", "mne_synthetic_2.2.ns3", "mne_synthetic_3.0.ns3", "ripple_testData.ns2"]
)
def test_real_recordings_read_as_in_neo(real_file: RealFile, tmp_path: Path, name) -> None:
    path = tmp_path / ("s" + real_file(name).suffix)  # neo looks for companions beside the file
    shutil.copyfile(real_file(name), path)
    with nv.open_nsx(path) as ns:
        assert same(ns, neo_file(path))


@FEWER
@given(
    kind=st.sampled_from(NEO_KINDS),
    n_channels=st.integers(1, 5),
    n_samples=st.lists(st.integers(2, 20), min_size=1, max_size=3),
    period=st.sampled_from([1, 3, 15, 30]),
)
def test_built_recordings_read_as_in_neo(file_of: FileOf, kind: str, n_channels, n_samples, period) -> None:
    rate, tick = (10**9 if kind == "ptp" else 30000), 1000
    blocks: list[b.Block] = []
    for n in n_samples:
        blocks.append((tick, b.ramp(n, n_channels, kind, first=len(blocks))))
        tick += (n * period * rate) // 30000 + rate
    heads = [b.analog_input(1, kind=kind), *(b.channel(k, kind=kind, digital=(-100, 300)) for k in range(2, 9))]
    path = file_of(b.nsx(blocks, kind, channels=heads[:n_channels], period=period))
    options = {"gap_tolerance_ms": 0} if kind == "ptp" else {}
    with nv.open_nsx(path) as ns:
        assert same(ns, neo_file(path, **options))
    gc.collect()


def test_2_1_recordings_read_as_in_neo_up_to_the_sample_it_drops(real_file: RealFile, tmp_path: Path) -> None:
    path = tmp_path / "s.ns2"
    shutil.copyfile(real_file("l101210-001.ns2"), path)
    with nv.open_nsx(path) as ns:
        ((_, theirs),) = neo_segments(neo_file(path))
        np.testing.assert_array_equal(ns.segments[0].samples[:-1], theirs)


# What neo 0.14.6 does otherwise: (file, what neo gives, what the bytes hold)
def known_differences():
    two, one = b.ramp(20, 2), b.ramp(1, 2)
    zero = b.nsx([]) + b.block("2.3", 0, two, n_samples=0)
    return {
        "it drops the last sample of 2.1": (b.nsx([(0, two)], "2.1"), [19], [20]),
        "it drops blocks of one sample": (b.nsx([(0, one), (9000, two)]), [20], [1, 20]),
        "it refuses a block cut short": (b.nsx([(0, two)])[:-6], ValueError, [18]),
        "it refuses a count that was never written": (zero, ValueError, [20]),
        "it refuses minor versions it does not list": (b.nsx([(0, two)], version=(2, 4)), KeyError, [20]),
        "it refuses doubled electrode ids": (b.nsx([(0, two)], ids=[1, 1]), ValueError, [20]),
        "it refuses text that is not UTF-8": (
            b.nsx([(0, two)], channels=[b.channel(1, units=b"\xb5V"), b.channel(2)]), UnicodeDecodeError, [20]
        ),
        "it refuses an empty range": (
            b.nsx([(0, two)], channels=[b.channel(1, digital=(0, 0)), b.channel(2)]), ZeroDivisionError, [20]
        ),
        "it takes 1e9 Hz for packets by the first block alone": (
            b.nsx([(0, one), (10**9, two[:11])], "3.0", tick_rate=10**9), None, [1, 11]
        ),
    }  # fmt: skip


@pytest.mark.parametrize("what", list(known_differences()))
def test_where_neo_is_known_to_differ_ours_is_what_the_bytes_say(file_of: FileOf, what: str) -> None:
    """Ours is asserted against what was built; that neo still differs, so that a mended neo is noticed."""
    data, theirs, ours = known_differences()[what]
    path = file_of(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", nv.NevParseWarning)
        ns = nv.open_nsx(path)
    with ns:
        assert [segment.n_samples for segment in ns.segments] == ours
    if isinstance(theirs, type):
        with pytest.raises(theirs):
            neo_segments(neo_file(path))
    else:
        got = [len(samples) for _, samples in neo_segments(neo_file(path, gap_tolerance_ms=0))]
        assert got != ours
        assert theirs is None or got == theirs
